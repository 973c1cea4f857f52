/**
 * Errors that belong to no call: a tool that throws in a timer, a promise that nobody awaits, a call of `process.exit`.
 * They end the command with a sentence, never with a stack; while a flow runs, it is cancelled first.
 */
import { writeSync } from "node:fs";
import { thrownMessage } from "../runtime/failure.js";
import { EXIT, type Terminal } from "./terminal.js";

let during: ((message: string) => void) | undefined;
let over = false;

/** From here on nothing is told by the platform any more. */
export function catchStrays(to: Terminal): void {
  const stray = (thrown: unknown): void => {
    const message = thrownMessage(thrown);
    if (during !== undefined) {
      during(message);
      return;
    }
    to.err(`weave: ${message}\n`);
    finished();
    process.exit(EXIT.failed);
  };
  process.on("uncaughtException", stray);
  process.on("unhandledRejection", stray);
  process.on("exit", () => {
    if (over) return;
    process.exitCode = EXIT.failed;
    // Streams are not written any more here.
    writeSync(2, "weave: something ended the process before the command was done, such as a tool that calls `process.exit`\n");
  });
}

/** What is to be done about strays until the returned function is called. */
export function onStray(handler: (message: string) => void): () => void {
  during = handler;
  return () => {
    during = undefined;
  };
}

/** The process may end now. */
export function finished(): void {
  over = true;
}
