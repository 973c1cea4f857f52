/**
 * `weave plan`: the steps of a flow, what each waits for, and what it can use; with inputs in numbers, without them in
 * formulas. `--tree` shows which call contributes what. No call is made.
 */
import { boundData, boundTable, costTree } from "../plan/bound-report.js";
import { bounds, type Inputs } from "../plan/bounds.js";
import { drawingJson } from "../plan/draw.js";
import { drawingOf } from "../plan/drawing.js";
import { outline } from "../plan/outline.js";
import type { RunOptions } from "./commands.js";
import { counted } from "./figures.js";
import { chooseFlow } from "./flow.js";
import { inputsOf } from "./inputs.js";
import { showErrors } from "./problems.js";
import { loadProgram } from "./program.js";
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
  const loud = (text: string): string => bold(text, to.outColor);
  const faint = (text: string): string => dim(text, to.outColor);
  const drawing = drawingOf(graph, flow);
  if (options.json) {
    const steps = JSON.parse(drawingJson(drawing)) as Readonly<Record<string, unknown>>;
    to.out(`${JSON.stringify({ ...steps, ...boundData(bound) }, null, 2)}\n`);
    return EXIT.done;
  }
  if (options.tree) {
    to.out(`${costTree(bound, loud, faint)}\n`);
    return EXIT.done;
  }
  to.out(`${outline(drawing, loud, faint)}\n\n`);
  to.out(`${boundTable(bound, loud, faint)}\n\n${counted(drawing.depth, "call")} in the longest chain\n`);
  return EXIT.done;
}
