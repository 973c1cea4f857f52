/**
 * Running programs: always an argument list, never a shell; output bounded; the program and everything it started are
 * killed when the call is aborted.
 */
import { spawn } from "node:child_process";
import { failure } from "../../runtime/failure.js";

export interface Spawning {
  readonly argv: readonly string[];
  readonly cwd: string;
  readonly input: string | undefined;
  readonly env: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
  /** Told what it prints, while it prints it. */
  readonly onOut?: (part: Uint8Array) => void;
}

export interface Finished {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

const mostOutput = 16 * 1024 * 1024;
/** Time to end in an orderly way before it is killed. */
const killAfterMs = 2_000;
/** What a program inherits; everything else must be given to it. */
const inherited = ["PATH", "HOME", "USER", "LANG", "LC_ALL", "TZ", "TMPDIR", "TEMP", "TMP", "SystemRoot", "PATHEXT", "SHELL", "TERM"];

export function runProgram(spawning: Spawning): Promise<Finished> {
  const { argv, signal } = spawning;
  const [program, ...args] = argv;
  if (program === undefined || program === "") return Promise.reject(failure("tool_error", "no program was named"));
  if (signal.aborted) return Promise.reject(failure("cancelled", "the program was not started"));
  return new Promise((resolve, reject) => {
    const env: Record<string, string> = {};
    for (const name of inherited) {
      const value = process.env[name];
      if (value !== undefined) env[name] = value;
    }
    // A group of its own, so that what it starts can be ended with it.
    const child = spawn(program, args, {
      cwd: spawning.cwd,
      env: { ...env, ...spawning.env },
      shell: false,
      detached: process.platform !== "win32",
      stdio: ["pipe", "pipe", "pipe"],
    });
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    let size = 0;
    let tooMuch = false;
    let killTimer: NodeJS.Timeout | undefined;

    const end = (kind: NodeJS.Signals): void => {
      const { pid } = child;
      if (pid === undefined) return;
      try {
        if (process.platform === "win32") child.kill(kind);
        else process.kill(-pid, kind);
      } catch {
        // It has ended already.
      }
    };
    const onAbort = (): void => {
      end("SIGTERM");
      killTimer ??= setTimeout(() => end("SIGKILL"), killAfterMs);
    };
    signal.addEventListener("abort", onAbort, { once: true });
    const collect = (into: Buffer[]) => (part: Buffer) => {
      size += part.length;
      if (size > mostOutput) {
        tooMuch = true;
        end("SIGKILL");
      } else into.push(part);
    };
    child.stdout.on("data", collect(out));
    if (spawning.onOut !== undefined) child.stdout.on("data", spawning.onOut);
    child.stderr.on("data", collect(err));
    // A program may end without reading all of its input.
    child.stdin.on("error", () => undefined);
    child.stdin.end(spawning.input ?? "");
    const over = (): void => {
      clearTimeout(killTimer);
      signal.removeEventListener("abort", onAbort);
    };
    child.on("error", (error: NodeJS.ErrnoException) => {
      over();
      const reason =
        error.code === "ENOENT"
          ? `there is no program ${program}, or no folder ${spawning.cwd}`
          : error.code === "EACCES"
            ? `${program} may not be run`
            : error.message;
      reject(failure("tool_error", reason));
    });
    child.on("close", (code, killedBy) => {
      over();
      if (tooMuch) reject(failure("tool_error", `${program} wrote more than ${mostOutput / 1024 / 1024} MB`, { committed: "unknown" }));
      else if (signal.aborted) reject(failure("cancelled", `${program} was ended`, { committed: "unknown" }));
      else if (code === null) reject(failure("tool_error", `${program} was ended by ${killedBy ?? "a signal"}`, { committed: "unknown" }));
      else resolve({ code, out: Buffer.concat(out).toString("utf8"), err: Buffer.concat(err).toString("utf8") });
    });
  });
}
