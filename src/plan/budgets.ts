/**
 * Whether budgets can hold: each `@budget` of a program beside what is inside it. One that is smaller than what must be
 * paid is an error that shows where that comes from; one that may run short is a note that says from which size on.
 */
import { d } from "../diagnostics/catalogue/catalogue.js";
import type { Problems, Related } from "../diagnostics/problems.js";
import { grouped } from "../source/digits.js";
import { type Count, isNumber, largestWithin, plus, valueAt } from "./bound-algebra.js";
import type { Amounts, Bound } from "./bound-amounts.js";
import { comesToLimits } from "./bound-reach.js";
import { costText, countText, symbolText } from "./bound-text.js";
import type { BudgetSite, Part } from "./bound-world.js";
import type { Bounds } from "./bounds.js";
import type { Body, Graph, NodeIR, Policies } from "./ir.js";
import { bodiesOf, declarationOf, innerBodies } from "./walk.js";

/** What a budget limits besides time. */
export type Dimension = "cost" | "tokens" | "calls";
const DIMENSIONS: readonly Dimension[] = ["cost", "tokens", "calls"];

export type Verdict =
  | { readonly kind: "enough" }
  /** Enough as long as the one list it depends on is no longer. */
  | { readonly kind: "upTo"; readonly symbol: string; readonly size: number }
  | { readonly kind: "short" }
  /** Not even the least that must be paid fits. */
  | { readonly kind: "tooSmall" };

/** What a budget says of one thing that it limits. */
export interface Judged {
  readonly dimension: Dimension;
  readonly cap: number;
  readonly least: number;
  readonly most: Count;
  readonly verdict: Verdict;
}

/** Every limit of a budget beside what is inside. */
export function judge(site: BudgetSite): readonly Judged[] {
  return DIMENSIONS.flatMap((dimension): readonly Judged[] => {
    const cap = site.caps[dimension];
    if (cap === undefined) return [];
    const most = mostIn(site.inside, dimension);
    const least = leastIn(site.inside.least, dimension);
    return [{ dimension, cap, least, most, verdict: verdictOf(cap, least, most) }];
  });
}

function verdictOf(cap: number, least: number, most: Count): Verdict {
  if (least > cap) return { kind: "tooSmall" };
  if (isNumber(most)) return { kind: most <= cap ? "enough" : "short" };
  const upTo = largestWithin(most, cap);
  if (upTo !== undefined && upTo.size > 0) return { kind: "upTo", symbol: upTo.symbol, size: upTo.size };
  return { kind: "short" };
}

const mostIn = ({ most }: Bound, dimension: Dimension): Count =>
  dimension === "tokens" ? plus(most.inputTokens, most.outputTokens) : most[dimension];
const leastIn = (least: Amounts<number>, dimension: Dimension): number =>
  dimension === "tokens" ? least.inputTokens + least.outputTokens : least[dimension];

/** The limit that is worst kept, in a few words: `is enough`, `is enough for up to 33 paths`, `may run short`. */
export function verdictText(judged: readonly Judged[]): string {
  const worst = worstOf(judged);
  switch (worst?.verdict.kind) {
    case "upTo":
      return `is enough for ${upToText(worst.verdict)}`;
    case "short":
      return "may run short";
    case "tooSmall":
      return "is too small";
    default:
      return "is enough";
  }
}

const RANK = { enough: 0, upTo: 1, short: 2, tooSmall: 3 } as const;

/** The limit that is worst kept. */
export function worstOf(judged: readonly Judged[]): Judged | undefined {
  return [...judged].sort((a, b) => RANK[b.verdict.kind] - RANK[a.verdict.kind] || sizeIn(a) - sizeIn(b))[0];
}

const sizeIn = ({ verdict }: Judged): number => (verdict.kind === "upTo" ? verdict.size : 0);

