/** `weave dump`: what one stage of the compiler makes of a file, as text or JSON on standard output. */

import { nearest } from "../diagnostics/suggest.js";
import { dumpStage, STAGES } from "../dump.js";
import { fileHost } from "../host/files.js";
import { showProblems } from "./problems.js";
import { loadProgram } from "./program.js";
import { EXIT, type ExitCode, type Terminal } from "./terminal.js";

/** Prints a stage of a file; its problems go to standard error. */
export async function dump(stage: string, file: string, to: Terminal): Promise<ExitCode> {
  const wanted = STAGES.find((each) => each === stage);
  if (wanted === undefined) {
    const near = nearest(stage, STAGES);
    to.err(`error: there is no stage '${stage}'${near ? ` (Did you mean ${near}?)` : ""}: it is one of ${STAGES.join(", ")}\n`);
    return EXIT.usage;
  }
  const program = loadProgram(file);
  showProblems(program.problems, program.compiled.files, to);
  if (program.missing) return EXIT.usage;
  to.out(`${dumpStage(wanted, file, fileHost())}\n`);
  return program.ok ? EXIT.done : EXIT.diagnostics;
}
