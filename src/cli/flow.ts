/** Which flow of a program a command means: the named one, the only one, or `main`. */
import { d } from "../diagnostics/catalogue/catalogue.js";
import { problems } from "../diagnostics/problems.js";
import { nearest } from "../diagnostics/suggest.js";
import type { FlowIR } from "../plan/ir.js";
import { showProblems } from "./problems.js";
import type { Program } from "./program.js";
import type { Terminal } from "./terminal.js";

/** The flow that is meant; where none is, that is shown. Undefined as well when the program has no graph. */
export function chooseFlow(program: Program, file: string, name: string | undefined, to: Terminal): FlowIR | undefined {
  const { graph, files } = program.compiled;
  if (graph === undefined) return undefined;
  const flows = Object.keys(graph.entries);
  const wanted = name ?? (flows.includes("main") ? "main" : flows.length === 1 ? flows[0] : undefined);
  const id = wanted === undefined || !Object.hasOwn(graph.entries, wanted) ? undefined : graph.entries[wanted];
  const flow = id === undefined ? undefined : graph.flows[id];
  if (flow !== undefined) return flow;
  const found = problems();
  const span = { file, start: 0, end: 0 };
  if (wanted === undefined && flows.length > 1) found.report(d.whichFlow, span, { flows });
  else found.report(d.noSuchFlow, span, { name: wanted ?? "main", flows, near: nearest(wanted ?? "main", flows) });
  showProblems(found.list(), new Map([...files].filter(([path]) => path !== file)), to);
  return undefined;
}
