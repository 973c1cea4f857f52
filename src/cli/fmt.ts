/**
 * `weave fmt`: the one layout. A file is written only when its text changes, as a whole and through a new file beside
 * it, so that an interrupted write leaves the old one. A file with syntax errors is reported and left as it is.
 */
import { renameSync, statSync, writeFileSync } from "node:fs";
import { problems } from "../diagnostics/problems.js";
import { format } from "../format/format.js";
import { isFolder, readText, weaveFiles } from "../host/files.js";
import { sourceFile } from "../source/source.js";
import { parse } from "../syntax/parser.js";
import { reportUnreadable, showProblems } from "./problems.js";
import { EXIT, type ExitCode, type Terminal } from "./terminal.js";

/** Formats files, all files below this folder, or standard input. */
export async function fmt(named: readonly string[], { check = false }: { check?: boolean }, to: Terminal): Promise<ExitCode> {
  if (named.length === 1 && named[0] === "-") return formatInput(to);
  const paths = named.length === 0 ? weaveFiles(".") : named.flatMap((path) => (isFolder(path) ? weaveFiles(path) : [path]));
  let code: ExitCode = EXIT.done;
  let changed = 0;
  for (const path of paths) {
    const read = readText(path);
    if (read.kind !== "text") {
      const found = problems();
      reportUnreadable(path, read, found);
      showProblems(found.list(), new Map(), to);
      code = EXIT.usage;
      continue;
    }
    const formatted = formatText(path, read.text, to);
    if (formatted === undefined) code = code === EXIT.usage ? code : EXIT.diagnostics;
    else if (formatted !== read.text) {
      changed++;
      if (!check) replaceFile(path, formatted);
      to.out(`${path}\n`);
    }
  }
  if (check && changed > 0) {
    to.err(`${changed} of ${paths.length} files ${changed === 1 ? "is" : "are"} not formatted: run \`weave fmt\`\n`);
    if (code === EXIT.done) code = EXIT.failed;
  }
  return code;
}

async function formatInput(to: Terminal): Promise<ExitCode> {
  const { readInput } = await import("./standard-input.js");
  const formatted = formatText("-", await readInput(), to);
  if (formatted === undefined) return EXIT.diagnostics;
  to.out(formatted);
  return EXIT.done;
}

/** The formatted text, or undefined when the file has errors, which are shown. */
function formatText(path: string, text: string, to: Terminal): string | undefined {
  const file = sourceFile(path, text);
  const found = problems();
  const module = parse(file, found);
  if (!found.hasErrors()) return format(module, file);
  showProblems(found.list(), new Map([[path, file]]), to);
  return undefined;
}

function replaceFile(path: string, text: string): void {
  const beside = `${path}.${process.pid}.tmp`;
  writeFileSync(beside, text, { mode: statSync(path).mode });
  renameSync(beside, path);
}
