/**
 * What a run may spend and is expected to: shown before it begins, asked about above a limit when a person is at the
 * terminal, and compared with what it did spend.
 */
import { type Count, isNumber } from "../plan/bound-algebra.js";
import { boundLine } from "../plan/bound-report.js";
import { costText, dollarText } from "../plan/bound-text.js";
import { bounds, type Expected, expected, type FlowBound, type Inputs } from "../plan/bounds.js";
import type { FlowIR, Graph } from "../plan/ir.js";
import type { History } from "../runtime/history.js";
import type { RunOptions } from "./commands.js";
import { dim, type Terminal } from "./terminal.js";

const CONFIRM_ABOVE = 1;

export interface Figures {
  readonly bound: FlowBound;
  readonly expected: Expected | undefined;
}

/** What a flow may use with these inputs, and what earlier runs make of it. */
export function figuresOf(graph: Graph, flow: FlowIR, inputs: Inputs, history: History | undefined): Figures {
  const bound = bounds(graph, inputs).of(flow);
  return { bound, expected: history === undefined ? undefined : expected(graph, flow, inputs, history.means, history.simulated) };
}

/** Shows what the run can use at most; false when a person did not want it. */
export async function agreed({ bound, expected: mean }: Figures, options: RunOptions, to: Terminal): Promise<boolean> {
  if (bound.inside.most.cost === 0) return true;
  if (!options.events) to.err(`${dim(boundLine(bound, mean), to.color)}\n`);
  const { cost } = bound.bound.most;
  const limit = options.confirmAbove ?? CONFIRM_ABOVE;
  if (!to.interactive || options.sim === true || withinLimit(cost, limit)) return true;
  const { confirm, isCancel } = await import("@clack/prompts");
  const most = costText(cost);
  const likely = mean === undefined ? "" : `, and ${costText(mean.most.cost) ?? "any amount"} is expected`;
  const answer = await confirm({
    message: `This run may cost ${most === undefined ? "any amount: nothing limits it" : `up to ${most}`}${likely}. Start it?`,
    active: "Yes, start it",
    inactive: "No, spend nothing",
    initialValue: false,
    output: process.stderr,
  });
  return !isCancel(answer) && answer;
}

const withinLimit = (cost: Count, dollars: number): boolean => typeof cost === "number" && cost <= dollars * 1e9;

/** `18 % of the most it could cost, $0.11; $0.018 was expected`; undefined where nothing can be said. */
export function comparedText(spentUsd: number, { bound, expected: mean }: Figures): string | undefined {
  const { cost } = bound.bound.most;
  const most =
    isNumber(cost) && Number.isFinite(cost) && cost > 0
      ? `${share(spentUsd * 1e9, cost)} of the most it could cost, ${dollarText(cost)}`
      : undefined;
  const likely = mean === undefined || !isNumber(mean.most.cost) ? undefined : `${dollarText(mean.most.cost)} was expected`;
  return most === undefined && likely === undefined ? undefined : [most, likely].filter((part) => part !== undefined).join("; ");
}

function share(part: number, whole: number): string {
  const percent = (100 * part) / whole;
  return percent < 1 ? "less than 1 %" : `${Math.round(percent)} %`;
}
