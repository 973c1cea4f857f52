/**
 * One request to a model: which model of a fallback or balanced group, its limits, the worst case reserved before it is
 * sent and settled after it. What was sent is always charged: by the usage that comes back, or in full where none does.
 */
import type { ModelIR } from "../plan/ir.js";
import { perRequest } from "../plan/request-size.js";
import { correctRequest, request, settleRequest } from "./admission.js";
import { pump } from "./body.js";
import { throughBreaker } from "./breaker.js";
import { type CallFailure, failure, failureValue, toFailure } from "./failure.js";
import { type Gate, gate, orderOf } from "./gate.js";
import { canonical, contentHash } from "./hash.js";
import { type Amount, dollars, nanoDollars, nothing } from "./ledger.js";
import type { Attempt, Run, Step } from "./machine.js";
import { type Asking, globalValue, requestOf, tellRequest, worstCase } from "./model-request.js";
import { partialReader } from "./partial.js";
import { answerKey } from "./past.js";
import type { PastAsked } from "./past-models.js";
import type { ModelAnswer, ModelRequest, Provider, Usage } from "./provider.js";
import { allowed, correct, use } from "./rate.js";
import { cancelled, running, stopping } from "./scope.js";
import { abort, billOf, rootOf, stopped, waitingSince } from "./step.js";
import { signalOf } from "./tool-context.js";

interface ModelLoad {
  /** Estimated tokens of what is in flight. */
  tokens: number;
  readonly gate: Gate | undefined;
}
export type ModelLoads = Map<string, ModelLoad>;

/** Another model of a group may help against these. */
const elsewhere: ReadonlySet<string> = new Set(["overloaded", "unavailable", "rate_limit", "refused"]);
/** The other side refused before it did any work. */
const unbilled: ReadonlySet<string> = new Set(["rate_limit", "overloaded", "auth", "context_too_long"]);

/** Asks a model or a group of models; what was answered in an earlier part of the run is not asked again. */
export function askModel(step: Step, id: string, asking: Asking): Promise<ModelAnswer> {
  const { run } = step;
  if (!run.guards) return askAny(step, id, asking, undefined);
  const guard = contentHash(canonical([id, asking.system ?? null, asking.messages, asking.schema ?? null]));
  const before = (step.context.fresh === true ? undefined : run.past)?.answers.get(answerKey(step.path, asking.attempt, asking.turn));
  return before?.guard === guard ? Promise.resolve(before.answer) : askAny(step, id, asking, guard);
}

async function askAny(step: Step, id: string, asking: Asking, guard: string | undefined): Promise<ModelAnswer> {
  const { run } = step;
  const model = run.program.graph.models[id];
  if (model === undefined) throw new Error(`the graph has no model ${id}`);
  const before = askedBefore(step, asking);
  if (model.balance !== undefined) {
    const [light] = [...model.balance].sort((a, b) => loadOf(run, a).tokens - loadOf(run, b).tokens);
    const least = model.balance.find((each) => reaches(run, each, before?.pending)) ?? light;
    if (least === undefined) throw failure("unavailable", `the model ${model.name} balances over nothing`);
    run.emit({ kind: "choice", path: step.path, of: "model", chosen: run.program.graph.models[least]?.name ?? least });
    return askAny(step, least, asking, guard);
  }
  if (model.fallback === undefined) return askOne(step, model, asking, guard);
  let last: CallFailure | undefined;
  const from = model.fallback.findIndex((each) => reaches(run, each, before?.pending));
  for (const [i, candidate] of model.fallback.entries()) {
    const known = before?.failed.get(run.program.graph.models[candidate]?.name ?? "");
    if (i < from || (from < 0 && known !== undefined && elsewhere.has(known.kind))) {
      last = known === undefined ? last : failure(known.kind, known.message, { path: step.path, committed: known.committed });
      continue;
    }
    if (i > 0) run.emit({ kind: "choice", path: step.path, of: "model", chosen: run.program.graph.models[candidate]?.name ?? candidate });
    try {
      return await askAny(step, candidate, asking, guard);
    } catch (thrown) {
      last = toFailure(thrown, "unavailable", false);
      if (!elsewhere.has(last.kind) || step.halt === cancelled) throw last;
    }
  }
  throw last ?? failure("unavailable", `the model ${model.name} falls back to nothing`);
}

