/** The `git` program as worktrees use it: quiet, without hooks, with a text or bytes as its output. */
import { spawn } from "node:child_process";
import { failure } from "../../runtime/failure.js";

export interface Asked {
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string | Buffer;
  /** Codes besides 0 that are an answer. */
  readonly also?: readonly number[];
}

export interface Answered {
  readonly code: number;
  readonly out: Buffer;
}

/** Who commits what only ever stands between two states of a tree. */
const identity = {
  GIT_AUTHOR_NAME: "weave",
  GIT_AUTHOR_EMAIL: "weave@localhost",
  GIT_COMMITTER_NAME: "weave",
  GIT_COMMITTER_EMAIL: "weave@localhost",
  GIT_TERMINAL_PROMPT: "0",
  GIT_OPTIONAL_LOCKS: "0",
  LC_ALL: "C",
};

/** Runs git in a folder; a code that is no answer is a `tool_error` with its words. */
export function git(directory: string, args: readonly string[], { env = {}, input, also = [] }: Asked = {}): Promise<Answered> {
  return new Promise((resolve, reject) => {
    const inherited = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("GIT_")));
    const child = spawn("git", ["-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", "-c", "gc.auto=0", ...args], {
      cwd: directory,
      env: { ...inherited, ...identity, ...env },
      stdio: ["pipe", "pipe", "pipe"],
    });
    const out: Buffer[] = [];
    let err = "";
    child.stdout.on("data", (part: Buffer) => out.push(part));
    child.stderr.on("data", (part: Buffer) => {
      err = `${err}${part.toString("utf8")}`.slice(-2_000);
    });
    child.stdin.on("error", () => undefined);
    child.stdin.end(input ?? "");
    child.on("error", () =>
      reject(failure("tool_error", '@isolate("worktree") needs the program git, which cannot be started', { committed: "no" })),
    );
    child.on("close", (code) => {
      const whole = Buffer.concat(out);
      if (code === 0 || (code !== null && also.includes(code))) resolve({ code, out: whole });
      else
        reject(
          failure("tool_error", `git ${args.find((arg) => !arg.startsWith("-")) ?? ""}: ${err.trim() || whole.toString("utf8").trim()}`, {
            committed: "no",
          }),
        );
    });
  });
}

/** The output of git as a text without its last line break. */
export async function gitText(directory: string, args: readonly string[], asked: Asked = {}): Promise<string> {
  return (await git(directory, args, asked)).out.toString("utf8").replace(/\n$/, "");
}
