/**
 * Where a command writes: results to standard output, everything else to standard error. A closed pipe is no error:
 * what is written after it is dropped, and whoever asked is told. Colours and the live view need a terminal, and yield
 * to NO_COLOR and CI.
 */
import type { Writable } from "node:stream";

/** Exit codes of every command. */
export const EXIT = { done: 0, failed: 1, usage: 2, diagnostics: 3, budget: 4, waiting: 5, unrecorded: 6, interrupted: 130 } as const;
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

export interface Terminal {
  /** Writes results. */
  readonly out: (text: string) => void;
  /** Writes everything that is not a result. */
  readonly err: (text: string) => void;
  /** Whether standard error shows colours. */
  readonly color: boolean;
  /** Whether standard output shows colours. */
  readonly outColor: boolean;
  readonly width: number;
  /** Whether standard error can be redrawn. */
  readonly live: boolean;
  /** Whether a person can be asked. */
  readonly interactive: boolean;
  /** Calls back when nobody reads standard output any more. */
  readonly onClosed: (callback: () => void) => void;
}

/** The terminal of this process. */
export function terminal(): Terminal {
  const closed: (() => void)[] = [];
  let open = true;
  const broken = (error: unknown): void => {
    if (!isClosedPipe(error)) throw error;
    if (!open) return;
    open = false;
    for (const callback of closed) callback();
  };
  process.stdout.on("error", broken);
  process.stderr.on("error", broken);
  const env = process.env;
  const colorOf = (stream: { isTTY?: boolean }): boolean => {
    if (env["NO_COLOR"]) return false;
    if (env["FORCE_COLOR"]) return env["FORCE_COLOR"] !== "0";
    return stream.isTTY === true && env["TERM"] !== "dumb";
  };
  return {
    out: (text) => {
      if (open) process.stdout.write(text);
    },
    err: (text) => {
      process.stderr.write(text);
    },
    color: colorOf(process.stderr),
    outColor: colorOf(process.stdout),
    width: process.stderr.columns || 120,
    live: process.stderr.isTTY === true && env["TERM"] !== "dumb" && !env["CI"],
    interactive: process.stdin.isTTY === true && process.stderr.isTTY === true && !env["CI"],
    onClosed: (callback) => {
      closed.push(callback);
    },
  };
}

function isClosedPipe(error: unknown): boolean {
  return error instanceof Error && "code" in error && (error.code === "EPIPE" || error.code === "ERR_STREAM_DESTROYED");
}

/** Waits until both streams have passed on what was written. */
export async function drained(): Promise<void> {
  const flush = (stream: Writable): Promise<void> =>
    new Promise((done) => {
      if (stream.destroyed) done();
      else stream.write("", () => done());
    });
  await Promise.all([flush(process.stdout), flush(process.stderr)]);
}

const paint =
  (code: string) =>
  (text: string, on: boolean): string =>
    on ? `\u001b[${code}m${text}\u001b[0m` : text;

export const bold = paint("1");
export const dim = paint("2");
export const red = paint("31");
export const green = paint("32");
export const yellow = paint("33");
export const cyan = paint("36");