/** What an earlier part of the run had asked for the same turn of the same attempt. */
function askedBefore(step: Step, { attempt, turn }: Asking): PastAsked | undefined {
  const { past } = step.run;
  if (past === undefined || step.context.fresh === true) return undefined;
  const asked = past.asked().get(step.path);
  return asked?.turn === turn && attempt === (past.attempts.get(step.path)?.made ?? 0) + 1 ? asked : undefined;
}

/** Whether a model has a name, or a group a model of that name. */
function reaches(run: Run, id: string, name: string | undefined): boolean {
  const model = run.program.graph.models[id];
  if (model === undefined || name === undefined) return false;
  return model.name === name || [...(model.balance ?? []), ...(model.fallback ?? [])].some((each) => reaches(run, each, name));
}

/** The cost of a usage in nano-dollars; never less than what the other side will bill. */
export function costOf(model: ModelIR, usage: Usage): number {
  const { price } = model;
  if (usage.costUsd !== undefined) return nanoDollars(usage.costUsd);
  if (price === undefined || usage.inputTokens + usage.outputTokens === 0) return 0;
  const cached = usage.cachedInputTokens ?? 0;
  const written = usage.cacheWriteTokens ?? 0;
  const plain = Math.max(0, usage.inputTokens - cached - written);
  return Math.ceil(
    1000 *
      (plain * price.input +
        cached * (price.cachedInput ?? price.input) +
        written * (price.cacheWrite ?? price.input) +
        usage.outputTokens * price.output) +
      perRequest(model) -
      1e-6,
  );
}

function loadOf(run: Run, id: string): ModelLoad {
  let load = run.models.get(id);
  if (load === undefined) {
    const max = run.program.graph.models[id]?.maxConcurrent;
    load = { tokens: 0, gate: max === undefined ? undefined : gate(max) };
    run.models.set(id, load);
  }
  return load;
}

function askOne(step: Step, model: ModelIR, asking: Asking, guard: string | undefined): Promise<ModelAnswer> {
  const { breaker } = model;
  if (breaker === undefined) return askNow(step, model, asking, guard);
  const read = (expr: ModelIR["apiKey"]) => (): unknown => globalValue(step.run, expr);
  const policy = { failures: read(breaker.failures), window: read(breaker.window), cooldown: read(breaker.cooldown) };
  const attempt: Attempt = (of, done) => {
    askNow(of, model, asking, guard).then(
      (answer) => done(undefined, answer),
      (thrown: unknown) => done(toFailure(thrown, "unavailable", false), null),
    );
  };
  return new Promise((resolve, reject) => {
    throughBreaker(step, { key: `model ${model.id}`, name: model.name }, policy, attempt, (failed, answer) =>
      failed === undefined ? resolve(answer as ModelAnswer) : reject(failed),
    );
  });
}

async function askNow(step: Step, model: ModelIR, asking: Asking, guard: string | undefined): Promise<ModelAnswer> {
  const { run } = step;
  // In a pause nothing more is sent; the run ends here and is resumed here.
  if (run.suspense?.pausing() === true) return new Promise(() => undefined);
  const provider = run.provider(model);
  const { amount, inputBound, maxOutput } = worstCase(model, asking);
  const load = loadOf(run, model.id);
  const { gate: entry } = load;
  let leave: (() => void) | undefined;
  load.tokens += amount.tokens;
  try {
    if (entry !== undefined) leave = await enter(step, entry);
    await room(step, model, asking, amount);
    if (step.halt === cancelled) {
      settleRequest(step, step.context.account, amount, nothing, false);
      throw stopped(step);
    }
    // What the provider allows is taken last, so that what is taken is sent.
    const taken = await allowed(step, model, amount);
    const sent = requestOf(run, model, asking, inputBound, maxOutput);
    tellRequest(step, model, asking, amount, inputBound);
    const { commit } = run;
    if (commit !== undefined) await new Promise<void>((resolve) => commit(resolve));
    if (taken !== undefined) use(run, taken);
    const answer = await send(step, model, sent, { hidden: asking.hideAnswer, guard }, amount, provider);
    if (taken !== undefined && answer.usage !== undefined) correct(run, taken, answer.usage.inputTokens + answer.usage.outputTokens);
    return answer;
  } finally {
    load.tokens -= amount.tokens;
    leave?.();
  }
}

