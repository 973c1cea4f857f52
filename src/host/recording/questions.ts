/**
 * What a recording holds: questions (to a model, of a tool, to a person) and how each was answered. A question is known
 * by what was asked; where the same thing was asked several times, each answer knows the place it was asked from. What
 * must not be kept in clear is hashed or masked before it becomes part of a question.
 */
import type { FailureKind } from "../../runtime/failure.js";
import { canonical } from "../../runtime/hash.js";
import type { Message, ModelAnswer, ModelRequest, ToolCallRequest, Usage } from "../../runtime/provider.js";
import { scrubber } from "../../runtime/scrub.js";
import { isPlain } from "../../runtime/values.js";
import { sha256 } from "../sha256.js";

export type QuestionKind = "agent" | "tool" | "person";

export interface RecordedFailure {
  readonly kind: FailureKind;
  readonly message: string;
  readonly committed?: "no" | "yes" | "unknown";
  readonly retryAfterMs?: number;
}

/** Undefined: nothing was used. */
export type RecordedUsage = Usage | "unknown" | undefined;

export type Outcome =
  | {
      readonly kind: "answer";
      readonly text: string;
      readonly toolCalls: readonly ToolCallRequest[];
      readonly finish: ModelAnswer["finish"];
      readonly flaw?: string;
      readonly replay?: unknown;
      readonly usage: RecordedUsage;
      readonly costUsd?: number;
      /** Made up by the simulator. */
      readonly simulated?: boolean;
    }
  | { readonly kind: "value"; readonly value: unknown }
  | { readonly kind: "failure"; readonly failure: RecordedFailure; readonly usage: RecordedUsage }
  /** Given up before it ended, after so many milliseconds. */
  | { readonly kind: "unanswered"; readonly afterMs: number }
  /** It holds what no recording may hold. */
  | { readonly kind: "withheld" };

export interface Answer {
  /** The place that asked; undefined in a recording written by hand. */
  readonly at: string | undefined;
  /** Undefined while it is being asked for. */
  outcome: Outcome | undefined;
  /** Milliseconds until it was there; undefined counts as none. */
  tookMs: number | undefined;
  /** The next turn of the same conversation: what was sent after this answer, and the answer to that. */
  next: { readonly sent: readonly ShortMessage[]; readonly question: Question; readonly answer: Answer } | undefined;
}

/** What is asked with every question of an agent. Without a model it was written by hand and stands for any. */
export interface Base {
  readonly model?: Readonly<Record<string, unknown>>;
  readonly system?: string;
  readonly schema?: unknown;
  readonly tools?: readonly unknown[];
}

export interface Question {
  readonly kind: QuestionKind;
  /** Of the agent or tool; empty for a person. */
  readonly name: string;
  readonly base: Base;
  /** Messages, arguments or text. */
  readonly asked: unknown;
  /** Of arguments that hold redacted parts. */
  readonly hash?: string;
  readonly answers: Answer[];
}

/** Messages as they are written down. */
export type ShortMessage =
  /** `media` has a hash for each image, recording and document, or its address. */
  | { readonly user: string; readonly media?: readonly string[] }
  | { readonly assistant: string; readonly calls?: readonly ShortCall[]; readonly replay?: unknown }
  | { readonly tool: string; readonly call: string; readonly text: string; readonly failed?: true };

export interface ShortCall {
  readonly id: string;
  readonly tool: string;
  readonly arguments: unknown;
  readonly invalid?: string;
}

export const shortCall = ({ id, name, arguments: args, invalid }: ToolCallRequest): ShortCall => ({
  id,
  tool: name,
  arguments: args,
  ...(invalid === undefined ? {} : { invalid }),
});

export const longCall = ({ id, tool, arguments: args, invalid }: ShortCall): ToolCallRequest => ({
  id,
  name: tool,
  arguments: args,
  ...(invalid === undefined ? {} : { invalid }),
});

/** The hashes of what messages show beside their texts. */
export type Shown = ReadonlyMap<Message, readonly string[]>;

