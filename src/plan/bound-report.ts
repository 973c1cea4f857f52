/** Bounds for people and for other programs: a line for a flow, a table, the tree of what costs what, and data. */
import { type Count, isOpen, plus, roundedUp, times, valueAt } from "./bound-algebra.js";
import type { Amounts, Bound } from "./bound-amounts.js";
import type { Expected } from "./bound-means.js";
import { costText, countData, countText, dollarText, timeText } from "./bound-text.js";
import type { BudgetSite, Part } from "./bound-world.js";
import type { FlowBound } from "./bounds.js";
import { judge, limitText, verdictText, worstOf } from "./budgets.js";

/** `≤ 22 calls · ≤ $0.012·|paths| + $0.03 · the budget of $2.00 is enough for up to 33 paths`. */
export function boundLine(bound: FlowBound, expected?: Expected): string {
  const { budget } = bound;
  const inside = limited(bound);
  const { most } = inside;
  if (most.calls === 0) return "calls nothing";
  return [
    callsText(most),
    `${costOf(inside)}${expected === undefined || expected.most.cost === 0 ? "" : `, ${expectedText(expected)}`}`,
    ...(budget === undefined ? [] : [`budget ${capsText(budget)} ${verdictText(judge(budget))}`]),
  ].join(" · ");
}

/** What has no limit of its own has that of the budget; a formula says more than the budget does. */
function limited({ inside, bound }: FlowBound): Bound {
  const cut = (own: Count, capped: Count): Count => (isOpen(own) ? capped : own);
  const { most, time } = inside;
  const { most: by } = bound;
  return {
    ...inside,
    most: {
      calls: cut(most.calls, by.calls),
      toolCalls: cut(most.toolCalls, by.toolCalls),
      requests: cut(most.requests, by.requests),
      inputTokens: cut(most.inputTokens, by.inputTokens),
      outputTokens: cut(most.outputTokens, by.outputTokens),
      cost: cut(most.cost, by.cost),
    },
    time: { most: cut(time.most, bound.time.most), least: time.least },
  };
}

function callsText(most: Amounts): string {
  const calls = countText(most.calls);
  if (calls === undefined) return "any number of calls";
  return `≤ ${calls} call${most.calls === 1 ? "" : "s"}`;
}

function costOf({ most }: Bound): string {
  if (most.cost === 0 && most.requests === 0) return "no model is asked";
  const cost = costText(most.cost);
  return cost === undefined ? "any cost" : `cost ≤ ${cost}`;
}

/** `expected $0.0021`, with where it comes from. */
export function expectedText({ most, simulated }: Expected): string {
  return `expected ${costText(most.cost) ?? "any cost"}${simulated ? " by simulated runs" : ""}`;
}

function capsText({ caps }: BudgetSite): string {
  const { cost, tokens, calls, time } = caps;
  return [
    ...(cost === undefined ? [] : [dollarText(cost)]),
    ...(tokens === undefined ? [] : [limitText("tokens", tokens) ?? ""]),
    ...(calls === undefined ? [] : [limitText("calls", calls) ?? ""]),
    ...(time === undefined ? [] : [timeText(time) ?? ""]),
  ].join(", ");
}

interface Row {
  readonly name: string;
  readonly least: string;
  readonly expected: string | undefined;
  readonly most: string;
}

/** What a flow uses at least and at most, a line for each quantity; and what is expected, where earlier runs tell. */
export function boundTable(bound: FlowBound, loud: (text: string) => string, faint: (text: string) => string, expected?: Expected): string {
  const { most, least, time } = limited(bound);
  const count = (name: string, low: number, high: Count, mean: Count | undefined): readonly Row[] => [
    {
      name,
      least: countText(low) ?? "",
      expected: mean === undefined ? undefined : (countText(roundedUp(mean)) ?? "no limit"),
      most: countText(high) ?? "no limit",
    },
  ];
  const means = expected?.most;
  const rows: readonly Row[] = [
    ...count("calls", least.calls, most.calls, means?.calls),
    ...(most.toolCalls === 0 ? [] : count("  of tools", least.toolCalls, most.toolCalls, means?.toolCalls)),
    ...(most.requests === 0
      ? []
      : [
          ...count("model requests", least.requests, most.requests, means?.requests),
          ...count("tokens in", least.inputTokens, most.inputTokens, means?.inputTokens),
          ...count("tokens out", least.outputTokens, most.outputTokens, means?.outputTokens),
        ]),
    {
      name: "cost",
      least: dollarText(least.cost),
      expected: means === undefined ? undefined : (costText(means.cost) ?? "no limit"),
      most: costText(most.cost) ?? "no limit",
    },
    {
      name: "time",
      least: timeText(time.least) ?? "",
      expected: expected === undefined ? undefined : (timeText(expected.time) ?? "no limit"),
      most: timeText(time.most) ?? "no limit",
    },
  ];
  const wide = Math.max(...rows.map((row) => row.name.length));
  const middle = Math.max("needs".length, ...rows.map((row) => row.least.length));
  const between = Math.max("expected".length, ...rows.map((row) => row.expected?.length ?? 0));
  const line = (name: string, low: string, mean: string | undefined, high: string): string =>
    `${name.padEnd(wide)}  ${low.padStart(middle)}  ${mean === undefined ? "" : `${mean.padStart(between)}  `}${high}`.trimEnd();
  return [
    loud(line("", "needs", expected === undefined ? undefined : "expected", "at most")),
    ...rows.map((row) => line(row.name, row.least, row.expected, row.most)),
    ...(expected === undefined ? [] : [faint(originText(expected))]),
    ...(bound.budget === undefined ? [] : [faint(`the budget of ${capsText(bound.budget)} ${verdictText(judge(bound.budget))}`)]),
  ].join("\n");
}