function upToText({ symbol, size }: { readonly symbol: string; readonly size: number }): string {
  const count = grouped(size);
  return /^[\w ]+$/.test(symbol) ? `up to ${count} ${size === 1 ? singular(symbol) : symbol}` : `up to ${count} in ${symbolText(symbol)}`;
}

const singular = (symbol: string): string => (symbol.endsWith("s") && !symbol.endsWith("ss") ? symbol.slice(0, -1) : symbol);

/** An amount of what a budget limits, as it would be written. */
export function limitText(dimension: Dimension, amount: Count): string | undefined {
  if (dimension === "cost") return costText(amount);
  const text = countText(amount);
  return text === undefined ? undefined : `${text} ${dimension}`;
}

/** Reports budgets that cannot hold or may run short, models without a price under them, and choices without a candidate. */
export function checkBudgets(graph: Graph, bounds: Bounds, problems: Problems): void {
  const limited = comesToLimits(graph);
  for (const flow of Object.values(graph.flows)) {
    if (flow.span.file.startsWith("std:") || !limited(flow)) continue;
    bounds.of(flow);
    unpriced(graph, flow.name, flow.policies, flow.body, flow.span, problems);
  }
  for (const { capability, span, reasons } of bounds.unfit()) {
    if (!span.file.startsWith("std:")) problems.report(d.noCandidate, span, { capability, reasons });
  }
  for (const { capability, span, candidates } of bounds.unpreferred()) {
    if (!span.file.startsWith("std:")) problems.report(d.prefersNothing, span, { capability, candidates });
  }
  for (const site of bounds.budgets()) {
    if (site.span.file.startsWith("std:")) continue;
    const worst = worstOf(judge(site));
    if (worst === undefined || worst.verdict.kind === "enough") continue;
    const kept = worst.verdict.kind === "tooSmall" ? undefined : tooMuchToKeep(site);
    if (kept !== undefined) {
      problems.report(d.budgetMayNotEnd, site.span, kept.facts, { related: kept.related });
      continue;
    }
    const { dimension, least, most, verdict } = worst;
    const cap = limitText(dimension, worst.cap) ?? "";
    if (verdict.kind === "tooSmall") {
      const from = causes(site.parts, dimension, "least").slice(0, 3);
      problems.report(
        d.budgetTooSmall,
        site.span,
        {
          name: site.name,
          cap,
          least: limitText(dimension, least) ?? "",
          models: dimension !== "calls" && site.inside.least.requests > 0,
          from: from.map((cause) => `${cause.title} ${limitText(dimension, cause.amount)}`),
        },
        {
          related: from.flatMap((cause): readonly Related[] =>
            cause.part.span.start === site.span.start
              ? []
              : [{ span: cause.part.span, message: `${limitText(dimension, cause.amount)} at least` }],
          ),
        },
      );
      continue;
    }
    const empty = valueAt(most, () => 0);
    problems.report(d.budgetMayRunShort, site.span, {
      name: site.name,
      cap,
      most: limitText(dimension, most),
      enough: verdict.kind === "upTo" ? upToText(verdict) : undefined,
      // Of several lists nobody can say how long which may be.
      nothing: isNumber(most) || empty <= worst.cap ? undefined : limitText(dimension, empty),
    });
  }
}

/** What a run must keep back to come to its end, where its budget is smaller: it would be refused before it spends. */
export function tooMuchToKeep(site: BudgetSite):
  | {
      readonly facts: { readonly name: string; readonly cap: string; readonly needed: string; readonly from: readonly string[] };
      readonly related: readonly Related[];
    }
  | undefined {
  for (const dimension of DIMENSIONS) {
    const cap = site.caps[dimension];
    const needed = leastIn(site.inside.keep, dimension);
    if (cap === undefined || needed <= cap) continue;
    const amount = (of: number): string => (Number.isFinite(of) ? limitText(dimension, of) : undefined) ?? "any amount";
    const from = causes(site.parts, dimension, "keep").slice(0, 3);
    return {
      facts: {
        name: site.name,
        cap: limitText(dimension, cap) ?? "",
        needed: amount(needed),
        from: from.map(({ title, amount: of, part }) => {
          const why = part.notes.find((each) => each.includes("no limit"));
          return `${title} ${amount(of)}${why === undefined ? "" : ` (${why})`}`;
        }),
      },
      related: from.flatMap(({ part, amount: of }) =>
        part.span.start === site.span.start ? [] : [{ span: part.span, message: `up to ${amount(of)} here` }],
      ),
    };
  }
  return undefined;
}

