/** `weave plan`: the steps of a flow, what each waits for, and how long the longest chain is. No call is made. */

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
  options: RunOptions,
  to: Terminal,
): Promise<ExitCode> {
  const program = loadProgram(file);
  showErrors(program.problems, program.compiled.files, file, to);
  if (program.missing) return EXIT.usage;
  const flow = chooseFlow(program, file, name, to);
  const { graph } = program.compiled;
  if (flow === undefined || graph === undefined) return program.ok ? EXIT.usage : EXIT.diagnostics;
  if (!program.ok) return EXIT.diagnostics;
  if (args.length > 0 || options.input !== undefined) {
    const inputs = await inputsOf(program, flow, args, options.input, { ...to, interactive: false });
    if (inputs === undefined) return EXIT.usage;
  }
  const drawing = drawingOf(graph, flow);
  if (options.json) {
    to.out(drawingJson(drawing));
    return EXIT.done;
  }
  to.out(
    `${outline(
      drawing,
      (text) => bold(text, to.outColor),
      (text) => dim(text, to.outColor),
    )}\n`,
  );
  to.out(`\n${counted(drawing.depth, "call")} in the longest chain\n`);
  return EXIT.done;
}
