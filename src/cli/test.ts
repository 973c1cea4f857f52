/**
 * `weave test`: the tests of some files, offline and in virtual time, several at once. A failed one shows each
 * expectation with what was found and the calls that were made. Exit code 1 when one failed, 3 when a file has mistakes.
 */
import { existsSync, writeFileSync } from "node:fs";
import type { Compiled } from "../compile.js";
import { renderProblems } from "../diagnostics/render.js";
import { virtualClock } from "../host/clock.js";
import { isFolder, weaveFiles } from "../host/files.js";
import { models } from "../host/providers/models.js";
import { toolHost } from "../host/tools/host.js";
import { instrument } from "../plan/coverage.js";
import type { Graph } from "../plan/ir.js";
import type { CallRecord } from "../runtime/call-records.js";
import type { Tape } from "../runtime/tape.js";
import { runTest, type TestResult } from "../runtime/testing.js";
import { coverageOf, coverageText } from "./coverage.js";
import { counted, seconds } from "./figures.js";
import { junit } from "./junit.js";
import { showProblems } from "./problems.js";
import { loadProgram } from "./program.js";
import { bold, dim, doNotWait, EXIT, type ExitCode, green, red, type Terminal } from "./terminal.js";
import { placeOf, type TestedFile } from "./tested.js";
import { whenChanged } from "./watch.js";

/** The options of the command. */
export interface TestOptions {
  readonly filter?: string;
  readonly json?: boolean;
  readonly junit?: string;
  readonly coverage?: boolean;
  readonly watch?: boolean;
  /** Asks for what is neither stubbed nor recorded, and writes it down. */
  readonly record?: boolean;
  /** The same, and drops what no test asks for any more. */
  readonly update?: boolean;
}

interface Tested {
  readonly files: readonly TestedFile[];
  /** Every file that was read. */
  readonly read: readonly string[];
  readonly code: ExitCode;
}

/** Runs the tests of files, or of all files below this folder. */
export async function test(named: readonly string[], options: TestOptions, to: Terminal): Promise<ExitCode> {
  doNotWait();
  const first = await testAll(named, options, to);
  if (options.watch) {
    const again = async (): Promise<void> => {
      await testAll(named, options, to);
    };
    await whenChanged(named, first.read, again, to);
  }
  return first.code;
}

async function testAll(named: readonly string[], options: TestOptions, to: Terminal): Promise<Tested> {
  const paths = named.length === 0 ? weaveFiles(".") : named.flatMap((path) => (isFolder(path) ? weaveFiles(path) : [path]));
  const files: TestedFile[] = [];
  const read = new Set(paths);
  let code: ExitCode = EXIT.done;
  for (const path of paths) {
    const { compiled, problems, ok, missing } = loadProgram(path);
    for (const each of compiled.files.keys()) read.add(each);
    if (!ok) showProblems(problems, compiled.files, to);
    if (missing) code = EXIT.usage;
    else if (!ok && code === EXIT.done) code = EXIT.diagnostics;
    if (compiled.graph === undefined) continue;
    const file = await testFile(path, compiled, compiled.graph, options, to);
    if (file === undefined) {
      code = EXIT.usage;
      continue;
    }
    files.push(file);
    if (!options.json) to.out(reportFile(file, to));
  }
  const all = files.flatMap((file) => file.results);
  const failed = all.filter((result) => result.status === "failed").length;
  const coverage = options.coverage ? coverageOf(files) : undefined;
  if (options.json)
    to.out(`${JSON.stringify({ version: 1, tests: files.flatMap(testJson), ...(coverage === undefined ? {} : { coverage }) })}\n`);
  else {
    if (coverage !== undefined) to.out(`${coverageText(coverage, to)}\n`);
    to.out(
      `${all.length === 0 ? "no tests" : bold(`${all.length - failed} passed${failed > 0 ? `, ${failed} failed` : ""}`, to.outColor)}\n`,
    );
  }
  if (options.junit !== undefined) writeFileSync(options.junit, junit(files));
  return { files, read: [...read], code: code === EXIT.done && failed > 0 ? EXIT.failed : code };
}

/** Runs the tests of a file; undefined when its recording cannot be read, which is shown. */
async function testFile(
  path: string,
  compiled: Compiled,
  plain: Graph,
  options: TestOptions,
  to: Terminal,
): Promise<TestedFile | undefined> {
  const { graph, coverable } = options.coverage ? instrument(plain) : { graph: plain, coverable: [] };
  const reached = new Set<string>();
  const records = options.record === true || options.update === true;
  const used = plain.tests.length === 0 ? undefined : await recordingBeside(path, records, to);
  if (used === "unreadable") return undefined;
  const results = await runTests(graph, options.filter, (arm) => reached.add(arm), used?.tapeFor(plain));
  if (records) used?.save(options.update === true && options.filter === undefined && results.every(({ status }) => status === "passed"));
  return { path, compiled, results, coverable, reached };
}

