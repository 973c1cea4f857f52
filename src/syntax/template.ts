/**
 * Templates: a text that holds `{{` is parsed by Handlebars' own parser, so white-space control is exactly Handlebars',
 * and turned into the small tree of `ast.ts` with spans in the source file; a plain one is read by `plain-template.ts`, to
 * the same result. Total: a broken template is reported once, at the tag that is wrong, and what could be read of it is
 * returned. Only this file knows Handlebars.
 */
// @ts-expect-error The package has types for its main entry only, which takes four times as long to load.
import { parse } from "handlebars/dist/cjs/handlebars/compiler/base.js";
import { d } from "../diagnostics/catalogue/catalogue.js";
import { type Problems, writing } from "../diagnostics/problems.js";
import type { SourceFile, Span } from "../source/source.js";
import type { Name, Template, TemplateExpr, TemplatePart, Text } from "./ast.js";
import { MAX_LEVELS, plainTemplate } from "./plain-template.js";
import { sourceSpan } from "./text.js";

const parseHandlebars: (input: string) => Program = parse;

/** Whether a text is a template: it holds `{{`. */
export function isTemplate(text: Text): boolean {
  return text.value.includes("{{");
}

/** Parses a text as a template. */
export function parseTemplate(text: Text, file: SourceFile, problems: Problems): Template {
  const plain = plainTemplate(text, file.path);
  return plain === undefined ? parseAnyTemplate(text, file, problems) : { parts: plain };
}

/** Any template, plain ones included. */
export function parseAnyTemplate(text: Text, file: SourceFile, problems: Problems): Template {
  const at = places(text, file);
  const tags = scan(text.value);
  const before = problems.errorCount();
  checkTags(tags, text.value, at, problems);
  if (problems.errorCount() > before) return { parts: [] };
  let program: Program;
  try {
    program = parseHandlebars(text.value);
  } catch {
    const wrong = tags.find((tag) => !reads(tag, text.value)) ?? tags[0];
    const from = wrong?.start ?? 0;
    const to = wrong?.end ?? text.value.length;
    const found = text.value.slice(from, to);
    const instead = filterInstead(found);
    const fixes = writing(at.span(from, to), instead);
    problems.report(d.badMustache, at.span(from, to), { found, instead }, { fixes });
    return { parts: [] };
  }
  return { parts: convert(program, { text: text.value, at, problems }) };
}

/** `{{ name | upper }}`, the filter of other template languages, as a function of this one. */
function filterInstead(found: string): string | undefined {
  const [, path, filter] = /^\{\{\s*([A-Za-z_][\w.]*)\s*\|\s*([A-Za-z_]\w*)\s*\}\}$/.exec(found) ?? [];
  return path === undefined || filter === undefined ? undefined : `{{${filter} ${path}}}`;
}

// ------------------------------------------------------------------------------------------------------- places

interface Places {
  /** The source span of a stretch of the cooked text. */
  readonly span: (from: number, to: number) => Span;
  /** Offset in the cooked text of a place of Handlebars (lines from 1, columns from 0). */
  readonly offset: (place: { line: number; column: number }) => number;
}

function places(text: Text, file: SourceFile): Places {
  let starts: number[] | undefined;
  const lines = (): number[] => {
    const found = [0];
    for (const match of text.value.matchAll(/\r\n?|\n/g)) found.push(match.index + match[0].length);
    return found;
  };
  return {
    span: (from, to) => sourceSpan(text, file.path, from, to),
    offset: ({ line, column }) => {
      if (line === 1) return column;
      starts ??= lines();
      return (starts[line - 1] ?? 0) + column;
    },
  };
}

// --------------------------------------------------------------------------------------------------- our own scan

interface Tag {
  readonly kind: "open" | "close" | "else" | "value" | "comment" | "partial" | "decorator" | "raw" | "inverse";
  readonly start: number;
  readonly end: number;
  /** What stands between the braces, without `#`, `/` and `~`. */
  readonly inner: string;
  readonly closed: boolean;
}

