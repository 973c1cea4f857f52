/** `weave graph`: a flow as a picture, on standard output or in a file. */
import { writeFileSync } from "node:fs";
import { dot, drawingJson, mermaid } from "../plan/draw.js";
import { drawingOf } from "../plan/drawing.js";
import { svg } from "../plan/svg.js";
import { chooseFlow } from "./flow.js";
import { showErrors } from "./problems.js";
import { loadProgram } from "./program.js";
import { EXIT, type ExitCode, type Terminal } from "./terminal.js";

/** Draws a flow of a file. */
export async function graph(
  file: string,
  name: string | undefined,
  options: { format: "mermaid" | "dot" | "svg" | "json"; out?: string },
  to: Terminal,
): Promise<ExitCode> {
  const program = loadProgram(file);
  showErrors(program.problems, program.compiled.files, file, to);
  if (program.missing) return EXIT.usage;
  const flow = chooseFlow(program, file, name, to);
  if (flow === undefined || program.compiled.graph === undefined) return program.ok ? EXIT.usage : EXIT.diagnostics;
  const drawing = drawingOf(program.compiled.graph, flow);
  const text = { mermaid, dot, svg, json: drawingJson }[options.format](drawing);
  if (options.out === undefined) to.out(text);
  else writeFileSync(options.out, text);
  return program.ok ? EXIT.done : EXIT.diagnostics;
}
