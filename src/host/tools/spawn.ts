/**
 * Running programs: always an argument list, never a shell; a small environment; output bounded. A program runs in a
 * process group of its own, which is ended with the call, and with this process whatever ends it in an orderly way.
 */
import { isUtf8 } from "node:buffer";
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
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
  /** Whether what it wrote was UTF-8; other bytes are replaced in `out`. */
  readonly isText: boolean;
  readonly out: string;
  /** The same of its standard error. */
  readonly isErrText: boolean;
  readonly err: string;
}

const mostOutput = 16 * 1024 * 1024;
/** Time to end in an orderly way before it is killed. */
const killAfterMs = 2_000;
/** What a program inherits; everything else must be given to it. */
const inherited = ["PATH", "HOME", "USER", "LANG", "LC_ALL", "TZ", "TMPDIR", "TEMP", "TMP", "SystemRoot", "PATHEXT", "SHELL", "TERM"];

/** Programs that run now, so that none outlives this process. */
const alive = new Set<ChildProcessWithoutNullStreams>();
let watching = false;

/** Starts a program in a group of its own, with what it inherits and the given variables. */
export function startProgram(argv: readonly string[], cwd: string, variables: Readonly<Record<string, string>>) {
  const [program = "", ...args] = argv;
  const env: Record<string, string> = {};
  for (const name of inherited) {
    const value = process.env[name];
    if (value !== undefined) env[name] = value;
  }
  const child = spawn(program, args, {
    cwd,
    env: { ...env, ...variables },
    shell: false,
    detached: process.platform !== "win32",
    stdio: ["pipe", "pipe", "pipe"],
  });
  // A program may end without reading all of its input.
  child.stdin.on("error", () => undefined);
  if (!watching) {
    watching = true;
    process.once("exit", () => {
      for (const each of alive) signalGroup(each, "SIGKILL");
    });
  }
  alive.add(child);
  child.once("close", () => alive.delete(child));
  child.once("error", () => alive.delete(child));
  return child;
}

/** Signals a program and everything it started. */
export function signalGroup(child: ChildProcessWithoutNullStreams, kind: NodeJS.Signals): void {
  const { pid } = child;
  if (pid === undefined) return;
  try {
    if (process.platform === "win32") child.kill(kind);
    else process.kill(-pid, kind);
  } catch {
    // It has ended already.
  }
}

/** Why a program could not be started. */
export function notStarted(error: NodeJS.ErrnoException, program: string, cwd: string): string {
  if (error.code === "ENOENT") return `there is no program ${program}, or no folder ${cwd}`;
  if (error.code === "E2BIG")
    return `the arguments of ${program} are longer than this system allows; pass long texts on its standard input`;
  return error.code === "EACCES" ? `${program} may not be run` : error.message;
}

export function runProgram(spawning: Spawning): Promise<Finished> {
  const { argv, signal } = spawning;
  const [program] = argv;
  if (program === undefined || program === "") return Promise.reject(failure("tool_error", "no program was named"));
  if ([...argv, spawning.cwd, ...Object.values(spawning.env)].some((part) => part.includes("\0")))
    return Promise.reject(
      failure("tool_error", "an argument, folder or variable of a program cannot hold a zero byte", { committed: "no" }),
    );
  if (signal.aborted) return Promise.reject(failure("cancelled", "the program was not started"));
  return new Promise((resolve, reject) => {
    let child: ChildProcessWithoutNullStreams;
    try {
      child = startProgram(argv, spawning.cwd, spawning.env);
    } catch (thrown) {
      reject(failure("tool_error", notStarted(thrown as NodeJS.ErrnoException, program, spawning.cwd), { committed: "no" }));
      return;
    }
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    let size = 0;
    let tooMuch = false;
    let killTimer: NodeJS.Timeout | undefined;
    const onAbort = (): void => {
      signalGroup(child, "SIGTERM");
      killTimer ??= setTimeout(() => signalGroup(child, "SIGKILL"), killAfterMs);
    };
    signal.addEventListener("abort", onAbort, { once: true });
    const collect = (into: Buffer[]) => (part: Buffer) => {
      size += part.length;
      if (size > mostOutput) {
        tooMuch = true;
        signalGroup(child, "SIGKILL");
      } else into.push(part);
    };
    child.stdout.on("data", collect(out));
    if (spawning.onOut !== undefined) child.stdout.on("data", spawning.onOut);
    child.stderr.on("data", collect(err));
    child.stdin.end(spawning.input ?? "");
    const over = (): void => {
      clearTimeout(killTimer);
      signal.removeEventListener("abort", onAbort);
    };
    child.on("error", (error: NodeJS.ErrnoException) => {
      over();
      reject(failure("tool_error", notStarted(error, program, spawning.cwd), { committed: "no" }));
    });
    // What it left running in its group has no use for anybody once it has ended itself.
    child.on("exit", () => signalGroup(child, "SIGTERM"));
    child.on("close", (code, killedBy) => {
      over();
      signalGroup(child, "SIGKILL");
      if (tooMuch) reject(failure("tool_error", `${program} wrote more than ${mostOutput / 1024 / 1024} MB`, { committed: "unknown" }));
      else if (signal.aborted) reject(failure("cancelled", `${program} was ended`, { committed: "unknown" }));
      else if (code === null) reject(failure("tool_error", `${program} was ended by ${killedBy ?? "a signal"}`, { committed: "unknown" }));
      else {
        const bytes = Buffer.concat(out);
        const told = Buffer.concat(err);
        resolve({ code, isText: isUtf8(bytes), out: bytes.toString("utf8"), isErrText: isUtf8(told), err: told.toString("utf8") });
      }
    });
  });
}
