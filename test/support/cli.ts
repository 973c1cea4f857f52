/** The real command line as a process of its own, with nothing of this one's environment that could change what it prints. */
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { onTestFinished } from "vitest";

export const root = join(import.meta.dirname, "..", "..");

export interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

export interface Started {
  readonly ended: Promise<Ended>;
  /** Resolves when standard error holds a text. */
  readonly said: (text: string) => Promise<void>;
  readonly signal: (name: NodeJS.Signals) => void;
  /** Closes the reading end of standard output. */
  readonly stopReading: () => void;
}

export interface Start {
  readonly cwd?: string;
  readonly input?: string | Buffer;
  readonly env?: Readonly<Record<string, string>>;
}

/** Starts the command line. */
export function start(args: readonly string[], { cwd = root, input, env = {} }: Start = {}): Started {
  const child = spawn(process.execPath, [join(root, "bin", "weave.js"), ...args], {
    cwd,
    env: { PATH: process.env["PATH"] ?? "", HOME: process.env["HOME"] ?? "", CI: "1", ...env },
    stdio: "pipe",
  });
  let out = "";
  let err = "";
  const listeners = new Set<() => void>();
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    out += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    err += text;
    for (const listener of listeners) listener();
  });
  child.stdin.on("error", () => {
    // The command may end before it has read everything.
  });
  child.stdin.end(input ?? "");
  return {
    ended: new Promise((done, fail) => {
      child.on("error", fail);
      child.on("close", (code) => done({ code, out, err }));
    }),
    said: (text) =>
      new Promise((done) => {
        const look = (): void => {
          if (!err.includes(text)) return;
          listeners.delete(look);
          done();
        };
        listeners.add(look);
        look();
      }),
    signal: (name) => {
      child.kill(name);
    },
    stopReading: () => {
      child.stdout.destroy();
    },
  };
}

/** Runs the command line to its end. */
export function weave(args: readonly string[], options: Start = {}): Promise<Ended> {
  return start(args, options).ended;
}

/** A folder with files, removed after the test. */
export function project(files: Readonly<Record<string, string | Buffer>>): string {
  const folder = mkdtempSync(join(tmpdir(), "weave-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  return folder;
}
