/**
 * What may stand between a run and the outside: a tape answers from what was recorded, writes down what is answered
 * now, or both. The runtime passes it every request to a model, through a provider of its own, and every call of a
 * tool; a question that a tape cannot answer is a miss, and a run that has one is stopped: nothing is made up.
 */
import type { ModelIR } from "../plan/ir.js";
import type { Span } from "../source/source.js";
import type { Clock } from "./clock.js";
import type { CallFailure } from "./failure.js";
import type { CompiledCallable } from "./machine.js";
import type { Models } from "./options.js";

/** Something that was asked for and is not on the tape. */
export interface Miss {
  readonly of: "agent" | "tool" | "person";
  /** Name of the agent or tool; the path of the question to a person. */
  readonly name: string;
  readonly path: string;
  /** What is missing, what is nearest to it, and what differs; lines for the user. */
  readonly reason: string;
}

export interface TapedCall {
  readonly callee: CompiledCallable;
  /** Checked arguments. */
  readonly args: Readonly<Record<string, unknown>>;
  readonly path: string;
  readonly attempt: number;
  readonly signal: AbortSignal;
  readonly clock: Clock;
  /** Whether nobody needs the result any more, although it is awaited. */
  readonly abandoned: () => boolean;
}

export interface TapedOutcome {
  readonly failed: CallFailure | undefined;
  readonly value: unknown;
}

export interface Tape {
  /** Answers come from the tape, so that keys, secrets and modules need not be there. */
  readonly replays: boolean;
  /** Nothing is asked for really. */
  readonly offline: boolean;
  /** Whether a tool is left alone: it does nothing outside of the run. */
  readonly leaves: (callee: CompiledCallable) => boolean;
  /** A provider that stands before the one of a model. */
  readonly provider: (model: ModelIR, from: Models["provider"]) => ReturnType<Models["provider"]>;
  /** How a call of a tool ends; `live` makes it really. */
  readonly call: (call: TapedCall, live: () => Promise<TapedOutcome>) => Promise<TapedOutcome>;
  /** Told each miss when it happens. */
  readonly onMiss: (listener: (miss: Miss) => void) => void;
  /** Misses since the last time. */
  readonly takeMisses: () => readonly Miss[];
  /** Remembers what was given so far; after a crash what was given since then can be given again. */
  readonly mark: () => void;
  readonly rewind: () => void;
  /** What else to tell of a miss: how to record it. */
  readonly remedy: string;
}

/** Where the callable of a miss is declared. */
export function spanOf(
  miss: Miss,
  graph: { readonly file: string; readonly agents: Readonly<Record<string, Named>>; readonly tools: Readonly<Record<string, Named>> },
): Span {
  const all = miss.of === "agent" ? graph.agents : miss.of === "tool" ? graph.tools : {};
  return Object.values(all).find((each) => each.name === miss.name)?.span ?? { file: graph.file, start: 0, end: 0 };
}

interface Named {
  readonly name: string;
  readonly span: Span;
}
