/**
 * An MCP server that is a program: messages as lines on its input and output, in a process group that is ended with the
 * connection. The last lines that it wrote to its standard error are kept, for the message when something goes wrong.
 */
import { ReadBuffer, serializeMessage } from "@modelcontextprotocol/sdk/shared/stdio.js";
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js";
import { notStarted, signalGroup, startProgram } from "../tools/spawn.js";

export interface ProgramTransport extends Transport {
  /** The last lines of its standard error. */
  readonly lastWords: () => string;
  /** How the program ended; undefined while it runs. */
  readonly ended: () => string | undefined;
}

/** Characters of its standard error that are kept. */
const KEPT = 4_000;
/** How long a server may take to end once its input has ended, and once it was asked to. */
const PATIENCE_MS = 500;

export function programTransport(argv: readonly string[], cwd: string, env: Readonly<Record<string, string>>): ProgramTransport {
  const [program = ""] = argv;
  let child: ReturnType<typeof startProgram> | undefined;
  let words = "";
  let how: string | undefined;
  let gone: Promise<void> = Promise.resolve();
  const transport: ProgramTransport = {
    start: () =>
      new Promise((resolve, reject) => {
        const started = startProgram(argv, cwd, env);
        child = started;
        const buffer = new ReadBuffer();
        started.once("spawn", () => resolve());
        started.once("error", (error: NodeJS.ErrnoException) => reject(new Error(notStarted(error, program, cwd))));
        started.stderr.on("data", (part: Buffer) => {
          words = `${words}${part.toString("utf8")}`.slice(-KEPT);
        });
        started.stdout.on("data", (part: Buffer) => {
          try {
            buffer.append(part);
          } catch (thrown) {
            transport.onerror?.(thrown as Error);
            signalGroup(started, "SIGKILL");
            return;
          }
          for (;;) {
            try {
              const message = buffer.readMessage();
              if (message === null) return;
              transport.onmessage?.(message);
            } catch (thrown) {
              // A line that is no message, such as a greeting: servers should write those to their standard error.
              transport.onerror?.(thrown as Error);
            }
          }
        });
        gone = new Promise((over) => {
          started.once("close", (code, killedBy) => {
            how ??= code === null ? `was ended by ${killedBy ?? "a signal"}` : `ended with code ${code}`;
            signalGroup(started, "SIGKILL");
            over();
            transport.onclose?.();
          });
          started.once("error", () => over());
        });
        started.once("exit", (code, killedBy) => {
          how = code === null ? `was ended by ${killedBy ?? "a signal"}` : `ended with code ${code}`;
          signalGroup(started, "SIGTERM");
        });
      }),
    send: (message) =>
      new Promise((resolve, reject) => {
        if (child === undefined || how !== undefined || !child.stdin.writable) {
          reject(new Error(`${program} ${how ?? "does not run"}`));
          return;
        }
        if (child.stdin.write(serializeMessage(message))) resolve();
        else {
          const { stdin } = child;
          const go = (): void => {
            stdin.off("drain", go);
            stdin.off("close", go);
            resolve();
          };
          stdin.once("drain", go);
          stdin.once("close", go);
        }
      }),
    close: async () => {
      const running = child;
      if (running === undefined || how !== undefined) return gone;
      running.stdin.end();
      const timers = [
        setTimeout(() => signalGroup(running, "SIGTERM"), PATIENCE_MS),
        setTimeout(() => signalGroup(running, "SIGKILL"), PATIENCE_MS * 2),
      ];
      await gone;
      for (const timer of timers) clearTimeout(timer);
    },
    lastWords: () =>
      words
        .split("\n")
        .filter((line) => /[A-Za-z0-9]/.test(line) && !/^\s+at |^Node\.js v/.test(line))
        .slice(-5)
        .join("\n")
        .trimEnd(),
    ended: () => how,
  };
  return transport;
}