function shortMessage(message: Message, shown: Shown = new Map()): ShortMessage {
  switch (message.role) {
    case "user": {
      const media = shown.get(message);
      return { user: message.text, ...(media === undefined ? {} : { media }) };
    }
    case "assistant":
      return {
        assistant: message.text,
        ...(message.toolCalls.length === 0 ? {} : { calls: message.toolCalls.map(shortCall) }),
        ...(message.replay === undefined ? {} : { replay: message.replay }),
      };
    case "tool":
      return { tool: message.name, call: message.callId, text: message.text, ...(message.failed ? { failed: true as const } : {}) };
    default:
      return message satisfies never;
  }
}

/** What an answer looks like when it is sent back with the next turn. */
export function echo(outcome: Outcome | undefined): ShortMessage | undefined {
  if (outcome?.kind !== "answer") return undefined;
  return shortMessage({ role: "assistant", text: outcome.text, toolCalls: outcome.toolCalls, replay: outcome.replay });
}

/** What a question is found by; the rest of it must then agree. */
export function keyOf({ kind, name, asked, hash }: Pick<Question, "kind" | "name" | "asked" | "hash">): string {
  return `${kind} ${kind === "tool" ? name : ""} ${hash ?? canonical(asked)}`;
}

/** The same question without what it shows; undefined where it shows nothing. */
export function unshown(question: Omit<Question, "answers">): Omit<Question, "answers"> | undefined {
  if (question.kind !== "agent") return undefined;
  const messages = question.asked as readonly ShortMessage[];
  if (!messages.some((message) => "user" in message && message.media !== undefined)) return undefined;
  return { ...question, asked: messages.map((message) => ("user" in message ? { user: message.user } : message)) };
}

/** Whether two questions ask the same on the same terms; one that was written by hand without a model stands for any. */
export function sameTerms(recorded: Base, asked: Base): boolean {
  return recorded.model === undefined || canonical(recorded) === canonical(asked);
}

export const sha = (text: string): string => `sha256:${sha256(text)}`;

/** The question that a request to a model is; `clean` takes out what must not be written down. */
export function modelQuestion(request: ModelRequest, shown: Shown, clean: <T>(value: T) => T): Omit<Question, "answers"> {
  const { model, system, schema, tools, temperature, maxOutput, hidden } = request;
  const hide = hidden?.prompt === true;
  const messages = clean(request.messages.map((message) => shortMessage(message, shown)));
  const cleanSystem = clean(system);
  const base: Base = {
    model: {
      provider: model.provider ?? "",
      name: model.model ?? "",
      ...(request.command === undefined ? {} : { command: clean(request.command.argv) }),
      ...(temperature === undefined ? {} : { temperature }),
      max_output: maxOutput,
      ...(Object.keys(model.options).length === 0 ? {} : { options: model.options }),
    },
    ...(cleanSystem === undefined ? {} : { system: hide ? sha(cleanSystem) : cleanSystem }),
    ...(schema === undefined ? {} : { schema }),
    ...(tools.length === 0
      ? {}
      : {
          tools: tools.map(({ name, description, parameters }) => ({ name, ...(description === "" ? {} : { description }), parameters })),
        }),
  };
  return { kind: "agent", name: request.agent, base, asked: hide ? [{ user: sha(canonical(messages)) }] : messages };
}

const HIDDEN = "[redacted]";

/** Values that are masked wherever they stand: those of secrets, and what looks like a key. */
export function cleaner(secrets: readonly string[]): <T>(value: T) => T {
  const known = new Set(secrets.filter((secret) => secret !== ""));
  const scrub = scrubber(known);
  const text = (value: string): string => (known.has(value) ? HIDDEN : scrub.text(value));
  const any = (value: unknown): unknown => {
    if (typeof value === "string") return text(value);
    if (Array.isArray(value)) return value.map(any);
    if (!isPlain(value)) return value;
    return Object.fromEntries(Object.entries(value).map(([name, of]) => [name, any(of)]));
  };
  return <T>(value: T): T => any(value) as T;
}
