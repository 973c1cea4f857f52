/**
 * A recording in memory and the tapes that use it. A tape replays, records, or does both: what is there is replayed and
 * the rest asked for really. Several tapes may share a recording, as the tests of a file do; what two of them miss at
 * once is asked for once. An answer is given at most once by each tape: to the place that it was recorded for, else to
 * the first that asks.
 */
import type { ModelIR } from "../../plan/ir.js";
import type { Asker } from "../../runtime/ask.js";
import type { Clock } from "../../runtime/clock.js";
import type { RunEvent } from "../../runtime/events.js";
import { type CallFailure, failure } from "../../runtime/failure.js";
import { canonical } from "../../runtime/hash.js";
import type { CompiledCallable } from "../../runtime/machine.js";
import type { Message, ModelAnswer, ModelRequest, Provider, RequestContext } from "../../runtime/provider.js";
import type { Miss, Tape, TapedCall, TapedOutcome } from "../../runtime/tape.js";
import type { FileOptions } from "../tools/files.js";
import { answerOutcome, failedOutcome, failureOf, pass, type Waiting } from "./outcomes.js";
import {
  type Answer,
  cleaner,
  echo,
  keyOf,
  modelQuestion,
  type Outcome,
  type Question,
  type ShortMessage,
  type Shown,
  sameTerms,
  sha,
  unshown,
} from "./questions.js";

export interface Recording {
  /** In the order in which they were found; `writeRecording` orders them. */
  readonly questions: () => readonly Question[];
  readonly tape: (options: TapeOptions) => RecordingTape;
  /** Whether something was added. */
  readonly changed: () => boolean;
  /** Whether the simulator made any of its answers up. */
  readonly simulated: () => boolean;
  /** Takes out what no tape has given; returns how many answers that were. */
  readonly dropUnused: () => number;
}

export interface TapeOptions {
  readonly replay: boolean;
  readonly record: boolean;
  /** Values that must not be written down. */
  readonly secrets: readonly string[];
  /** What stands before every place: which case of an evaluation it is. */
  readonly prefix?: string;
  /** Tools of these modules are left alone, besides the log. */
  readonly leaves?: readonly string[];
  /** Models of the provider `sim` are asked and not recorded. */
  readonly leavesSim?: boolean;
  /** Answers that were given, where several tapes must not give the same. */
  readonly taken?: Set<unknown>;
  /** Where images and the like are read from. */
  readonly files: FileOptions;
  readonly remedy: string;
}

export interface RecordingTape extends Tape {
  /** Answers for people. */
  readonly ask: Asker;
  /** Told every event, for what people answer. */
  readonly observe: (event: RunEvent) => void;
}

/** How a question that another tape is asking for ends. */
const pending = new WeakMap<Answer, Promise<unknown>>();

