/** Before a run spends: its bound is shown, and above a limit a person at the terminal is asked. */
import type { Count } from "../plan/bound-algebra.js";
import { boundLine } from "../plan/bound-report.js";
import { costText } from "../plan/bound-text.js";
import { bounds, type Inputs } from "../plan/bounds.js";
import type { FlowIR, Graph } from "../plan/ir.js";
import type { RunOptions } from "./commands.js";
import { dim, type Terminal } from "./terminal.js";

const CONFIRM_ABOVE = 1;

/** Shows what the run can use at most; false when a person did not want it. */
export async function agreed(graph: Graph, flow: FlowIR, inputs: Inputs, options: RunOptions, to: Terminal): Promise<boolean> {
  const bound = bounds(graph, inputs).of(flow);
  if (bound.inside.most.cost === 0) return true;
  if (!options.events) to.err(`${dim(boundLine(bound), to.color)}\n`);
  const { cost } = bound.bound.most;
  if (!to.interactive || options.sim === true || withinLimit(cost, options.confirmAbove ?? CONFIRM_ABOVE)) return true;
  const { confirm, isCancel } = await import("@clack/prompts");
  const most = costText(cost);
  const answer = await confirm({
    message: `This run may cost ${most === undefined ? "any amount: nothing limits it" : `up to ${most}`}. Start it?`,
    initialValue: false,
    output: process.stderr,
  });
  return !isCancel(answer) && answer;
}

const withinLimit = (cost: Count, dollars: number): boolean => typeof cost === "number" && cost <= dollars * 1e9;
