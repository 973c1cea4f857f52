/**
 * Everything that happens in a run, once, in the past tense. The same union is the journal, the progress feed and the
 * record that tests look at. In memory an event is a small object; the schemas here validate journals and are not
 * loaded while a program runs (import types only).
 */
import * as z from "zod";
import type { TypeIR } from "../plan/ir.js";
import { failureKinds } from "./failure.js";

const path = z.string();
const json = z.unknown();
const failure = z.object({
  kind: z.enum(failureKinds),
  message: z.string(),
  call: z.string(),
  attempts: z.number(),
  committed: z.enum(["no", "yes", "unknown"]),
});
const spend = z.object({
  costUsd: z.number(),
  inputTokens: z.number(),
  outputTokens: z.number(),
  calls: z.number(),
  toolCalls: z.number(),
  reused: z.number(),
  /** Requests that used more than they had reserved, where there were any. */
  overran: z.number().optional(),
});
/** What one call used; absent where it used nothing that is counted. */
const bill = z.object({ costUsd: z.number(), inputTokens: z.number(), outputTokens: z.number(), requests: z.number() });
const callee = { callee: z.string(), of: z.enum(["agent", "tool", "flow", "capability", "channel"]) };
const region = z.enum(["map", "fork", "race", "vote", "loop", "reduce", "fold", "scope"]);
const stamp = { seq: z.number(), at: z.number() };

const of = <const K extends string, S extends z.ZodRawShape>(kind: K, shape: S) => z.object({ kind: z.literal(kind), ...stamp, ...shape });

