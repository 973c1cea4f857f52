/**
 * What a model request is counted as, before it is sent: the one place where the bound and the admission at run time
 * agree on framing, on defaults, and on how much of earlier turns goes back to the model.
 */
import type { MediaKind, ModelIR } from "./ir.js";

/** Bytes of framing for one message. */
export const MESSAGE_BYTES = 16;
const DEFAULT_MAX_OUTPUT = 4_096;
const DEFAULT_TOKEN_FACTOR = 1;
const DEFAULT_OVERHEAD = 256;

/** Bytes of what asks for a repair: the reasons, and the sentence around them. */
export const REPAIR_BYTES = 2_000;
/** Bytes of a tool message that is no result: a refusal or a failure. */
export const TOOL_ERROR_BYTES = 1_000;
/** A turn that asks for more calls than are allowed, this many times over, is not carried out at all. */
export const REFUSED_CALLS = 4;
/** Bytes of a message that refuses one call more than are allowed. */
export const REFUSAL_BYTES = 128;
/** Bytes of what stands before the media of a tool's result. */
export const MEDIA_LABEL_BYTES = 96;
/** How often an attempt makes a parameter shorter, and in how many pieces a text is summarised. */
export const SHRINKS = 4;
export const SUMMARIES = 4;
/** Bytes of what asks for a summary of a piece. */
export const SUMMARY_BYTES = 400;
/** What an agent with tools is told before its last answer. */
export const LAST_TURN = "Answer now with what you have; no more tools can be used.";

/** Bytes of an answer that does not fit that are shown to the model again: what it wrote, as long as tokens usually are. */
export const quotedBytes = (maxOutput: number): number => 4 * maxOutput;
/** Bytes that a turn which asks for tools may have; one that is longer is not carried out. */
export const turnBytes = (maxOutput: number): number => 8 * maxOutput + 2_000;

/** Tokens of output that a request may have. */
export function outputLimit(model: ModelIR, wanted: number | undefined): number {
  return Math.min(wanted ?? Number.POSITIVE_INFINITY, model.maxOutput ?? DEFAULT_MAX_OUTPUT);
}

/** Tokens of input at most, for so many bytes. */
export function inputLimit(model: ModelIR, bytes: number): number {
  return Math.min(model.context ?? Number.POSITIVE_INFINITY, Math.ceil(tokenFactor(model) * bytes + overhead(model)));
}

/** What an image, a recording or a document counts as, in bytes of text; anything, where the model says nothing. */
export function mediaBytes(model: ModelIR, kind: MediaKind): number {
  const tokens = model.media?.[kind] ?? (model.provider === "sim" ? SIMULATED_MEDIA[kind] : Number.POSITIVE_INFINITY);
  return Math.ceil(tokens / tokenFactor(model));
}

const SIMULATED_MEDIA: Readonly<Record<MediaKind, number>> = { image: 1_600, audio: 10_000, document: 50_000 };

export const tokenFactor = (model: ModelIR): number => model.tokenFactor ?? DEFAULT_TOKEN_FACTOR;
export const overhead = (model: ModelIR): number => model.overhead ?? DEFAULT_OVERHEAD;

/** Nano-dollars of a token of input at the dearest cache class, and of a token of output. */
export function dearest(model: ModelIR): { readonly input: number; readonly output: number } {
  const { price } = model;
  if (price === undefined) return { input: 0, output: 0 };
  return { input: Math.max(price.input, price.cacheWrite ?? 0, price.cachedInput ?? 0) * 1000, output: price.output * 1000 };
}

/** Nano-dollars that each request costs, whatever is in it. */
export const perRequest = (model: ModelIR): number => (model.price?.request ?? 0) * 1e9;

/** Nano-dollars that a request costs at most. */
export function requestCost(model: ModelIR, input: number, output: number): number {
  const rate = dearest(model);
  return Math.ceil(input * rate.input + output * rate.output + perRequest(model));
}
