/**
 * Every stage, in order, on one screen. Whatever the source holds, a result comes back: problems are collected, and the
 * graph is there when none of them is an error. The compiler reads files only through the host it is given, so it runs
 * in an editor or a browser as it does on the command line.
 */
import { d } from "./diagnostics/catalogue/catalogue.js";
import { problems as collect, type Problem, type Problems } from "./diagnostics/problems.js";
import { withholdConsequences } from "./diagnostics/withhold.js";
import { checkAbilities } from "./plan/abilities.js";
import { bounds } from "./plan/bounds.js";
import { checkBudgets } from "./plan/budgets.js";
import { checkGraph } from "./plan/graph.js";
import type { Graph } from "./plan/ir.js";
import { lint } from "./plan/lints.js";
import { lower } from "./plan/lower.js";
import { checkSpeculation } from "./plan/speculation.js";
import { checkInformationFlow } from "./plan/taint.js";
import { check, type Typed } from "./semantics/check.js";
import { type CompilerHost, resolve } from "./semantics/resolve.js";
import type { SourceFile } from "./source/source.js";
import type { Module } from "./syntax/ast.js";

export type { CompilerHost } from "./semantics/resolve.js";

export interface Compiled {
  /** In order of place. */
  readonly problems: readonly Problem[];
  /** Every file that was read, by path. */
  readonly files: ReadonlyMap<string, SourceFile>;
  readonly modules: ReadonlyMap<string, Module>;
  readonly typed: Typed | undefined;
  /** Undefined where there are errors. */
  readonly graph: Graph | undefined;
  readonly ok: boolean;
}

/** Compiles the program that starts at a file. */
export function compile(entry: string, host: CompilerHost): Compiled {
  const problems = collect();
  const resolved = resolve(entry, host, problems);
  let typed: Typed | undefined;
  let graph: Graph | undefined;
  try {
    typed = check(resolved, withholdConsequences(problems, resolved.files));
    if (!problems.hasErrors()) graph = lower(typed, problems);
    if (graph !== undefined) examine(typed, graph, problems);
  } catch (thrown) {
    // The stages go down the program step by step; one that is deeper than the stack is told, whatever it is.
    if (!(thrown instanceof RangeError)) throw thrown;
    problems.report(d.programTooDeep, { file: entry, start: 0, end: 0 }, {});
  }
  const ok = !problems.hasErrors();
  return {
    problems: problems.list(),
    files: resolved.files,
    modules: new Map(resolved.scopes.map((s) => [s.module.file, s.module])),
    typed,
    graph: ok ? graph : undefined,
    ok,
  };
}

/** What is looked for in the graph of a program that has no errors so far. */
function examine(typed: Typed, graph: Graph, problems: Problems): void {
  checkGraph(graph, problems);
  checkAbilities(graph, problems);
  checkBudgets(graph, bounds(graph), problems);
  checkInformationFlow(graph, problems);
  checkSpeculation(graph, problems);
  if (!problems.hasErrors()) lint(typed, graph, problems);
}