export const runEvent = z.discriminatedUnion("kind", [
  of("run.started", { flow: z.string(), inputs: json, simulated: z.boolean(), seed: z.number(), replayed: z.boolean().optional() }),
  /** Carried on by another process, or after a pause; `time` is in milliseconds since 1970. */
  of("run.resumed", { time: z.number(), finished: z.number(), costUsd: z.number() }),
  /** Stopped where it was, to be resumed. */
  /** What stood after this part of the journal could not be read and was set aside. */
  of("run.mended", { reason: z.string() }),
  /** Somebody ended it for good: nothing new is started, and what can be undone is undone. */
  of("run.cancelling", { reason: z.string() }),
  of("run.paused", { reason: z.string(), spend, elapsedMs: z.number() }),
  of("run.waiting", { questions: z.array(path), spend, elapsedMs: z.number() }),
  of("run.completed", { value: json, spend, elapsedMs: z.number() }),
  of("run.failed", { failure, causes: z.array(failure), partial: json, spend, elapsedMs: z.number() }),
  of("run.cancelled", { reason: z.string(), spend, elapsedMs: z.number() }),
  of("call.started", { path, ...callee, args: json, guard: z.string().optional() }),
  /** In a journaled run: an attempt that has an effect or is counted by a budget is about to be made. */
  of("call.attempted", { path, attempt: z.number(), effect: z.boolean(), costUsd: z.number().optional() }),
  /** `run` is the other run that has the lock, where it is one that runs share. */
  of("call.queued", { path, for: z.enum(["parallel", "rate", "lock", "budget"]), run: z.string().optional() }),
  /** It has a lock that runs share, which it took from a run that gave no sign of life any more. */
  of("lock.taken_over", { path, run: z.string() }),
  /** Made otherwise than before: the inputs, or the parts of its definition, that differ. */
  of("call.changed", { path, because: z.array(z.string()), run: z.string().optional() }),
  /** `waitMs` is how long the next attempt waits, where there is one. */
  of("call.attempt_failed", { path, attempt: z.number(), failure, waitMs: z.number().optional() }),
  of("call.retried", { path, attempt: z.number(), waitedMs: z.number() }),
  of("call.fell_back", { path, to: z.string(), failure }),
  of("call.hedged", { path, afterMs: z.number() }),
  /** `run` is the other run that found it, `from` the call. */
  of("call.cached", { path, from: z.string(), run: z.string().optional() }),
  /** `run` is the other run that it was taken from; `from` the place of the call where that is gone. */
  of("call.reused", {
    path,
    ...callee,
    value: json,
    guard: z.string().optional(),
    run: z.string().optional(),
    from: z.string().optional(),
  }),
  of("call.completed", { path, ...callee, value: json, attempts: z.number(), elapsedMs: z.number(), bill: bill.optional() }),
  of("call.failed", { path, ...callee, failure, attempts: z.number(), elapsedMs: z.number(), bill: bill.optional() }),
  of("region.started", { path, region, size: z.number().optional() }),
  of("region.completed", { path, region, elapsedMs: z.number() }),
  of("region.failed", { path, region, failure, elapsedMs: z.number() }),
  of("item.completed", { path, index: z.number(), key: z.string() }),
  of("item.failed", { path, index: z.number(), key: z.string(), failure }),
  of("choice", {
    path,
    of: z.enum(["capability", "if", "match", "race", "model", "recover", "stop", "vote"]),
    chosen: z.string(),
    /** Of a capability: the id of what was chosen, and what speaks for and against each implementation, in order. */
    implementation: z.string().optional(),
    candidates: z.array(z.object({ name: z.string(), fits: z.boolean(), why: z.string() })).optional(),
    /** Of a vote: the runs that were counted. */
    runs: z.array(z.number()).optional(),
  }),
  /** `answer` says what is expected; `type` is that as a type of the graph, where it is a value. */
  of("question.asked", {
    path,
    question: z.string(),
    answer: z.string(),
    type: z.custom<TypeIR>((type) => typeof type === "object").optional(),
    deadline: z.number().optional(),
  }),
  /** An answer that did not fit: the question stays open. */
  of("question.refused", { path, why: z.string() }),
  of("question.answered", { path, value: json }),
  of("question.expired", { path }),
  of("undo.started", { path, size: z.number() }),
  of("undo.completed", { path, undone: z.number(), remaining: z.array(path) }),
  of("budget.opened", {
    path,
    caps: z.object({
      costUsd: z.number().optional(),
      tokens: z.number().optional(),
      calls: z.number().optional(),
      timeMs: z.number().optional(),
    }),
  }),
  of("budget.reserved", { path, account: z.string(), costUsd: z.number(), tokens: z.number() }),
  of("budget.settled", { path, account: z.string(), costUsd: z.number(), tokens: z.number(), released: z.number() }),
  of("budget.refused", {
    path,
    account: z.string(),
    dimension: z.enum(["cost", "tokens", "calls", "time"]),
    needed: z.number(),
    left: z.number(),
  }),
  of("budget.overran", {
    path,
    account: z.string(),
    costUsd: z.number(),
    tokens: z.number(),
    reservedUsd: z.number(),
    reservedTokens: z.number(),
  }),
  /** In a journaled run: a start that a rate counts. */
  of("rate.taken", { path, key: z.string(), tokens: z.number().optional() }),
  /** In a journaled run: failures in a row so far, 0 after a success. */
  of("breaker.counted", { path, callee: z.string(), failures: z.number() }),
  /** Ended early, or did without something, to stay within a budget. `after`: so many items, rounds, runs or turns. */
  of("budget.landed", {
    path,
    region: z.enum(["map", "fork", "race", "vote", "loop", "call", "agent"]),
    after: z.number(),
    message: z.string(),
  }),
  of("breaker.opened", { path, callee: z.string(), failures: z.number(), cooldownMs: z.number() }),
  of("breaker.probed", { path, callee: z.string() }),
  of("breaker.closed", { path, callee: z.string() }),
  of("model.requested", {
    path,
    model: z.string(),
    turn: z.number(),
    inputTokens: z.number(),
    prompt: z.string(),
    /** The worst case, which stays charged when nobody tells what was used. */
    reserved: z.object({ costUsd: z.number(), tokens: z.number() }),
  }),
  of("model.delta", { path, agent: z.string(), text: z.string() }),
  /** What a typed answer holds so far, for whoever watches: fields may be missing, texts and lists go on. */
  of("model.partial", { path, agent: z.string(), value: json }),
  of("model.answered", {
    path,
    model: z.string(),
    turn: z.number(),
    inputTokens: z.number(),
    outputTokens: z.number(),
    /** Parts of the input and of the output, where there are any. */
    cachedInputTokens: z.number().optional(),
    cacheWriteTokens: z.number().optional(),
    reasoningTokens: z.number().optional(),
    costUsd: z.number(),
    text: z.string(),
    attempt: z.number(),
    finish: z.enum(["stop", "length", "tools", "refused", "unknown"]),
    /** In a journaled run, what makes the answer reusable. */
    guard: z.string().optional(),
    toolCalls: json.optional(),
    flaw: z.string().optional(),
    replay: json.optional(),
  }),
  of("model.failed", {
    path,
    model: z.string(),
    turn: z.number(),
    failure,
    costUsd: z.number(),
    inputTokens: z.number(),
    outputTokens: z.number(),
  }),
  /** A prompt was too long for the model: a parameter was made shorter. Lengths are characters, or items of a list. */
  of("prompt.shrunk", { path, param: z.string(), how: z.enum(["truncate", "summarise"]), from: z.number(), to: z.number() }),
  of("answer.mended", { path, mends: z.array(z.string()) }),
  of("answer.rejected", { path, reasons: z.array(z.string()), repair: z.number() }),
  /** What changed in a worktree is about to be merged, under a key of its own; then it was. */
  of("worktree.merging", { path, key: z.string(), files: z.number() }),
  of("worktree.merged", { path, files: z.number() }),
  of("tool.log", { path, message: z.string() }),
  of("tool.emitted", { path, name: z.string(), data: json }),
  of("events.dropped", { count: z.number() }),
]);

export type RunEvent = z.infer<typeof runEvent>;
type WithoutStamp<E> = E extends unknown ? Omit<E, "seq" | "at"> : never;
/** An event before it has its number and time. */
export type NewEvent = WithoutStamp<RunEvent>;
export type SpendReport = z.infer<typeof spend>;
export type Bill = z.infer<typeof bill>;

/** What surrounds an event where it is written down. */
export const envelope = z.object({
  version: z.literal(1),
  run: z.string(),
  time: z.string(),
  trace: z.string(),
  span: z.string(),
  source: z.string(),
  elapsed: z.number(),
  tokens: z.number(),
  spend: z.number(),
  event: runEvent,
});
export type Envelope = z.infer<typeof envelope>;
