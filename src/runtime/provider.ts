/**
 * What stands between an agent and a model. A provider sends one request and gives back one answer with its usage; it
 * throws a failure (`kind`, `message`, `retryAfterMs`, and `usage` where it is known what was used before it failed, or
 * `usageUnknown: true` where something was used and nobody said how much: that is charged in full).
 */
import type { Json, MediaKind, ModelIR, TypeIR } from "../plan/ir.js";
import type { Reference } from "../plan/references.js";
import type { Clock } from "./clock.js";

export interface ToolCallRequest {
  readonly id: string;
  readonly name: string;
  readonly arguments: unknown;
  /** Why the arguments could not be read; they are then the text that came. */
  readonly invalid?: string;
}

/** A part of a message: a text, or a medium as a program has it (a path, an address, or its bytes). */
export type UserPart =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "media"; readonly of: MediaKind; readonly value: unknown };

export type Message =
  /** `parts` where there is more than text; `text` then shows them in words. */
  | { readonly role: "user"; readonly text: string; readonly parts?: readonly UserPart[] }
  /** `replay` is what the provider gave with its answer. */
  | { readonly role: "assistant"; readonly text: string; readonly toolCalls: readonly ToolCallRequest[]; readonly replay?: unknown }
  | { readonly role: "tool"; readonly callId: string; readonly name: string; readonly text: string; readonly failed: boolean };

export interface ToolDescription {
  readonly name: string;
  readonly description: string;
  readonly parameters: Json;
  readonly parameterTypes: readonly { readonly name: string; readonly type: TypeIR; readonly optional: boolean }[];
}

/** How far the beginnings of an agent's requests are the same: its tools always are. */
export interface Repeated {
  readonly system: boolean;
  /** Messages from the first on. */
  readonly messages: number;
  /** Of the message after them, its first characters. */
  readonly head: number;
}

export interface ModelRequest {
  readonly model: ModelIR;
  readonly agent: string;
  /** Stable path of the call, with vote runs: what a simulator is seeded by. */
  readonly path: string;
  readonly attempt: number;
  readonly turn: number;
  readonly seed: number;
  readonly system: string | undefined;
  readonly messages: readonly Message[];
  /** What of the beginning is the same in every call of the agent, for prompt caches. */
  readonly repeated?: Repeated | undefined;
  /** The JSON Schema of the answer; undefined where text is wanted. */
  readonly schema: Json | undefined;
  readonly answer: TypeIR;
  readonly types: Readonly<Record<string, TypeIR>>;
  /** How records of a list in the answer name each other. */
  readonly references?: readonly Reference[] | undefined;
  /** Told in every turn; in the last one (`limits.turns` is 0) they may not be called. */
  readonly tools: readonly ToolDescription[];
  readonly temperature: number | undefined;
  readonly maxOutput: number;
  /** Upper bound of the input's tokens. */
  readonly inputBound: number;
  /** What of it must not be written down. */
  readonly hidden?: { readonly prompt: boolean; readonly answer: boolean };
  readonly apiKey: unknown;
  readonly baseUrl: unknown;
  /** The program of a model that is one, with what of the environment it is given, and what of that nobody may see. */
  readonly command?:
    | { readonly argv: readonly string[]; readonly env: Readonly<Record<string, string>>; readonly secrets: readonly string[] }
    | undefined;
  /** Tool calls that one turn may ask for, turns that are left after this one, repairs that are left. */
  readonly limits: { readonly calls: number; readonly turns: number; readonly repairs: number };
}

export interface Usage {
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly cachedInputTokens?: number;
  readonly cacheWriteTokens?: number;
  /** Part of the output. */
  readonly reasoningTokens?: number;
  /** US dollars, where the other side says what it cost. */
  readonly costUsd?: number;
}

export interface ModelAnswer {
  readonly text: string;
  readonly toolCalls: readonly ToolCallRequest[];
  /** Undefined where the other side did not say. */
  readonly usage: Usage | undefined;
  /** `unknown` where the other side does not say that the answer is whole. */
  readonly finish: "stop" | "length" | "tools" | "refused" | "unknown";
  /** What went wrong with an answer that is none, in words for the model. */
  readonly flaw?: string;
  /** JSON that the provider wants to see again with this answer in later turns: reasoning, signatures. */
  readonly replay?: unknown;
}

export interface RequestContext {
  /** Made when it is first read. */
  readonly signal: AbortSignal;
  /** Sets what is told when the answer is no longer wanted, at once where it is not any more. */
  readonly onAbort: (then: () => void) => void;
  readonly clock: Clock;
  /** Whether nobody needs the answer any more, although it is awaited. */
  readonly abandoned?: () => boolean;
  readonly onDelta: (text: string) => void;
  /** The folder of the worktree that the call works in; undefined in the folder of the run. */
  readonly directory?: string | undefined;
}

export interface Provider {
  readonly name: string;
  readonly simulated: boolean;
  /** Its time is the clock's, so virtual time may go on while it works. */
  readonly timed: boolean;
  readonly ask: (request: ModelRequest, context: RequestContext) => Promise<ModelAnswer>;
}
