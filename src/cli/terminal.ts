/**
 * Where a command writes: results to standard output, everything else to standard error. A closed pipe is no error:
 * what is written after it is dropped, and whoever asked is told. Colours and the live view need a terminal, and yield
 * to NO_COLOR and CI.
 */
import { fstatSync, writeSync } from "node:fs";
import type { Writable } from "node:stream";
import { codeOf } from "../host/files.js";

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

/** One of the two ways out of the process. */
interface Outlet {
  readonly write: (text: string) => void;
  readonly isTTY: boolean;
  readonly columns: number | undefined;
}

/** What opens Node's own streams, and those that are open. */
const openers: (() => void)[] = [];
const opened: Writable[] = [];

/**
 * A file or a pipe is written to at once: Node's own stream loads all that a network needs, a tenth of a small check. A
 * terminal needs that stream, a pipe of Windows too, and whoever must not wait for a slow reader: see `doNotWait`.
 */
function outlet(fd: 1 | 2, broken: (error: unknown) => void): Outlet {
  let stream: NodeJS.WriteStream | undefined;
  const open = (): void => {
    if (stream !== undefined) return;
    stream = fd === 1 ? process.stdout : process.stderr;
    stream.on("error", broken);
    opened.push(stream);
  };
  if (process.platform === "win32" || fstatSync(fd).isCharacterDevice()) open();
  else openers.push(open);
  const write = (text: string): void => {
    if (stream !== undefined) {
      stream.write(text);
      return;
    }
    try {
      writeAll(fd, Buffer.from(text));
    } catch (error) {
      broken(error);
    }
  };
  return { write, isTTY: stream?.isTTY === true, columns: stream?.columns };
}

/** Writes everything, however full the pipe is. */
function writeAll(fd: number, bytes: Buffer): void {
  for (let at = 0; at < bytes.length; ) {
    try {
      at += writeSync(fd, bytes, at);
    } catch (error) {
      if (codeOf(error) !== "EAGAIN") throw error;
      // Somebody made the pipe one that does not let a writer wait.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
    }
  }
}

/** From here on nothing waits for whoever reads the output: a run goes on, and the modules of its tools may print too. */
export function doNotWait(): void {
  for (const open of openers.splice(0)) open();
}

/** The terminal of this process. */
export function terminal(): Terminal {
  const closed: (() => void)[] = [];
  let open = true;
  const broken = (error: unknown): void => {
    if (!["EPIPE", "ERR_STREAM_DESTROYED"].includes(codeOf(error) ?? "")) throw error;
    if (!open) return;
    open = false;
    for (const callback of closed) callback();
  };
  const out = outlet(1, broken);
  const err = outlet(2, broken);
  const env = process.env;
  const colorOf = ({ isTTY }: Outlet): boolean => {
    if (env["NO_COLOR"]) return false;
    if (env["FORCE_COLOR"]) return env["FORCE_COLOR"] !== "0";
    return isTTY && env["TERM"] !== "dumb";
  };
  return {
    out: (text) => {
      if (open) out.write(text);
    },
    err: err.write,
    color: colorOf(err),
    outColor: colorOf(out),
    width: err.columns || 120,
    live: err.isTTY && env["TERM"] !== "dumb" && !env["CI"],
    // Standard input is not opened where nobody could be asked.
    interactive: err.isTTY && !env["CI"] && process.stdin.isTTY === true,
    onClosed: (callback) => {
      if (open) closed.push(callback);
      else callback();
    },
  };
}

/** Waits until everything that was written has been passed on. */
export async function drained(): Promise<void> {
  const flush = (stream: Writable): Promise<void> =>
    new Promise((done) => {
      if (stream.destroyed) done();
      else stream.write("", () => done());
    });
  await Promise.all(opened.map(flush));
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