interface Beside {
  readonly tapeFor: (graph: Graph) => () => Tape;
  /** Writes it; `drop` takes out what no test asked for. */
  readonly save: (drop: boolean) => void;
}

/** The recording of a file's tests, `name.recording.yaml` beside it, where there is one or one is to be made. */
async function recordingBeside(path: string, records: boolean, to: Terminal): Promise<Beside | undefined | "unreadable"> {
  const file = path.replace(/\.weave$/, ".recording.yaml");
  if (!records && !existsSync(file)) return undefined;
  const { openFor } = await import("./taping.js");
  const { secretsOf } = await import("../host/recording/file.js");
  const open = openFor(file, { records, command: `weave test ${path} --record` }, to);
  if (open === undefined) return "unreadable";
  const { recording } = open;
  return {
    tapeFor: (graph) => () =>
      recording.tape({
        replay: true,
        record: records,
        secrets: secretsOf(graph, (name) => process.env[name]),
        leaves: ["std:time", "std:random"],
        leavesSim: true,
        files: { directory: process.cwd(), allowed: [] },
        remedy: `Stub it, or ask for it once with \`weave test ${path} --record\`.`,
      }),
    save(drop) {
      const dropped = drop ? recording.dropUnused() : 0;
      const before = open.found;
      if (recording.questions().length === 0 && !before) return;
      if (!open.save()) return;
      to.err(
        dim(`  ${file} was written${dropped === 0 ? "" : `; ${counted(dropped, "answer")} that no test asks for dropped`}\n`, to.color),
      );
    },
  };
}

function runTests(
  graph: Graph,
  filter: string | undefined,
  reached: (arm: string) => void,
  tape: (() => Tape) | undefined,
): Promise<TestResult[]> {
  const wanted = graph.tests.filter((each) => filter === undefined || each.title.toLowerCase().includes(filter.toLowerCase()));
  const environment = (name: string): string | undefined => process.env[name];
  return Promise.all(
    wanted.map((each) =>
      runTest(graph, each, {
        clock: virtualClock(),
        tools: toolHost({ directory: process.cwd(), allowed: [], isolation: "temporary" }),
        models: models({ simulateAll: false, environment }),
        environment,
        seed: 1,
        reached,
        ...(tape === undefined ? {} : { tape: tape() }),
      }),
    ),
  );
}

function reportFile({ path, compiled, results }: TestedFile, to: Terminal): string {
  if (results.length === 0) return "";
  const lines = [bold(path, to.outColor)];
  for (const result of results) {
    const passed = result.status === "passed";
    const sign = passed ? green("✓", to.outColor) : red("✗", to.outColor);
    const took = result.elapsedMs >= 1 ? dim(`  ${seconds(result.elapsedMs)} virtual`, to.outColor) : "";
    lines.push(`  ${sign} ${result.title}${took}`);
    if (passed) continue;
    if (result.problems.length > 0)
      lines.push(indented(renderProblems(result.problems, compiled.files, { color: to.outColor, width: to.width }), 6));
    for (const unmet of result.unmet) {
      lines.push(`      ${unmet.text === "" ? "" : `${unmet.text}  `}${dim(`at ${placeOf(unmet.span, compiled)}`, to.outColor)}`);
      lines.push(indented(unmet.message, 8));
    }
    if (result.calls.length > 0)
      lines.push(
        dim("      calls", to.outColor),
        ...result.calls.slice(0, 20).map((call) => dim(`        ${callLine(call)}`, to.outColor)),
      );
    if (result.calls.length > 20) lines.push(dim(`        and ${result.calls.length - 20} more`, to.outColor));
  }
  return `${lines.join("\n")}\n`;
}

const indented = (text: string, by: number): string => text.trimEnd().replace(/^/gm, " ".repeat(by));
const short = (value: unknown): string => {
  const text = JSON.stringify(value) ?? "";
  return text.length > 60 ? `${text.slice(0, 59)}…` : text;
};

function callLine(call: CallRecord): string {
  const ended = !call.ended
    ? "did not end"
    : call.error === null
      ? `= ${short(call.value)}`
      : `failed: ${call.error.kind}: ${call.error.message}`;
  return `${call.path}${call.attempts > 1 ? ` (${call.attempts} attempts)` : ""} ${ended}`;
}

function testJson({ path, compiled, results }: TestedFile): readonly object[] {
  return results.map((result) => ({
    file: path,
    title: result.title,
    status: result.status,
    elapsed_ms: result.elapsedMs,
    cost_usd: result.spend.costUsd,
    calls: result.calls.length,
    failures: [
      ...result.problems.map((problem) => ({ text: problem.code, message: problem.title, at: placeOf(problem.span, compiled) })),
      ...result.unmet.map((unmet) => ({ text: unmet.text, message: unmet.message, at: placeOf(unmet.span, compiled) })),
    ],
  }));
}