interface Cause {
  readonly part: Part;
  readonly title: string;
  readonly amount: number;
}

/** The calls that a minimum comes from, largest first. */
function causes(parts: readonly Part[], dimension: Dimension, what: "least" | "keep"): readonly Cause[] {
  const amountOf = (part: Part): number => leastIn(part.bound[what], dimension);
  const leaves = (part: Part): readonly Cause[] => {
    const amount = amountOf(part);
    if (amount === 0) return [];
    const inner = part.parts.filter((each) => amountOf(each) > 0);
    // Where only one of several parts must be paid, the part around says what is needed.
    const [only] = inner;
    if (inner.length === 1 && only !== undefined && amountOf(only) === amount) return leaves(only);
    if (inner.length > 0 && inner.reduce((total, each) => total + amountOf(each), 0) === amount) return inner.flatMap(leaves);
    return [{ part, title: part.title, amount }];
  };
  return parts.flatMap(leaves).sort((a, b) => b.amount - a.amount);
}

/** Models without a price that something under a budget of money can ask. */
function unpriced(graph: Graph, name: string, policies: Policies, body: Body, span: NodeIR["span"], problems: Problems): void {
  const report = (of: Body, where: NodeIR["span"], what: string): void => {
    for (const model of modelsOf(graph, of)) {
      const ir = graph.models[model];
      if (ir === undefined || ir.price !== undefined || ir.provider === "sim" || ir.fallback !== undefined || ir.balance !== undefined)
        continue;
      problems.report(
        d.unpricedUnderBudget,
        where,
        { model: ir.name, name: what },
        { related: [{ span: ir.span, message: "this model" }] },
      );
    }
  };
  if (policies.budget?.cost !== undefined) {
    report(body, span, name);
    return;
  }
  for (const inner of bodiesOf(body)) {
    for (const node of inner.nodes) {
      if (node.policies.budget?.cost !== undefined) report({ nodes: [node], result: { kind: "const", value: null } }, node.span, name);
    }
  }
}

/** Every model that something in a body can ask. */
function modelsOf(graph: Graph, body: Body): ReadonlySet<string> {
  const models = new Set<string>();
  const seen = new Set<string>();
  const model = (id: string): void => {
    if (models.has(id)) return;
    models.add(id);
    const found = graph.models[id];
    for (const other of [...(found?.fallback ?? []), ...(found?.balance ?? [])]) model(other);
  };
  const callable = (ref: Parameters<typeof declarationOf>[1]): void => {
    if (ref.kind === "channel" || seen.has(`${ref.kind} ${ref.id}`)) return;
    seen.add(`${ref.kind} ${ref.id}`);
    const found = declarationOf(graph, ref);
    for (const other of found.policies.fallback ?? []) callable(other);
    if (found.kind === "flow") inBody(found.body);
    if (found.kind === "capability") for (const other of found.implementations) callable(other);
    if (found.kind !== "agent") return;
    model(found.model);
    for (const tool of found.tools) callable(tool);
  };
  const inBody = (of: Body): void => {
    for (const node of of.nodes) {
      if (node.kind === "call") callable(node.callee);
      if (node.kind === "orchestrate") {
        model(node.model);
        for (const ref of node.team) callable(ref);
      }
      for (const other of node.policies.fallback ?? []) callable(other);
      for (const inner of innerBodies(node)) inBody(inner.body);
    }
  };
  inBody(body);
  return models;
}
