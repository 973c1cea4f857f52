/**
 * `weave plan`: the steps of a flow, what each waits for, and what it can use; with inputs in numbers, without them in
 * formulas. `--tree` shows which call contributes what. No call is made.
 */
import { type Asked, askedBy } from "../plan/asked.js";
import { boundData, boundTable, costTree, expectedData } from "../plan/bound-report.js";
import { bounds, expected, type Inputs } from "../plan/bounds.js";
import { drawingJson } from "../plan/draw.js";
import { drawingOf } from "../plan/drawing.js";
import type { FlowIR, Graph } from "../plan/ir.js";
import { outline } from "../plan/outline.js";
import { reach } from "../runtime/reach.js";
import type { RunOptions } from "./commands.js";
import { counted } from "./figures.js";
import { chooseFlow } from "./flow.js";
import { histories } from "./history.js";
import { runHost } from "./host.js";
import { inputsOf } from "./inputs.js";
import { chooseRun, storeOf, withStore } from "./kept.js";
import { showErrors } from "./problems.js";
import { loadProgram } from "./program.js";
import { type Reused, reusedFrom } from "./reused.js";
import { bold, dim, EXIT, type ExitCode, type Terminal } from "./terminal.js";

/** Prints the plan of a flow; inputs, where given, are checked. */
export async function plan(
  file: string,
  name: string | undefined,
  args: readonly string[],
  options: RunOptions & { readonly tree?: boolean },
  to: Terminal,
): Promise<ExitCode> {
  const program = loadProgram(file);
  showErrors(program.problems, program.compiled.files, file, to);
  if (program.missing) return EXIT.usage;
  const flow = chooseFlow(program, file, name, to);
  const { graph } = program.compiled;
  if (flow === undefined || graph === undefined) return program.ok ? EXIT.usage : EXIT.diagnostics;
  if (!program.ok) return EXIT.diagnostics;
  let inputs: Inputs | undefined;
  if (args.length > 0 || options.input !== undefined) {
    inputs = await inputsOf(program, flow, args, options.input, { ...to, interactive: false });
    if (inputs === undefined) return EXIT.usage;
  }
  const bound = bounds(graph, inputs).of(flow);
  const history = options.store === false ? undefined : await histories(options.store)(file, graph);
  const mean = history === undefined ? undefined : expected(graph, flow, inputs, history.means, history.simulated);
  const asked = askedBy(graph, flow);
  const modules = modulesOf(graph, flow);
  let reused: Reused | undefined;
  if (options.reuse !== undefined) {
    reused = await wouldReuse(file, options.reuse, graph, flow, inputs, options, to);
    if (reused === undefined) return EXIT.usage;
  }
  const loud = (text: string): string => bold(text, to.outColor);
  const faint = (text: string): string => dim(text, to.outColor);
  const drawing = drawingOf(graph, flow);
  if (options.json) {
    const steps = JSON.parse(drawingJson(drawing)) as Readonly<Record<string, unknown>>;
    const more = { expected: expectedData(mean), asked, modules, reused: reused === undefined ? null : reusedData(reused) };
    to.out(`${JSON.stringify({ ...steps, ...boundData(bound), ...more }, null, 2)}\n`);
    return EXIT.done;
  }
  if (options.tree) {
    to.out(`${costTree(bound, loud, faint)}\n`);
    return EXIT.done;
  }
  to.out(`${outline(drawing, loud, faint)}\n\n`);
  to.out(`${boundTable(bound, loud, faint, mean)}\n\n${counted(drawing.depth, "call")} in the longest chain\n`);
  if (reused !== undefined) to.out(`${reusedText(reused)}\n`);
  if (asked.length > 0) to.out(`\n${loud("a person is asked")}\n${asked.map(askedText).join("\n")}\n`);
  if (modules.length > 0) to.out(`\n${loud("run with your rights")}\n${modules.map((path) => `  ${path}`).join("\n")}\n`);
  return EXIT.done;
}

/** The modules that its tools are functions of: they can do whatever who starts the run can. */
function modulesOf(graph: Graph, flow: FlowIR): readonly string[] {
  const files = reach(graph, [{ kind: "flow", id: flow.id }]).callables.flatMap(({ kind, id }) => {
    const binding = kind === "tool" ? graph.tools[id]?.binding : undefined;
    return binding?.kind === "module" && !binding.file.startsWith("std:") ? [binding.file] : [];
  });
  return [...new Set(files)].sort();
}

const askedText = ({ kind, question, answer, by }: Asked): string =>
  kind === "approve" ? `  before ${by}: ${question}` : `  in ${by}: ${question}  ${answer}`;

async function wouldReuse(
  file: string,
  named: string,
  graph: Graph,
  flow: FlowIR,
  inputs: Inputs | undefined,
  options: RunOptions,
  to: Terminal,
): Promise<Reused | undefined> {
  const host = runHost(options);
  const store = storeOf(file, options.store === false ? undefined : options.store, to);
  if (host === undefined || store === undefined) return undefined;
  return withStore(store, to, async () => {
    const stored = chooseRun(store, named, () => true, "", to);
    return stored === undefined ? undefined : reusedFrom(stored, graph, flow, inputs ?? {}, host);
  });
}

const countsOf = ({ reused }: Reused): string => [...reused].map(([name, count]) => `${name} ${count}`).join(", ");

function reusedText(found: Reused): string {
  const total = [...found.reused.values()].reduce((sum, count) => sum + count, 0);
  const next = found.called.length === 0 ? "nothing else is called" : `called is ${found.called.join(", ")}, and what needs it`;
  return `from ${found.run} ${total === 0 ? "nothing" : `${counted(total, "result")} (${countsOf(found)})`} would be reused; ${next}`;
}

const reusedData = ({ run, reused, called }: Reused): unknown => ({ run, results: Object.fromEntries(reused), called });