/** Finds the tags of a template, as Handlebars' lexer would. */
function scan(text: string): Tag[] {
  const tags: Tag[] = [];
  let i = 0;
  for (;;) {
    const start = text.indexOf("{{", i);
    if (start < 0) return tags;
    if (text[start - 1] === "\\" && text[start - 2] !== "\\") {
      i = start + 2;
      continue;
    }
    const tag = readTag(text, start);
    tags.push(tag);
    i = tag.end;
  }
}

function readTag(text: string, start: number): Tag {
  if (text.startsWith("{{{{", start)) {
    const end = text.indexOf("}}}}", start);
    return { kind: "raw", start, end: end < 0 ? text.length : end + 4, inner: "", closed: true };
  }
  const long = text.startsWith("!--", start + 2) || text.startsWith("~!--", start + 2);
  if (long) {
    const close = /--~?\}\}/.exec(text.slice(start + 2));
    const end = close === null ? text.length : start + 2 + close.index + close[0].length;
    return { kind: "comment", start, end, inner: "", closed: close !== null };
  }
  const triple = text.startsWith("{{{", start);
  let from = start + (triple ? 3 : 2);
  if (text[from] === "~") from++;
  const sign = text[from] ?? "";
  const end = sign === "!" ? text.indexOf("}}", from) : closing(text, from);
  if (end < 0) return { kind: sign === "!" ? "comment" : "value", start, end: text.length, inner: text.slice(from), closed: false };
  const stop = end + (triple && text[end + 2] === "}" ? 3 : 2);
  const inner = text
    .slice(/[#/^>*&!]/.test(sign) ? from + 1 : from, end)
    .replace(/~$/, "")
    .trim();
  const plain = /^else\b/.test(inner) || (sign === "^" && inner === "");
  const kind =
    sign === "!" ? "comment"
    : sign === "#" && text[from + 1] === "*" ? "decorator"
    : sign === "#" && text[from + 1] === ">" ? "partial"
    : sign === "#" ? "open"
    : sign === "/" ? "close"
    : sign === ">" ? "partial"
    : sign === "*" ? "decorator"
    : plain && (sign === "^" || sign === "e") ? "else"
    : sign === "^" ? "inverse"
    : "value"; // biome-ignore format: a table
  return { kind, start, end: stop, inner, closed: true };
}

/** The `}}` that closes a tag: not one inside a quoted text or a `[segment]`; a `{{` before it means there is none. */
function closing(text: string, from: number): number {
  for (let i = from; i < text.length; i++) {
    const c = text[i];
    if (c === '"' || c === "'") {
      const end = text.indexOf(c, i + 1);
      if (end >= 0) i = end;
    } else if (text.startsWith("}}", i)) return i;
    else if (text.startsWith("{{", i)) return -1;
  }
  return -1;
}

/** How deep the parentheses of a tag nest, at most. */
function levels(inner: string): number {
  if (!inner.includes("(")) return 0;
  let depth = 0;
  let deepest = 0;
  for (const [sign] of inner.matchAll(/[()]/g)) {
    depth += sign === "(" ? 1 : -1;
    deepest = Math.max(deepest, depth);
  }
  return deepest;
}

function checkTags(tags: readonly Tag[], text: string, at: Places, problems: Problems): void {
  const open: { tag: Tag; helper: string; otherwise: boolean }[] = [];
  /** Blocks around a tag; `{{else if}}` is a block inside the one before. */
  let depth = 0;
  const depths: number[] = [];
  for (const tag of tags) {
    const span = at.span(tag.start, tag.end);
    if (tag.kind === "open") depths.push(depth++);
    else if (tag.kind === "close") depth = depths.pop() ?? 0;
    else if (tag.kind === "else" && tag.inner !== "else" && tag.inner !== "") depth++;
    if (depth + levels(tag.inner) > MAX_LEVELS) {
      problems.report(d.tooDeep, span, { limit: MAX_LEVELS });
      return;
    }
    if (!tag.closed) {
      problems.report(d.unclosedMustache, at.span(tag.start, tag.start + 2), {});
      return;
    }
    const helper = /^[^\s()]+/.exec(tag.inner)?.[0] ?? "";
    switch (tag.kind) {
      case "comment":
        break;
      case "raw":
        problems.report(d.templateRawBlock, span, {});
        return;
      case "partial":
        problems.report(d.templatePartial, span, {});
        if (text[tag.start + 2] === "#" || text[tag.start + 3] === "#") return;
        break;
      case "decorator":
        problems.report(d.templateDecorator, span, {});
        if (text[tag.start + 2] === "#" || text[tag.start + 3] === "#") return;
        break;
      case "inverse":
        problems.report(d.templateInverse, span, { name: tag.inner });
        return;
      case "open":
        if (tag.inner === "") problems.report(d.emptyMustache, span, {});
        open.push({ tag, helper, otherwise: false });
        break;
      case "close": {
        const last = open.pop();
        if (last === undefined) problems.report(d.strayTemplateClose, span, { found: helper });
        else if (last.helper !== helper) {
          problems.report(
            d.wrongTemplateClose,
            span,
            { found: helper, expected: last.helper },
            {
              related: [{ span: at.span(last.tag.start, last.tag.end), message: "opened here" }],
              fixes: [{ title: `Write \`{{/${last.helper}}}\``, edits: [{ span, text: `{{/${last.helper}}}` }] }],
            },
          );
          return;
        }
        break;
      }
      case "else": {
        const last = open[open.length - 1];
        if (last === undefined) problems.report(d.strayTemplateElse, span, {});
        else if (last.otherwise) problems.report(d.doubleTemplateElse, span, {});
        else if (tag.inner === "else" || tag.inner === "") last.otherwise = true;
        break;
      }
      case "value":
        if (tag.inner === "") problems.report(d.emptyMustache, span, {});
        break;
    }
  }
  for (const { tag, helper } of open) problems.report(d.unclosedTemplateBlock, at.span(tag.start, tag.end), { helper });
}

/** Whether a tag can be read by itself. */
function reads(tag: Tag, text: string): boolean {
  const source = text.slice(tag.start, tag.end);
  const alone =
    tag.kind === "open" ? `${source}{{/${/^[^\s()]+/.exec(tag.inner)?.[0] ?? ""}}}`
    : tag.kind === "close" ? "{{x}}"
    : tag.kind === "else" ? `{{#x}}${source}{{/x}}`
    : source; // biome-ignore format: a table
  try {
    parseHandlebars(alone);
    return true;
  } catch {
    return false;
  }
}

// -------------------------------------------------------------------------------------------------- conversion

interface Located {
  readonly loc: { readonly start: { line: number; column: number }; readonly end: { line: number; column: number } };
}
interface Program extends Partial<Located> {
  readonly type?: "Program";
  readonly body: Statement[];
  readonly blockParams?: readonly string[];
  readonly chained?: boolean;
}
interface Path extends Located {
  readonly type: "PathExpression";
  readonly data: boolean;
  readonly depth: number;
  readonly parts: readonly string[];
  readonly original: string;
}
interface Invocation extends Located {
  readonly path: Value;
  readonly params: readonly Value[];
  readonly hash?: { readonly pairs: readonly (Located & { readonly key: string; readonly value: Value })[] };
}
type Value =
  | Path
  | (Invocation & { readonly type: "SubExpression" })
  | (Located & { readonly type: "StringLiteral" | "NumberLiteral" | "BooleanLiteral"; readonly value: string | number | boolean })
  | (Located & { readonly type: "NullLiteral" | "UndefinedLiteral" });
type Statement =
  | (Located & { readonly type: "ContentStatement"; readonly original: string; readonly value: string })
  | (Located & { readonly type: "CommentStatement" })
  | (Invocation & { readonly type: "MustacheStatement" })
  | (Invocation & { readonly type: "BlockStatement"; readonly program?: Program; readonly inverse?: Program | undefined });

interface Conversion {
  readonly text: string;
  readonly at: Places;
  readonly problems: Problems;
}

function convert(program: Program, to: Conversion): TemplatePart[] {
  const parts: TemplatePart[] = [];
  for (const statement of program.body) {
    const span = spanOf(statement, to);
    switch (statement.type) {
      case "ContentStatement":
        if (statement.value !== "") parts.push({ kind: "TemplateText", text: statement.value });
        break;
      case "CommentStatement":
        break;
      case "MustacheStatement":
        parts.push({ kind: "TemplateValue", value: invocation(statement, to), span });
        break;
      case "BlockStatement": {
        for (const pair of statement.hash?.pairs ?? []) to.problems.report(d.templateBlockArgument, spanOf(pair, to), { name: pair.key });
        parts.push({
          kind: "TemplateBlock",
          helper: calleeOf(statement.path, to),
          args: statement.params.map((param) => value(param, to)),
          blockParams: blockParams(statement, to),
          body: statement.program === undefined ? [] : convert(statement.program, to),
          otherwise: statement.inverse === undefined ? undefined : convert(statement.inverse, to),
          span,
        });
        break;
      }
    }
  }
  return parts;
}

function spanOf(node: Located, to: Conversion): Span {
  return to.at.span(to.at.offset(node.loc.start), to.at.offset(node.loc.end));
}

/** `{{x}}` is a path, `{{f x k=1}}` a call. */
function invocation(node: Invocation, to: Conversion): TemplateExpr {
  if (node.params.length === 0 && (node.hash?.pairs.length ?? 0) === 0) return value(node.path, to);
  return {
    kind: "TemplateCall",
    helper: calleeOf(node.path, to),
    args: node.params.map((param) => value(param, to)),
    hash: (node.hash?.pairs ?? []).map((pair) => {
      const start = to.at.offset(pair.loc.start);
      return { name: { text: pair.key, span: to.at.span(start, start + pair.key.length) }, value: value(pair.value, to) };
    }),
    span: {
      ...spanOf(node.path, to),
      end: Math.max(...[node.path, ...node.params, ...(node.hash?.pairs ?? [])].map((n) => spanOf(n, to).end)),
    },
  };
}

function value(node: Value, to: Conversion): TemplateExpr {
  const span = spanOf(node, to);
  switch (node.type) {
    case "PathExpression":
      return {
        kind: "TemplatePath",
        up: node.depth,
        self: !node.data && (node.parts.length === 0 || /^(\.\.\/)*(this\b|\.(?!\.))/.test(node.original)),
        data: node.data,
        segments: segments(node, to),
        span,
      };
    case "SubExpression": {
      const call = invocation(node, to);
      return call.kind === "TemplateCall"
        ? { ...call, span }
        : { kind: "TemplateCall", helper: calleeOf(node.path, to), args: [], hash: [], span };
    }
    case "NullLiteral":
    case "UndefinedLiteral":
      return { kind: "TemplateLiteral", value: null, span };
    default:
      return { kind: "TemplateLiteral", value: node.value, span };
  }
}

function calleeOf(node: Value, to: Conversion): Name {
  const span = spanOf(node, to);
  if (node.type === "PathExpression" && !node.data && node.depth === 0 && node.parts.length === 1)
    return { text: node.parts[0] ?? "", span };
  to.problems.report(d.templateCallee, span, {});
  return { text: "", span };
}

/** The parts of a path, each with its own place. */
function segments(node: Path, to: Conversion): Name[] {
  // A name may be a part of the word `this`.
  let from = to.at.offset(node.loc.start) + (/^(\.\.\/)*this\b/.exec(node.original)?.[0].length ?? 0);
  return node.parts.map((part) => {
    const found = to.text.indexOf(part, from);
    const start = found < 0 ? from : found;
    from = start + part.length;
    return { text: part, span: to.at.span(start, from) };
  });
}

/** The names between `|` and `|`. */
function blockParams(node: Invocation & { readonly program?: Program }, to: Conversion): Name[] {
  const names = node.program?.blockParams ?? [];
  if (names.length === 0) return [];
  const last = node.params[node.params.length - 1] ?? node.path;
  let from = to.text.indexOf("|", to.at.offset(last.loc.end)) + 1;
  return names.map((text) => {
    const start = to.text.indexOf(text, from);
    from = start + text.length;
    return { text, span: to.at.span(start, from) };
  });
}
