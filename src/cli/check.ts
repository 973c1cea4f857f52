/**
 * `weave check`: every mistake of some files at once, and what each flow can use at most. With `--json` the problems are data on standard output; the exit
 * code says whether there was an error. `--online` also asks the MCP servers that a program uses. `--watch` checks again when a file that was read changes.
 */
import type { Problem } from "../diagnostics/problems.js";
import { toJson } from "../diagnostics/render.js";
import { isFolder, weaveFiles } from "../host/files.js";
import { boundData, boundLine, expectedData } from "../plan/bound-report.js";
import { bounds, type Expected, expected, type FlowBound } from "../plan/bounds.js";
import type { SourceFile } from "../source/source.js";
import { histories } from "./history.js";
import { showProblems } from "./problems.js";
import { loadProgram } from "./program.js";
import { bold, dim, EXIT, type ExitCode, green, type Terminal } from "./terminal.js";
import { whenChanged } from "./watch.js";

interface Checked {
  readonly problems: readonly Problem[];
  readonly files: ReadonlyMap<string, SourceFile>;
  readonly flows: readonly CheckedFlow[];
  readonly entries: readonly string[];
  readonly ok: boolean;
  /** A file that was named is not there. */
  readonly missing: boolean;
}

interface CheckedFlow {
  readonly file: string;
  readonly name: string;
  readonly bound: FlowBound;
  readonly expected: Expected | undefined;
}

interface CheckOptions {
  readonly json?: boolean;
  readonly watch?: boolean;
  /** Also asks the MCP servers. */
  readonly online?: boolean;
}

/** Checks files, or all files below this folder. */
export async function check(named: readonly string[], options: CheckOptions, to: Terminal): Promise<ExitCode> {
  const first = await checkAll(named, options);
  report(first, options, to);
  const again = async (): Promise<void> => report(await checkAll(named, options), options, to);
  if (options.watch) await whenChanged(named, [...first.files.keys(), ...first.entries], again, to);
  if (first.missing) return EXIT.usage;
  return first.ok ? EXIT.done : EXIT.diagnostics;
}

async function checkAll(named: readonly string[], { online = false }: CheckOptions): Promise<Checked> {
  const entries = named.length === 0 ? weaveFiles(".") : named.flatMap((path) => (isFolder(path) ? folderFiles(path) : [path]));
  const problems: Problem[] = [];
  const files = new Map<string, SourceFile>();
  const flows: CheckedFlow[] = [];
  const seen = new Set<string>();
  const historyIn = histories();
  let ok = true;
  let missing = false;
  for (const entry of entries) {
    const program = loadProgram(entry);
    const { graph } = program.compiled;
    const differing = online && graph !== undefined ? await (await import("./online.js")).checkOnline(graph) : [];
    ok &&= program.ok && differing.every((problem) => problem.severity !== "error");
    missing ||= program.missing;
    for (const [path, file] of program.compiled.files) files.set(path, file);
    for (const problem of [...program.problems, ...differing]) {
      // A file that several programs import reports its problems once.
      const key = `${problem.code} ${problem.span.file} ${problem.span.start} ${problem.span.end}`;
      if (!seen.has(key)) problems.push(problem);
      seen.add(key);
    }
    if (graph === undefined || !program.ok) continue;
    const history = await historyIn(entry, graph);
    for (const [name, id] of Object.entries(graph.entries)) {
      const flow = graph.flows[id];
      if (flow === undefined) continue;
      const mean = history === undefined ? undefined : expected(graph, flow, undefined, history.means, history.simulated);
      flows.push({ file: entry, name, bound: bounds(graph).of(flow), expected: mean });
    }
  }
  return { problems, files, flows, entries, ok, missing };
}

function folderFiles(path: string): string[] {
  const files = weaveFiles(path);
  return files.length === 0 ? [path] : files;
}

function report(checked: Checked, { json }: { json?: boolean }, to: Terminal): void {
  if (json) {
    const flows = checked.flows.map(({ file, name, bound, expected: mean }) => ({
      file,
      name,
      ...boundData(bound),
      expected: expectedData(mean),
    }));
    to.out(`${JSON.stringify({ version: 1, diagnostics: toJson(checked.problems, checked.files), flows })}\n`);
    return;
  }
  showProblems(checked.problems, checked.files, to);
  const { length } = checked.entries;
  if (length === 0) to.err("There is no .weave file below this folder. `weave init` makes a small project.\n");
  else if (checked.problems.every((problem) => problem.severity === "note"))
    to.err(`${green("✓", to.color)} no problems in ${length === 1 ? checked.entries[0] : `${length} files`}\n`);
  reportBounds(checked.flows, length > 1, to);
}

/** A line for each flow: what it can use at most. */
function reportBounds(flows: readonly CheckedFlow[], several: boolean, to: Terminal): void {
  const wide = Math.max(0, ...flows.map(({ name }) => name.length));
  let before = "";
  let lines = "";
  for (const { file, name, bound, expected: mean } of flows) {
    if (several && file !== before) lines += `${dim(file, to.outColor)}\n`;
    before = file;
    lines += `${several ? "  " : ""}${bold(name, to.outColor)}${" ".repeat(wide - name.length)}  ${boundLine(bound, mean)}\n`;
  }
  if (lines !== "") to.out(lines);
}
