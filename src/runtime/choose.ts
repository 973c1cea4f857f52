/**
 * A call of a capability: which implementation carries it out. Of those within the limits of the call it takes the first
 * in order whose attempt can be paid from what is left of the budgets around; where none can be paid in full, the
 * cheapest that can at least be begun. The choice and its reasons are an event, and a run that is carried on chooses the
 * same again.
 */
import { compare, type Experience, inOrder, type Limits, misfitOf, type Offer, type Uses } from "../plan/bound-choice.js";
import { dollarText, timeText } from "../plan/bound-text.js";
import { bounds, shapeOfValue } from "../plan/bounds.js";
import type { CapabilityIR } from "../plan/ir.js";
import { pump } from "./body.js";
import { checkResult, startCall, withDefaults } from "./call.js";
import { failure } from "./failure.js";
import { type Shortage, shortage } from "./ledger.js";
import type { Attempt, CompiledCallable, Run, Step } from "./machine.js";
import type { Read } from "./retry.js";
import { rootOf } from "./step.js";
import { setField } from "./values.js";

/** What a call says about the choice, read where it stands. */
export interface Wanted {
  /** US dollars and milliseconds of one attempt. */
  readonly maxCost: Read | undefined;
  readonly maxLatency: Read | undefined;
  /** Ids of implementations and models, the most wanted first. */
  readonly prefer: readonly string[];
}

/** What earlier runs tell about a callable, by its id. */
export type Experiences = ReadonlyMap<string, Experience>;

/** Why an implementation was chosen or not. */
export interface Reason {
  readonly name: string;
  readonly fits: boolean;
  readonly why: string;
}

export interface Choice {
  readonly chosen: Offer | undefined;
  readonly reasons: readonly Reason[];
}

/** What is missing to pay for an amount. */
export interface Lack extends Pick<Shortage, "dimension" | "needed" | "left"> {
  readonly account: { readonly path: string };
}

/** Chooses among offers; `short` says what is missing to pay for an amount, if anything. */
export function choose(
  offers: readonly Offer[],
  limits: Limits,
  short: (uses: () => Uses) => Lack | undefined,
  known: (offer: Offer) => Experience | undefined = () => undefined,
): Choice {
  const order = inOrder(offers, known);
  const misfit = new Map(
    order.map((offer) => [
      offer,
      misfitOf(
        offer,
        () => offer.attempt().cost,
        limits,
        (amount) => `may cost ${amount}`,
      ),
    ]),
  );
  const fitting = order.filter((offer) => misfit.get(offer) === undefined);
  const missing = new Map(fitting.map((offer) => [offer, short(offer.attempt)]));
  const payable = fitting.filter((offer) => missing.get(offer) === undefined);
  const chosen = payable[0] ?? cheapest(fitting, short);
  const reasons = order.map((offer): Reason => {
    const outside = misfit.get(offer);
    if (outside !== undefined) return { name: offer.name, fits: false, why: outside };
    const lacking = missing.get(offer);
    if (offer === chosen) {
      const why = lacking === undefined ? advantage(offer, payable[1], payable.length, order.length, known) : cheapestText(lacking);
      return { name: offer.name, fits: lacking === undefined, why };
    }
    return lacking === undefined
      ? { name: offer.name, fits: true, why: "fits too, and comes later" }
      : { name: offer.name, fits: false, why: `may use ${shortText(lacking)}` };
  });
  return { chosen, reasons };
}

/** Of those that cannot be paid in full the cheapest that can be begun; what is refused in the end is refused there. */
function cheapest(offers: readonly Offer[], short: (uses: () => Uses) => Lack | undefined): Offer | undefined {
  const order = [...offers].sort((a, b) => compare(a.attempt().cost, b.attempt().cost) || compare(a.keep().cost, b.keep().cost));
  return order.find((offer) => short(offer.keep) === undefined) ?? order[0];
}

const cheapestText = (lacking: Lack): string => `none can be paid in full: it is the cheapest, and may use ${shortText(lacking)}`;

function shortText({ account, dimension, needed, left }: Lack): string {
  const text = (amount: number): string =>
    Number.isFinite(amount) ? (dimension === "cost" ? dollarText(amount) : `${amount} ${dimension}`) : `any number of ${dimension}`;
  const most = Number.isFinite(needed) ? `up to ${text(needed)}` : dimension === "cost" ? "any amount" : text(needed);
  return `${most}, ${text(Math.max(0, left))} are left of the budget of ${account.path}`;
}