function originText({ simulated, unknown }: Expected): string {
  const never =
    unknown.length === 0
      ? ""
      : `; ${unknown.join(", ")} never ran as ${unknown.length === 1 ? "it is" : "they are"} now and count${unknown.length === 1 ? "s" : ""} in full`;
  return `expected by ${simulated ? "simulated" : "earlier"} runs, and no limit${never}`;
}

/** Which call contributes what, the dearest first, with the formula of each. */
export function costTree(bound: FlowBound, loud: (text: string) => string, faint: (text: string) => string): string {
  const rows: { readonly lead: string; readonly title: string; readonly figures: string; readonly notes: string }[] = [];
  const visit = (parts: readonly Part[], often: Count, indent: string): void => {
    const shown = parts
      .map((part) => ({ part, most: part.bound.most }))
      .filter(({ most }) => most.calls !== 0 || most.cost !== 0)
      .sort((a, b) => weight(b.most) - weight(a.most));
    for (const [i, { part }] of shown.entries()) {
      const last = i === shown.length - 1;
      rows.push({
        lead: `${indent}${last ? "└─ " : "├─ "}`,
        title: part.title,
        figures: figuresOf(part.bound, often),
        notes: part.notes.join(" · "),
      });
      visit(part.parts, times(often, part.times), `${indent}${last ? "   " : "│  "}`);
    }
  };
  visit(bound.parts, 1, "");
  const wide = Math.max(0, ...rows.map((row) => row.lead.length + row.title.length));
  const figures = Math.max(0, ...rows.map((row) => row.figures.length));
  return [
    `${loud(bound.flow.name)}  ${figuresOf(bound.inside, 1)}`,
    ...rows.map(({ lead, title, figures: text, notes }) => {
      const name = `${faint(lead)}${title}${" ".repeat(wide - lead.length - title.length)}`;
      return `${name}  ${text.padEnd(figures)}  ${faint(notes)}`.trimEnd();
    }),
  ].join("\n");
}

function figuresOf({ most }: Bound, often: Count): string {
  const cost = times(most.cost, often);
  if (cost !== 0) return costText(cost) ?? "any cost";
  const calls = countText(times(most.calls, often));
  return calls === undefined ? "any number of calls" : `${calls} call${calls === "1" ? "" : "s"}`;
}

/** For sorting: as if every list had a hundred items. */
function weight(most: Amounts): number {
  const at = (count: Count): number => (isOpen(count) ? Number.MAX_VALUE : valueAt(count, () => 100));
  return at(most.cost) * 1e3 + at(most.calls);
}

interface Range {
  readonly min: number;
  readonly max: number | string | null;
}

/** A bound as data: numbers, formulas as text, null where nothing limits it. */
export interface BoundData {
  readonly calls: Range;
  readonly tool_calls: Range;
  readonly requests: Range;
  readonly input_tokens: Range;
  readonly output_tokens: Range;
  readonly tokens: Range;
  readonly cost_usd: Range;
  readonly seconds: Range;
}

export interface BudgetData {
  readonly cost_usd: number | null;
  readonly tokens: number | null;
  readonly calls: number | null;
  readonly seconds: number | null;
  readonly verdict: "enough" | "up_to" | "may_run_short" | "too_small";
  /** For `up_to`: the list and how long it may be. */
  readonly up_to: { readonly list: string; readonly size: number } | null;
}

const VERDICTS = { enough: "enough", upTo: "up_to", short: "may_run_short", tooSmall: "too_small" } as const;

export function boundData({ inside, budget }: FlowBound): { readonly bounds: BoundData; readonly budget: BudgetData | null } {
  const { most, least, time } = inside;
  const range = (low: number, high: Count, scale = 1): Range => ({
    min: Number((low * scale).toPrecision(12)),
    max: countData(high, scale),
  });
  return {
    bounds: {
      calls: range(least.calls, most.calls),
      tool_calls: range(least.toolCalls, most.toolCalls),
      requests: range(least.requests, most.requests),
      input_tokens: range(least.inputTokens, most.inputTokens),
      output_tokens: range(least.outputTokens, most.outputTokens),
      tokens: range(least.inputTokens + least.outputTokens, plus(most.inputTokens, most.outputTokens)),
      cost_usd: range(least.cost, most.cost, 1e-9),
      seconds: range(time.least, time.most, 1e-3),
    },
    budget: budget === undefined ? null : budgetData(budget),
  };
}

/** What is expected, as data; null where no earlier run tells. */
export function expectedData(expected: Expected | undefined): unknown {
  if (expected === undefined) return null;
  const { most, time, unknown, simulated } = expected;
  return {
    calls: countData(most.calls),
    tool_calls: countData(most.toolCalls),
    requests: countData(most.requests),
    input_tokens: countData(most.inputTokens),
    output_tokens: countData(most.outputTokens),
    tokens: countData(plus(most.inputTokens, most.outputTokens)),
    cost_usd: countData(most.cost, 1e-9),
    seconds: countData(time, 1e-3),
    unknown,
    simulated,
  };
}

function budgetData(site: BudgetSite): BudgetData {
  const { cost, tokens, calls, time } = site.caps;
  const verdict = worstOf(judge(site))?.verdict ?? { kind: "enough" };
  return {
    cost_usd: cost === undefined ? null : cost / 1e9,
    tokens: tokens ?? null,
    calls: calls ?? null,
    seconds: time === undefined ? null : time / 1000,
    verdict: VERDICTS[verdict.kind],
    up_to: verdict.kind === "upTo" ? { list: verdict.symbol, size: verdict.size } : null,
  };
}
