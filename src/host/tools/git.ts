/** The module `std/git`: the repository of the working directory, through the `git` program. */
import { failure } from "../../runtime/failure.js";
import type { ToolContext, ToolFunction } from "../../runtime/tool.js";
import { runProgram } from "./spawn.js";

const states: Readonly<Record<string, string>> = {
  "?": "untracked",
  A: "added",
  M: "modified",
  T: "modified",
  D: "deleted",
  R: "renamed",
  C: "added",
  U: "conflicted",
};

export function gitTools(directory: string): Readonly<Record<string, ToolFunction>> {
  async function git(context: ToolContext, args: readonly string[], input?: string): Promise<string> {
    const { code, out, err } = await runProgram({
      argv: ["git", ...args],
      cwd: directory,
      input,
      env: { GIT_TERMINAL_PROMPT: "0" },
      signal: context.signal,
    });
    if (code !== 0) throw failure("tool_error", `git ${args[0] ?? ""}: ${(err || out).trim().slice(0, 600)}`, { committed: "no" });
    return out;
  }
  /** A revision that git cannot take for an option. */
  const revision = (value: unknown): string => {
    if (String(value).startsWith("-")) throw failure("tool_error", `${String(value)} is no revision`);
    return String(value);
  };
  return {
    diff: ({ from, to, path }, context) =>
      git(context, ["diff", revision(from), ...(to === null ? [] : [revision(to)]), "--", ...(path === null ? [] : [String(path)])]),
    log: async ({ limit, path }, context) => {
      const out = await git(context, [
        "log",
        `-n${String(limit)}`,
        "--format=%H%x1f%an%x1f%aI%x1f%s",
        "--",
        ...(path === null ? [] : [String(path)]),
      ]);
      return out
        .split("\n")
        .filter((line) => line !== "")
        .map((line) => {
          const [id = "", author = "", date = "", subject = ""] = line.split("\x1f");
          return { id, author, date, subject };
        });
    },
    status: async (_args, context) => {
      const parts = (await git(context, ["status", "--porcelain=v1", "-z", "--untracked-files=all"])).split("\0");
      const found: { path: string; state: string }[] = [];
      for (let i = 0; i < parts.length; i++) {
        const part = parts[i] ?? "";
        if (part === "") continue;
        const marks = part.slice(0, 2);
        const conflict = /U|AA|DD/.test(marks);
        found.push({ path: part.slice(3), state: conflict ? "conflicted" : (states[marks.trim().charAt(0)] ?? "modified") });
        // A renamed file is followed by its old name.
        if (/[RC]/.test(marks)) i++;
      }
      return found;
    },
    commit: async ({ message, paths }, context) => {
      const chosen = (paths as readonly unknown[]).map(String);
      await git(context, ["add", ...(chosen.length === 0 ? ["-A"] : ["--", ...chosen])]);
      await git(context, ["commit", "-q", "-m", String(message), ...(chosen.length === 0 ? [] : ["--", ...chosen])]);
      return (await git(context, ["rev-parse", "HEAD"])).trim();
    },
    apply: async ({ patch }, context) => {
      await git(context, ["apply", "--whitespace=nowarn", "-"], String(patch));
      return null;
    },
  };
}