/** Waits until a request is reserved, with what a last turn after it would send. */
function room(step: Step, model: ModelIR, asking: Asking, amount: Amount): Promise<void> {
  const { last } = asking;
  const after = last === undefined || !step.context.account.limited ? nothing : worstCase(model, { ...asking, messages: last }).amount;
  return new Promise((resolve, reject) => {
    request(step, amount, after, (failed) => (failed === undefined ? resolve() : reject(failed)), after !== nothing);
  });
}

function enter(step: Step, into: Gate): Promise<() => void> {
  return new Promise((resolve, reject) => {
    const { run } = step;
    if (!into.free()) run.emit({ kind: "call.queued", path: step.path, for: "parallel" });
    const wish = {
      order: orderOf(waitingSince(step, "parallel"), step.context.priority, step.rank),
      sequence: run.admission.sequence++,
      gone: false,
      enter: (leave: () => void) => {
        step.onStop = undefined;
        resolve(leave);
      },
    };
    step.onStop = (level) => {
      if (level !== cancelled) return;
      wish.gone = true;
      step.onStop = undefined;
      reject(stopped(step));
    };
    into.ask(wish);
  });
}

/** Sends a request, waits for it or for its abort, and settles what it cost. */
function send(
  step: Step,
  model: ModelIR,
  sent: ModelRequest,
  { hidden, guard }: { readonly hidden: boolean; readonly guard: string | undefined },
  reserved: Amount,
  provider: Provider,
): Promise<ModelAnswer> {
  const { run } = step;
  const held = step.context.account;
  const { timed } = provider;
  const partial = hidden || sent.answer.kind === "string" || !run.isWatched() ? undefined : partialOf(run, sent);
  let charged: Amount | undefined;
  let billed: Billed | undefined;
  let over = false;
  const { suspense } = run;
  if (!timed) run.clock.hold();
  if (suspense !== undefined) suspense.flights++;

  const charge = (usage: Usage | undefined, unused: boolean, failed: boolean): void => {
    const used: Amount = unused
      ? nothing
      : usage === undefined
        ? reserved
        : { cost: costOf(model, usage), tokens: usage.inputTokens + usage.outputTokens, calls: 0 };
    // Where nobody says how much was used, what may have been is counted as it was reserved.
    const output = unused ? 0 : (usage?.outputTokens ?? sent.maxOutput);
    const bill = { cost: used.cost, input: used.tokens - output, output };
    addBill(step, bill, billed);
    billed = bill;
    if (charged === undefined) settleRequest(step, held, reserved, used, failed);
    else correctRequest(run, step.path, held, charged, used);
    charged = used;
  };

  return new Promise<ModelAnswer>((resolve, reject) => {
    let cancelGrace: (() => void) | undefined;
    let aborted: (() => void) | undefined;
    const end = (finish: () => void): void => {
      if (over) return;
      over = true;
      step.onStop = undefined;
      cancelGrace?.();
      if (!timed) run.clock.release();
      if (suspense !== undefined) {
        suspense.flights--;
        suspense.look();
      }
      finish();
      pump(run);
    };
    // What was sent is charged in full until the other side tells; one that does not react to the abort is left behind.
    step.onStop = (level) => {
      if (level !== cancelled || over) return;
      charge(undefined, false, false);
      abort(step);
      aborted?.();
      cancelGrace ??= run.clock.after(run.grace, () => end(() => reject(stopped(step))));
    };
    if (step.halt === cancelled) abort(step);
    provider
      .ask(sent, {
        get signal() {
          return signalOf(step);
        },
        onAbort: (then) => {
          aborted = then;
          if (step.halt === cancelled) then();
        },
        clock: run.clock,
        directory: step.context.directory,
        abandoned: () => stopping(step),
        onDelta: (text) => {
          if (over || hidden) return;
          run.emit({ kind: "model.delta", path: step.path, agent: sent.agent, text: run.scrub.text(text) });
          const found = partial?.(text);
          if (found !== undefined)
            run.emit({ kind: "model.partial", path: step.path, agent: sent.agent, value: run.scrub.value(found.value) });
        },
      })
      .then(
        (answer) => {
          charge(answer.usage, false, false);
          end(() => {
            const { usage } = answer;
            // An answer with a key in it is told without it, and kept like one that is hidden.
            const said = { text: answer.text, toolCalls: answer.toolCalls, replay: answer.replay };
            const secretive = hidden || run.scrub.value(said) !== said;
            if (guard !== undefined && secretive)
              run.remember?.(answerKey(step.path, sent.attempt, sent.turn), { guard, value: answer }, false);
            run.emit({
              kind: "model.answered",
              path: step.path,
              model: model.name,
              turn: sent.turn,
              inputTokens: usage?.inputTokens ?? billed?.input ?? 0,
              outputTokens: usage?.outputTokens ?? billed?.output ?? 0,
              ...(usage?.cachedInputTokens ? { cachedInputTokens: usage.cachedInputTokens } : {}),
              ...(usage?.cacheWriteTokens ? { cacheWriteTokens: usage.cacheWriteTokens } : {}),
              ...(usage?.reasoningTokens ? { reasoningTokens: usage.reasoningTokens } : {}),
              costUsd: dollars(charged?.cost ?? 0),
              text: hidden ? "[redacted]" : run.scrub.text(answer.text),
              attempt: sent.attempt,
              finish: answer.finish,
              ...(guard === undefined ? {} : { guard }),
              ...(secretive || answer.toolCalls.length === 0 ? {} : { toolCalls: answer.toolCalls }),
              ...(answer.flaw === undefined ? {} : { flaw: run.scrub.text(answer.flaw) }),
              ...(secretive || answer.replay === undefined ? {} : { replay: answer.replay }),
            });
            resolve(answer);
          });
        },
        (thrown: unknown) => {
          const failed = toFailure(thrown, "unavailable", false);
          const usage = usageIn(thrown);
          charge(usage, usage === undefined && unbilled.has(failed.kind) && !isUsageUnknown(thrown), step.halt === running);
          end(() => {
            const told = step.halt === cancelled ? stopped(step) : failed;
            run.emit({
              kind: "model.failed",
              path: step.path,
              model: model.name,
              turn: sent.turn,
              failure: failureValue(told),
              costUsd: dollars(charged?.cost ?? 0),
              inputTokens: billed?.input ?? 0,
              outputTokens: billed?.output ?? 0,
            });
            reject(told);
          });
        },
      );
  });
}

