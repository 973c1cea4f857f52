/** What the survey does outside; every call leaves a line in a log, so that it can be counted. */
import { appendFileSync } from "node:fs";

interface Context {
  readonly call: string;
  readonly signal: AbortSignal;
}

const told = (call: string): void => appendFileSync("calls.log", `${call}\n`);

export async function read_part({ part }: { part: number }, { call }: Context): Promise<string> {
  told(call);
  await new Promise((resolve) => setTimeout(resolve, 60));
  return `Part ${part}: ${"words ".repeat(20 + part)}`;
}

export function publish({ text }: { text: string }, { call }: Context): string {
  told(call);
  return `published: ${text}`;
}
