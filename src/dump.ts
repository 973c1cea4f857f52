/**
 * What each stage of the compiler makes of a file, as text: for `weave dump`, for golden tests, for whoever builds the
 * compiler. The text of a stage is stable as long as what it shows is.
 */
import { type Compiled, type CompilerHost, compile } from "./compile.js";
import { problems } from "./diagnostics/problems.js";
import { typeText } from "./semantics/types.js";
import { positionAt, type SourceFile, type Span, sourceFile } from "./source/source.js";
import type { Module } from "./syntax/ast.js";
import { parse } from "./syntax/parser.js";
import { lex } from "./syntax/tokens.js";

export const STAGES = ["tokens", "ast", "names", "types", "graph"] as const;
export type Stage = (typeof STAGES)[number];

/** The text of a stage of a file; files and problems that cannot be had give what there is. */
export function dumpStage(stage: Stage, path: string, host: CompilerHost): string {
  const file = sourceFile(path, host.read(path) ?? "");
  switch (stage) {
    case "tokens":
      return dumpTokens(file);
    case "ast":
      return dumpTree(parse(file, problems()));
    case "names":
      return dumpNames(compile(path, host), file);
    case "types":
      return dumpTypes(compile(path, host), file);
    case "graph": {
      const { graph } = compile(path, host);
      return graph === undefined ? "no graph: the program has errors" : JSON.stringify(graph, null, 2);
    }
  }
}

const place = (file: SourceFile, offset: number): string => {
  const { line, character } = positionAt(file, offset);
  return `${line + 1}:${character + 1}`;
};

/** Rows in columns; the last one is as long as it is. */
function columns(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [i, cell] of row.slice(0, -1).entries()) widths[i] = Math.max(widths[i] ?? 0, cell.length);
  }
  const line = (row: readonly string[]): string =>
    row.map((cell, i) => (i === row.length - 1 ? cell : cell.padEnd(widths[i] ?? 0))).join("  ");
  return rows.map((row) => line(row).trimEnd()).join("\n");
}

function dumpTokens(file: SourceFile): string {
  const { tokens, comments } = lex(file, problems());
  const rows = [
    ...tokens.map((token) => ({ at: token.startOffset, kind: token.tokenType.name, text: token.image })),
    ...comments.map((comment) => ({ at: comment.span.start, kind: `${comment.kind} comment`, text: comment.text })),
  ].sort((a, b) => a.at - b.at);
  return columns(rows.map(({ at, kind, text }) => [place(file, at), kind, JSON.stringify(text)]));
}

/** The tree as indented text: a line for a node, its plain facts beside its kind; places and empty parts are left out. */
function dumpTree(module: Module): string {
  const lines: string[] = [];
  const isPlain = (value: unknown): boolean => typeof value !== "object" || value === null;
  const isName = (value: unknown): value is { readonly text: string } =>
    typeof value === "object" && value !== null && "text" in value && "span" in value && !("kind" in value);
  const shown = (value: unknown): string => (isName(value) ? value.text || "(missing)" : JSON.stringify(value));
  const write = (label: string, value: unknown, indent: string): void => {
    if (value === undefined || (Array.isArray(value) && value.length === 0)) return;
    if (Array.isArray(value)) {
      if (value.every((each) => isPlain(each) || isName(each))) lines.push(`${indent}${label}: ${value.map(shown).join(", ")}`);
      else {
        lines.push(`${indent}${label}`);
        for (const each of value) write("-", each, `${indent}  `);
      }
      return;
    }
    if (isPlain(value) || isName(value)) {
      lines.push(`${indent}${label}: ${shown(value)}`);
      return;
    }
    const fields = Object.entries(value as object).filter(
      ([name, field]) => !["kind", "span", "opSpan", "runs", "raw", "file", "ownLine"].includes(name) && field !== undefined,
    );
    const facts = fields.filter(([, field]) => isPlain(field) || isName(field)).map(([name, field]) => `${name}=${shown(field)}`);
    const kind = "kind" in (value as object) ? String((value as { kind: unknown }).kind) : "";
    lines.push(`${indent}${[label === "-" ? "" : `${label}:`, kind, ...facts].filter((part) => part !== "").join(" ")}`.trimEnd());
    for (const [name, field] of fields) if (!isPlain(field) && !isName(field)) write(name, field, `${indent}  `);
  };
  lines.push("Module");
  for (const [name, field] of Object.entries(module)) if (["imports", "declarations", "comments"].includes(name)) write(name, field, "  ");
  return lines.join("\n");
}

function dumpNames({ typed }: Compiled, file: SourceFile): string {
  const scope = typed?.resolved.scopes.find((each) => each.module.file === file.path);
  if (scope === undefined) return "";
  const rows: { readonly span: Span; readonly cells: readonly string[] }[] = [];
  for (const [name, symbol] of scope.names) {
    const imported = scope.imports.get(name);
    const span = imported?.span ?? symbol.decl.name.span;
    const kind = symbol.decl.kind.replace(/Decl$/, "").toLowerCase();
    rows.push({ span, cells: [name, kind, imported === undefined ? symbol.id : `${symbol.id} (imported)`] });
  }
  for (const [name, local] of typed?.tables.locals ?? []) {
    if (name.span.file === file.path) rows.push({ span: name.span, cells: [name.text, local.kind, local.used ? "" : "unused"] });
  }
  return sorted(rows, file);
}

function dumpTypes({ typed }: Compiled, file: SourceFile): string {
  const rows: { readonly span: Span; readonly cells: readonly string[] }[] = [];
  for (const [name, local] of typed?.tables.locals ?? []) {
    if (name.span.file === file.path) rows.push({ span: name.span, cells: [`${local.kind} ${name.text}`, typeText(local.type)] });
  }
  for (const [expr, type] of typed?.tables.types ?? []) {
    if (expr.span.file !== file.path) continue;
    const text = file.text.slice(expr.span.start, expr.span.end).replace(/\s+/g, " ");
    rows.push({ span: expr.span, cells: [text.length > 40 ? `${text.slice(0, 39)}…` : text, typeText(type)] });
  }
  return sorted(rows, file);
}

function sorted(rows: readonly { readonly span: Span; readonly cells: readonly string[] }[], file: SourceFile): string {
  const inOrder = [...rows].sort((a, b) => a.span.start - b.span.start || b.span.end - a.span.end);
  return columns(inOrder.map(({ span, cells }) => [place(file, span.start), ...cells]));
}