const partialOf = (run: Run, sent: ModelRequest) => partialReader(sent.answer, sent.types, run.program.shapes);

function usageIn(thrown: unknown): Usage | undefined {
  if (typeof thrown !== "object" || thrown === null || !("usage" in thrown)) return undefined;
  const usage = thrown.usage;
  if (typeof usage !== "object" || usage === null || !("inputTokens" in usage) || !("outputTokens" in usage)) return undefined;
  const { inputTokens, outputTokens } = usage;
  const costUsd = "costUsd" in usage && typeof usage.costUsd === "number" ? { costUsd: usage.costUsd } : {};
  return typeof inputTokens === "number" && typeof outputTokens === "number" ? { inputTokens, outputTokens, ...costUsd } : undefined;
}

function isUsageUnknown(thrown: unknown): boolean {
  return typeof thrown === "object" && thrown !== null && "usageUnknown" in thrown && thrown.usageUnknown === true;
}

interface Billed {
  readonly cost: number;
  readonly input: number;
  readonly output: number;
}

/** Adds a request to what the call and the run have used, or corrects what was added for it before. */
function addBill(step: Step, now: Billed, before: Billed | undefined): void {
  const bill = billOf(rootOf(step));
  const { totals } = step.run;
  const cost = now.cost - (before?.cost ?? 0);
  const input = now.input - (before?.input ?? 0);
  const output = now.output - (before?.output ?? 0);
  for (const each of [bill, totals]) {
    each.cost += cost;
    each.inputTokens += input;
    each.outputTokens += output;
  }
  if (before === undefined) bill.requests++;
}