export function recording(
  loaded: readonly Question[],
  onAnswer: (question: Question, answer: Answer) => void = () => undefined,
): Recording {
  const all: Question[] = [];
  const byKey = new Map<string, Question[]>();
  const used = new Set<Answer>();
  let changed = false;

  const add = (question: Question): Question => {
    const key = keyOf(question);
    const alike = byKey.get(key);
    const found = alike?.find((each) => canonical(each.base) === canonical(question.base));
    if (found !== undefined) {
      found.answers.push(...question.answers);
      return found;
    }
    all.push(question);
    if (alike === undefined) byKey.set(key, [question]);
    else alike.push(question);
    return question;
  };
  for (const question of loaded) add({ ...question, answers: [...question.answers] });

  /** An answer that this tape has not given yet: the one of this place, else one that is free. */
  const find = (asked: Omit<Question, "answers">, at: string, taken: ReadonlySet<unknown>): Answer | undefined => {
    const bare = unshown(asked);
    // What was written by hand stands for any image.
    const byHand = bare === undefined ? [] : (byKey.get(keyOf(bare)) ?? []).filter(({ base }) => base.model === undefined);
    const free = [...(byKey.get(keyOf(asked)) ?? []), ...byHand]
      .filter(({ base }) => sameTerms(base, asked.base))
      .flatMap(({ answers }) => answers)
      .filter((each) => !taken.has(each) && (each.outcome !== undefined || pending.has(each)));
    return free.find((each) => each.at === at) ?? free.find((each) => each.at === undefined) ?? free[0];
  };

  function tape(options: TapeOptions): RecordingTape {
    const cleanly = cleaner(options.secrets);
    const taken = options.taken ?? new Set<unknown>();
    let marked = new Set<unknown>();
    const conversations = new Map<string, { readonly answer: Answer; readonly messages: readonly ShortMessage[] }>();
    const listeners: ((miss: Miss) => void)[] = [];
    let misses: Miss[] = [];
    const placeOf = (path: string, attempt: number): string => `${options.prefix ?? ""}${path}${attempt > 1 ? `~${attempt}` : ""}`;

    const take = (answer: Answer): Answer => {
      taken.add(answer);
      used.add(answer);
      return answer;
    };
    const replayed = (asked: Omit<Question, "answers">, at: string): Answer | undefined => {
      const found = options.replay ? find(asked, at, taken) : undefined;
      return found === undefined ? undefined : take(found);
    };
    const begin = (asked: Omit<Question, "answers">, at: string): { readonly question: Question; readonly answer: Answer } => {
      const answer = take({ at, outcome: undefined, tookMs: undefined, next: undefined });
      const question = add({ ...asked, answers: [answer] });
      return { question, answer };
    };
    const finish = (question: Question, answer: Answer, outcome: Outcome, tookMs: number): void => {
      answer.outcome = outcome;
      const took = Math.round(tookMs);
      if (took > 0 && outcome.kind !== "unanswered") answer.tookMs = took;
      changed = true;
      onAnswer(question, answer);
    };
    /**
     * Tells a miss, unless nobody wants the answer any more: what failed elsewhere may end this call a moment later than
     * it did when it was recorded.
     */
    const miss = async (
      asked: Omit<Question, "answers">,
      path: string,
      waiting: Waiting | undefined,
      why?: string,
    ): Promise<CallFailure> => {
      waiting?.clock.hold();
      const reason = why ?? (await explain(asked));
      waiting?.clock.release();
      if (waiting !== undefined) {
        const passed = await pass(waiting.clock, waiting.signal, MOMENT_MS);
        if (!passed || waiting.abandoned?.() === true) return failure("cancelled", "nobody waits for it any more", { path });
      }
      const told: Miss = { of: asked.kind, name: asked.kind === "person" ? path : asked.name, path, reason };
      if (!misses.some((each) => each.of === told.of && each.name === told.name && each.reason === reason)) misses.push(told);
      for (const listener of listeners) listener(told);
      // What else is missing at this moment is told before this call fails.
      if (waiting !== undefined) await pass(waiting.clock, waiting.signal, MOMENT_MS);
      return failure("denied", `not in the recording: ${reason.split("\n")[0] ?? ""}`, { path, committed: "no" });
    };
    const explain = async (asked: Omit<Question, "answers">): Promise<string> => {
      const recorded = (byKey.get(keyOf(asked)) ?? []).filter(({ base }) => sameTerms(base, asked.base)).flatMap(({ answers }) => answers);
      if (recorded.length > 0)
        return `The same was asked ${recorded.length === 1 ? "once" : `${recorded.length} times`} when it was recorded, and is asked more often now.`;
      const { whyMissing } = await import("./difference.js");
      return whyMissing(asked, all);
    };

    /** Links the answer to the turn before it, so that a conversation stands together. */
    const converse = (at: string, question: Question, answer: Answer): void => {
      const messages = question.asked as readonly ShortMessage[];
      const before = conversations.get(at);
      conversations.set(at, { answer, messages });
      if (before === undefined || before.answer.next !== undefined || before.answer.outcome === undefined) return;
      if (canonical(messages.slice(0, before.messages.length)) !== canonical(before.messages)) return;
      const sent = messages.slice(before.messages.length);
      if (sent.length === 0) return;
      const said = echo(before.answer.outcome);
      const known = said !== undefined && canonical(sent[0] ?? null) === canonical(cleanly(said));
      if (!known && !(sent[0] !== undefined && "assistant" in sent[0])) return;
      before.answer.next = { sent: known ? sent.slice(1) : sent, question, answer };
    };

    /** Lets pass the time that it took when it was recorded; what is filled in is not waited for. */
    const wait = async (answer: Answer, { clock, signal }: Waiting): Promise<void> => {
      const took = options.record ? 0 : (answer.tookMs ?? 0);
      if (took > 0 && !(await pass(clock, signal, took))) throw failure("cancelled", "the request was aborted");
    };
    /** A recorded call that was given up: it is again, or asked for really where that may be done. */
    const givenUp = async (afterMs: number, waiting: Waiting): Promise<boolean> => {
      if (!(await pass(waiting.clock, waiting.signal, options.record ? MOMENT_MS : afterMs + PATIENCE_MS)))
        throw failure("cancelled", "the request was aborted");
      return true;
    };
    /** Time as it passes outside: a clock that is held stands still. */
    const watch = (clock: Clock, holds: boolean): (() => number) => {
      const now = holds ? () => performance.now() : () => clock.now();
      const began = now();
      return () => now() - began;
    };

    const shownIn = async (request: ModelRequest, context: RequestContext): Promise<Shown> => {
      const shown = new Map<Message, readonly string[]>();
      for (const message of request.messages) {
        const media = message.role === "user" ? (message.parts ?? []).filter((part) => part.kind === "media") : [];
        if (media.length === 0) continue;
        const { mediumHash } = await import("../providers/media.js");
        const files = { ...options.files, directory: context.directory ?? options.files.directory };
        shown.set(message, await held(context.clock, Promise.all(media.map(({ of, value }) => mediumHash(value, of, files)))));
      }
      return shown;
    };

    async function askModel(request: ModelRequest, context: RequestContext, real: () => Provider | CallFailure): Promise<ModelAnswer> {
      const hidden = request.command?.secrets ?? [];
      const clean = hidden.length === 0 ? cleanly : cleaner([...options.secrets, ...hidden]);
      const asked = modelQuestion(request, await shownIn(request, context), clean);
      const at = placeOf(request.path, request.attempt);
      const found = replayed(asked, at);
      if (found !== undefined) {
        if (found.outcome === undefined) await held(context.clock, pending.get(found) ?? Promise.resolve());
        const { outcome } = found;
        if (outcome === undefined) return askModel(request, context, real);
        await wait(found, context);
        conversations.set(at, { answer: found, messages: asked.asked as readonly ShortMessage[] });
        if (outcome.kind === "answer") {
          if (outcome.text !== "") context.onDelta(outcome.text);
          const { text, toolCalls, finish: ended, flaw, replay, usage } = outcome;
          return {
            text,
            toolCalls,
            finish: ended,
            usage: usage === "unknown" ? undefined : usage,
            ...(flaw === undefined ? {} : { flaw }),
            ...(replay === undefined ? {} : { replay }),
          };
        }
        if (outcome.kind === "failure") {
          const { usage } = outcome;
          const thrown = failureOf(outcome.failure);
          throw usage === undefined ? thrown : Object.assign(thrown, usage === "unknown" ? { usageUnknown: true } : { usage });
        }
        if (outcome.kind === "unanswered") await givenUp(outcome.afterMs, context);
        if (outcome.kind === "withheld" || !options.record)
          throw await miss(asked, request.path, context, outcome.kind === "withheld" ? WITHHELD : GIVEN_UP);
      }
      if (!options.record) throw await miss(asked, request.path, context);
      const provider = real();
      if ("failure" in provider) throw provider;
      const { question, answer } = begin(asked, at);
      if (request.hidden?.prompt !== true) converse(at, question, answer);
      const hold = options.replay && !provider.timed;
      const elapsed = watch(context.clock, hold);
      if (hold) context.clock.hold();
      const live = provider.ask(request, context);
      const over = live.catch(() => undefined);
      pending.set(answer, over);
      try {
        const given = await live;
        const outcome: Outcome =
          request.hidden?.answer === true ? { kind: "withheld" } : answerOutcome(given, request.model, provider.simulated, clean);
        finish(question, answer, outcome, elapsed());
        return given;
      } catch (thrown) {
        finish(question, answer, failedOutcome(thrown, context.signal.aborted, elapsed(), clean), elapsed());
        throw thrown;
      } finally {
        if (hold) context.clock.release();
      }
    }

    async function callTool(call: TapedCall, live: () => Promise<TapedOutcome>): Promise<TapedOutcome> {
      const { callee } = call;
      const cleaned = cleanly(call.args);
      const hide = callee.redact.args;
      const asked: Omit<Question, "answers"> = {
        kind: "tool",
        name: callee.ir.name,
        base: {},
        asked: hide === undefined ? cleaned : cleanly(hide(call.args)),
        ...(hide === undefined ? {} : { hash: sha(canonical(cleaned)) }),
      };
      const at = placeOf(call.path, call.attempt);
      const found = replayed(asked, at);
      if (found !== undefined) {
        if (found.outcome === undefined) await held(call.clock, pending.get(found) ?? Promise.resolve());
        const { outcome } = found;
        if (outcome === undefined) return callTool(call, live);
        await wait(found, call);
        if (outcome.kind === "value") return { failed: undefined, value: structuredClone(outcome.value) };
        if (outcome.kind === "failure") return { failed: failureOf(outcome.failure), value: null };
        if (outcome.kind === "unanswered") await givenUp(outcome.afterMs, call);
        if (outcome.kind === "withheld" || !options.record)
          return { failed: await miss(asked, call.path, call, outcome.kind === "withheld" ? WITHHELD : GIVEN_UP), value: null };
      }
      if (!options.record) return { failed: await miss(asked, call.path, call), value: null };
      const { question, answer } = begin(asked, at);
      const elapsed = watch(call.clock, options.replay);
      const going = live();
      pending.set(answer, going);
      const ended = await going;
      const outcome: Outcome =
        ended.failed !== undefined
          ? failedOutcome(ended.failed, false, elapsed(), cleanly)
          : callee.redact.result === undefined
            ? { kind: "value", value: cleanly(ended.value) }
            : { kind: "withheld" };
      finish(question, answer, outcome, elapsed());
      return ended;
    }

    const questions = new Map<string, string>();
    return {
      replays: options.replay,
      offline: !options.record,
      remedy: options.remedy,
      leaves: (callee) => isLeft(callee, options.leaves ?? []),
      mark() {
        marked = new Set(taken);
      },
      rewind() {
        for (const answer of [...taken]) if (!marked.has(answer)) taken.delete(answer);
      },
      onMiss: (listener) => listeners.push(listener),
      takeMisses() {
        const found = misses;
        misses = [];
        return found;
      },
      provider(model, from) {
        const found = !options.replay || (options.leavesSim === true && model.provider === "sim") ? from(model) : undefined;
        if (found !== undefined && ("missing" in found || (options.leavesSim === true && model.provider === "sim"))) return found;
        const real = (): Provider | CallFailure => {
          const made = found ?? from(model);
          return "missing" in made ? failure("auth", whatIsMissing(model, made)) : made;
        };
        return {
          name: found?.name ?? "recording",
          simulated:
            found?.simulated ?? all.some(({ answers }) => answers.some(({ outcome }) => outcome?.kind === "answer" && outcome.simulated)),
          timed: found?.timed ?? true,
          ask: (request, context) => askModel(request, context, real),
        };
      },
      call: callTool,
      ask(question) {
        if (!options.replay || question.kind === "outcome") return undefined;
        const asked: Omit<Question, "answers"> = { kind: "person", name: "", base: {}, asked: cleanly(question.text) };
        const answer = replayed(asked, placeOf(question.path, 1));
        if (answer?.outcome?.kind === "value") return Promise.resolve(answer.outcome.value);
        if (options.record) return undefined;
        return miss(asked, question.path, undefined).then((missed) => Promise.reject(missed));
      },
      observe(event) {
        if (event.kind === "question.asked" && event.answer !== "whether it happened") questions.set(event.path, cleanly(event.question));
        if (event.kind !== "question.answered" || !options.record) return;
        const text = questions.get(event.path);
        if (text === undefined) return;
        const at = placeOf(event.path, 1);
        const asked: Omit<Question, "answers"> = { kind: "person", name: "", base: {}, asked: text };
        if (
          options.replay &&
          (byKey.get(keyOf(asked)) ?? []).some(({ answers }) => answers.some((each) => taken.has(each) && each.at === at))
        )
          return;
        const { question, answer } = begin(asked, at);
        finish(question, answer, { kind: "value", value: cleanly(event.value) }, 0);
      },
    };
  }

  return {
    questions: () => all,
    tape,
    changed: () => changed,
    simulated: () => all.some(({ answers }) => answers.some(({ outcome }) => outcome?.kind === "answer" && outcome.simulated === true)),
    dropUnused() {
      let dropped = 0;
      for (const question of all) {
        const kept = question.answers.filter((each) => used.has(each));
        dropped += question.answers.length - kept.length;
        for (const each of kept) if (each.next !== undefined && !used.has(each.next.answer)) each.next = undefined;
        question.answers.splice(0, question.answers.length, ...kept);
      }
      if (dropped > 0) changed = true;
      return dropped;
    },
  };
}

const GIVEN_UP = "When it was recorded nobody waited for this answer, so the recording has none; now it is waited for.";
const WITHHELD = "Its result has redacted parts, which no recording holds: stub it in a test, or run it without a recording.";

/** Waits for what is outside of the run while its time stands still. */
async function held<T>(clock: Clock, going: Promise<T>): Promise<T> {
  clock.hold();
  try {
    return await going;
  } finally {
    clock.release();
  }
}

/** How much longer than before something may wait to be given up. */
const PATIENCE_MS = 5000;
/** How much later than before the failure may come that makes a call needless. */
const MOMENT_MS = 50;

function isLeft({ ir }: CompiledCallable, modules: readonly string[]): boolean {
  if (ir.kind !== "tool" || ir.binding.kind !== "module") return false;
  return ir.binding.file === "std:log" || modules.includes(ir.binding.file);
}

function whatIsMissing(model: ModelIR, found: { readonly missing: string; readonly variable?: string }): string {
  if (found.variable !== undefined)
    return `the model ${model.name} must be asked for what is not recorded, and ${found.variable} is not set`;
  return `the model ${model.name} must be asked for what is not recorded, and its provider "${model.provider ?? ""}" cannot be used here`;
}
