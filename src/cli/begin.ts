/** How `weave run` and `weave eval` begin: the program, the flow that is meant, its models as overridden, the outside. */
import { problems } from "../diagnostics/problems.js";
import type { FlowIR, Graph } from "../plan/ir.js";
import type { RunOptions as RuntimeOptions } from "../runtime/run.js";
import type { Typed } from "../semantics/check.js";
import type { RunOptions } from "./commands.js";
import { chooseFlow } from "./flow.js";
import { runHost } from "./host.js";
import { overrideModels } from "./override.js";
import { showErrors, showProblems } from "./problems.js";
import { loadProgram, type Program } from "./program.js";
import { EXIT, type ExitCode, type Terminal } from "./terminal.js";

export interface Begun {
  readonly program: Program;
  readonly typed: Typed;
  /** With the models that `--model` names. */
  readonly graph: Graph;
  readonly flow: FlowIR;
  readonly host: RuntimeOptions;
}

/** Everything that a flow needs to be started; an exit code where it cannot be, which is shown. */
export function begin(file: string, name: string | undefined, options: Omit<RunOptions, "store">, to: Terminal): Begun | ExitCode {
  const program = loadProgram(file);
  showErrors(program.problems, program.compiled.files, file, to);
  if (program.missing) return EXIT.usage;
  const { graph, typed, files } = program.compiled;
  if (!program.ok || graph === undefined || typed === undefined) return EXIT.diagnostics;
  const flow = chooseFlow(program, file, name, to);
  if (flow === undefined) return EXIT.usage;
  const found = problems();
  const overridden = overrideModels(graph, options.model ?? [], found);
  showProblems(found.list(), files, to);
  if (found.hasErrors()) return EXIT.usage;
  const host = runHost(options);
  if (host !== undefined) return { program, typed, graph: overridden, flow, host };
  to.err("error: --sim-faults is written kind:share, for example rate_limit:5%,timeout:1%\n");
  return EXIT.usage;
}
