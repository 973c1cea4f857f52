/** Small ways into the front end for tests. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type Problem, problems } from "../../src/diagnostics/problems.js";
import { type SourceFile, sourceFile } from "../../src/source/source.js";
import type { Expr, Module } from "../../src/syntax/ast.js";
import { parse } from "../../src/syntax/parser.js";

export interface Read {
  readonly file: SourceFile;
  readonly module: Module;
  readonly found: readonly Problem[];
}

export function read(text: string): Read {
  const found = problems();
  const file = sourceFile("test.weave", text);
  const module = parse(file, found);
  return { file, module, found: found.list() };
}

/** The value of `let A = …`, which must parse. */
export function readExpression(text: string): Expr {
  const { module, found } = read(`let A = ${text}\n`);
  const first = module.declarations[0];
  if (found.length > 0 || first?.kind !== "LetDecl") throw new Error(`${text}: ${found[0]?.title ?? "is no value"}`);
  return first.value;
}

/** A tree as data without places, to compare what two texts mean. */
export function meaning(node: unknown): unknown {
  const places = new Set(["span", "opSpan", "runs", "comments", "file"]);
  return JSON.parse(JSON.stringify(node, (key, value: unknown) => (places.has(key) ? undefined : value)));
}

/** Every program in `examples/`, by path. */
export function examples(): readonly { readonly path: string; readonly text: string }[] {
  const root = join(import.meta.dirname, "../../examples");
  return readdirSync(root, { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".weave"))
    .sort()
    .map((path) => ({ path, text: readFileSync(join(root, path), "utf8") }));
}

/** A text with the first mend of a problem carried out. */
export function mended(text: string, problem: Problem | undefined): string {
  const edits = [...(problem?.fixes[0]?.edits ?? [])].sort((a, b) => b.span.start - a.span.start);
  return edits.reduce((now, { span, text: put }) => now.slice(0, span.start) + put + now.slice(span.end), text);
}