/** What set the first apart from the second. */
function advantage(
  first: Offer,
  second: Offer | undefined,
  payable: number,
  all: number,
  known: (offer: Offer) => Experience | undefined,
): string {
  if (payable === 1 || second === undefined) return all === 1 ? "it is the only one" : "it is the only one that fits";
  if (first.preference !== second.preference) return "it is preferred";
  if (first.quality !== second.quality) return `it has the best quality, ${Math.round(first.quality * 100)} %`;
  if (first.attempt().cost !== second.attempt().cost) return `it is the cheapest, at up to ${dollarText(first.attempt().cost)}`;
  if (first.latency !== second.latency) return `it is the fastest, within ${timeText(first.latency) ?? "any time"}`;
  const [a, b] = [known(first), known(second)];
  if (a === undefined || b === undefined) return "it is the first of equals";
  if (a.success !== b.success) return `it succeeded more often in earlier runs, ${Math.round(a.success * 100)} % of the time`;
  if (a.costUsd !== b.costUsd) return "it was cheaper in earlier runs";
  return a.latencyMs !== b.latencyMs ? "it was faster in earlier runs" : "it is the first of equals";
}

/** Carries out a capability: by the implementation that is chosen. */
export function performCapability(callee: CompiledCallable, wanted: Wanted, callable: (ref: Offer["ref"]) => CompiledCallable): Attempt {
  const { ir } = callee;
  if (ir.kind !== "capability") throw new Error("a capability is expected here");
  return (step, done) => {
    const root = rootOf(step);
    root.attempts++;
    const path = root.attempts > 1 ? `${step.path}~${root.attempts}` : step.path;
    const limits = limitsOf(step, wanted);
    const offers = bounds(step.run.program.graph).offers(ir, () => shapesOf(step, ir), wanted.prefer);
    const { chosen, reasons } = again(step.run, path, offers, limits) ?? chosenFor(step, offers, limits);
    if (chosen === undefined) {
      done(failure("assertion", `no implementation of ${ir.name} fits this call: ${reasons.map((reason) => reason.why).join("; ")}`), null);
      return;
    }
    step.run.emit({ kind: "choice", path, of: "capability", chosen: chosen.name, implementation: chosen.ref.id, candidates: [...reasons] });
    const to = callable(chosen.ref);
    const { run, context, frame, rank } = step;
    startCall(
      { run, scope: step, context, site: to.site, frame, args: argsFor(step, ir, to), path: `${path}/${to.ir.name}`, rank },
      (failed, value) => {
        if (failed === undefined) checkResult(step, callee, value, done);
        else done(failed, null);
        pump(run);
      },
    );
  };
}

function limitsOf(step: Step, { maxCost, maxLatency }: Wanted): Limits {
  return {
    cost: maxCost === undefined ? Number.POSITIVE_INFINITY : Math.floor(Number(maxCost(step)) * 1e9 + 1e-6),
    latency: maxLatency === undefined ? Number.POSITIVE_INFINITY : Number(maxLatency(step)),
  };
}

const shapesOf = (step: Step, ir: CapabilityIR) => new Map(ir.params.map(({ name }) => [name, shapeOfValue(step.args[name] ?? null)]));

/** What an earlier part of the run chose, if it still may be. */
function again(run: Run, path: string, offers: readonly Offer[], limits: Limits): Choice | undefined {
  const before = run.past?.chosen.get(path);
  const chosen = before === undefined ? undefined : offers.find((offer) => offer.ref.id === before);
  if (
    chosen === undefined ||
    misfitOf(
      chosen,
      () => chosen.attempt().cost,
      limits,
      () => "",
    ) !== undefined
  )
    return undefined;
  return { chosen, reasons: [] };
}

function chosenFor({ run, context }: Step, offers: readonly Offer[], limits: Limits): Choice {
  return choose(
    offers,
    limits,
    // What nothing limits needs no figures.
    (uses) => (context.account.capped ? shortage(context.account, uses(), context.claim) : undefined),
    (offer) => run.experiences?.get(offer.ref.id),
  );
}

/** The arguments under the names of the implementation, with its own defaults for what it takes besides. */
function argsFor(step: Step, ir: CapabilityIR, to: CompiledCallable): Readonly<Record<string, unknown>> {
  const out: Record<string, unknown> = {};
  for (const [i, param] of to.ir.params.entries()) {
    const name = ir.params[i]?.name;
    if (name !== undefined) setField(out, param.name, step.args[name] ?? null);
  }
  return withDefaults(to, out);
}
