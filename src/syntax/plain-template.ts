/**
 * Templates that hold only plain values, helpers of plain paths, blocks over one, and `{{else}}`, as most prompts do, read
 * in one go: Handlebars' parser would take longer over them than all the rest of checking. What comes out, white space
 * included, is what Handlebars would make of it; anything else is left to it.
 */
import type { Name, TemplateExpr, TemplatePart, Text } from "./ast.js";
import { sourceSpan } from "./text.js";

/** How deep blocks and parentheses nest. */
export const MAX_LEVELS = 150;

/** Words that are no names in a path. */
const WORDS: ReadonlySet<string> = new Set(["this", "else", "true", "false", "null", "undefined", "as"]);
const BLOCK_PARAMS = /\s+as\s+\|([A-Za-z_]\w*(?: [A-Za-z_]\w*)*)\|/y;

interface Reader {
  readonly text: Text;
  readonly value: string;
  readonly file: string;
  at: number;
}

type Path = TemplateExpr & { readonly kind: "TemplatePath" };
interface Head {
  readonly kind: "open";
  readonly helper: Name;
  readonly over: Path;
  readonly blockParams: readonly Name[];
}
type Tag =
  | Head
  | { readonly kind: "else" }
  | { readonly kind: "close"; readonly name: string }
  | (TemplatePart & { kind: "TemplateValue" });
const ELSE: Tag = { kind: "else" };

/** The parts of a plain template, or undefined for any other: also for one with mistakes. */
export function plainTemplate(text: Text, file: string): readonly TemplatePart[] | undefined {
  const { value } = text;
  const r: Reader = { text, value, file, at: 0 };
  const root: TemplatePart[] = [];
  const open: { head: Head; start: number; around: TemplatePart[]; body: TemplatePart[]; otherwise: TemplatePart[] | undefined }[] = [];
  let parts = root;
  /** Where the text begins that is between two tags, without what the first takes with it. */
  let from = 0;
  let before = 0;
  for (let start = value.indexOf("{{"); start >= 0; start = value.indexOf("{{", before)) {
    if (value[start - 1] === "\\") return undefined;
    const tag = readTag(r, start);
    if (tag === undefined) return undefined;
    const alone = tag.kind !== "TemplateValue" && standsAlone(value, before, start, r.at);
    const to = alone ? blanksBefore(value, start, from) : start;
    if (to > from) parts.push({ kind: "TemplateText", text: value.slice(from, to) });
    before = r.at;
    from = alone ? lineAfter(value, before) : before;
    const last = open[open.length - 1];
    switch (tag.kind) {
      case "TemplateValue":
        parts.push(tag);
        break;
      case "open": {
        if (open.length >= MAX_LEVELS) return undefined;
        const body: TemplatePart[] = [];
        open.push({ head: tag, start, around: parts, body, otherwise: undefined });
        parts = body;
        break;
      }
      case "else":
        if (last === undefined || last.otherwise !== undefined) return undefined;
        last.otherwise = [];
        parts = last.otherwise;
        break;
      case "close": {
        if (last?.head.helper.text !== tag.name) return undefined;
        open.pop();
        const { head, around, body, otherwise } = last;
        const span = sourceSpan(text, file, last.start, before);
        around.push({
          kind: "TemplateBlock",
          helper: head.helper,
          args: [head.over],
          blockParams: head.blockParams,
          body,
          otherwise,
          span,
        });
        parts = around;
      }
    }
  }
  if (open.length > 0) return undefined;
  if (value.length > from) root.push({ kind: "TemplateText", text: value.slice(from) });
  return root;
}

// ------------------------------------------------------------------------------------------------------------ tags

/** The tag that begins at a `{{`; the reader stands behind it then. */
function readTag(r: Reader, start: number): Tag | undefined {
  const { value } = r;
  const inside = start + 2;
  if (value[inside] === "#") return readHead(r, inside + 1);
  if (value[inside] === "/") {
    const end = nameEnd(value, inside + 1);
    return closes(r, end) ? { kind: "close", name: value.slice(inside + 1, end) } : undefined;
  }
  if (value.startsWith("else", inside) && closes(r, spaceEnd(value, inside + 4))) return ELSE;
  const begin = spaceEnd(value, inside);
  const first = readPath(r, begin);
  if (first === undefined) return undefined;
  const args: TemplateExpr[] = [];
  for (;;) {
    const end = r.at;
    const next = spaceEnd(value, end);
    if (closes(r, next)) {
      const span = sourceSpan(r.text, r.file, start, r.at);
      if (args.length === 0) return { kind: "TemplateValue", value: first, span };
      const [name, more] = first.segments;
      if (name === undefined || more !== undefined) return undefined;
      const helper: Name = { text: name.text, span: first.span };
      const call: TemplateExpr = { kind: "TemplateCall", helper, args, hash: [], span: sourceSpan(r.text, r.file, begin, end) };
      return { kind: "TemplateValue", value: call, span };
    }
    const arg = next === end ? undefined : readPath(r, next);
    if (arg === undefined) return undefined;
    args.push(arg);
  }
}

/** What stands between `{{#` and `}}`. */
function readHead(r: Reader, start: number): Head | undefined {
  const { value, text, file } = r;
  const end = nameEnd(value, start);
  const next = spaceEnd(value, end);
  const name = value.slice(start, end);
  if (end === start || next === end || WORDS.has(name)) return undefined;
  const over = readPath(r, next);
  if (over === undefined) return undefined;
  const helper: Name = { text: name, span: sourceSpan(text, file, start, end) };
  const blockParams: Name[] = [];
  BLOCK_PARAMS.lastIndex = r.at;
  if (closes(r, spaceEnd(value, r.at))) return { kind: "open", helper, over, blockParams };
  const params = BLOCK_PARAMS.exec(value);
  if (params === null || !closes(r, spaceEnd(value, BLOCK_PARAMS.lastIndex))) return undefined;
  let from = value.indexOf("|", params.index) + 1;
  for (const param of (params[1] ?? "").split(" ")) {
    blockParams.push({ text: param, span: sourceSpan(text, file, from, from + param.length) });
    from += param.length + 1;
  }
  return { kind: "open", helper, over, blockParams };
}

/** Names with points between them; `this` may be the first. The reader stands behind it then. */
function readPath(r: Reader, start: number): Path | undefined {
  const { value, text, file } = r;
  const segments: Name[] = [];
  let self = false;
  for (let from = start; ; from = r.at + 1) {
    r.at = nameEnd(value, from);
    if (r.at === from) return undefined;
    const name = value.slice(from, r.at);
    if (name === "this" && from === start) self = true;
    else if (WORDS.has(name)) return undefined;
    else segments.push({ text: name, span: sourceSpan(text, file, from, r.at) });
    if (value[r.at] !== ".") break;
  }
  const [first, more] = segments;
  const span = first === undefined || more !== undefined || self ? sourceSpan(text, file, start, r.at) : first.span;
  return { kind: "TemplatePath", up: 0, self, data: false, segments, span };
}

function closes(r: Reader, at: number): boolean {
  if (!r.value.startsWith("}}", at)) return false;
  r.at = at + 2;
  return true;
}

function nameEnd(value: string, start: number): number {
  let at = start;
  for (; ; at++) {
    const code = value.charCodeAt(at);
    const lower = code | 32;
    const digit = at > start && code >= 48 && code <= 57;
    if (!(lower >= 97 && lower <= 122) && code !== 95 && !digit) return at;
  }
}

// ----------------------------------------------------------------------------------------------------- white space

const TAB = 9;
const NEWLINE = 10;
const RETURN = 13;
const SPACE = 32;

/** What a regular expression calls white space. */
function isSpace(code: number): boolean {
  return code === SPACE || (code >= TAB && code <= RETURN) || (code >= 160 && /\s/.test(String.fromCharCode(code)));
}

function spaceEnd(value: string, start: number): number {
  let at = start;
  while (isSpace(value.charCodeAt(at))) at++;
  return at;
}

/** Whether a tag has its lines for itself; `before` is the end of the tag before it. */
function standsAlone(value: string, before: number, start: number, end: number): boolean {
  let at = start - 1;
  while (at >= before && value.charCodeAt(at) !== NEWLINE && isSpace(value.charCodeAt(at))) at--;
  if (at >= before ? value.charCodeAt(at) !== NEWLINE : before > 0) return false;
  at = end;
  while (value.charCodeAt(at) !== NEWLINE && isSpace(value.charCodeAt(at))) at++;
  return at === value.length || value.charCodeAt(at) === NEWLINE;
}

/** Where the blanks before a tag begin. */
function blanksBefore(value: string, start: number, from: number): number {
  let at = start;
  while (at > from && isBlank(value.charCodeAt(at - 1))) at--;
  return at;
}

/** Where the line after a tag begins of which only blanks are left. */
function lineAfter(value: string, end: number): number {
  let at = end;
  while (isBlank(value.charCodeAt(at))) at++;
  if (value.charCodeAt(at) === RETURN) at++;
  return value.charCodeAt(at) === NEWLINE ? at + 1 : at;
}

function isBlank(code: number): boolean {
  return code === SPACE || code === TAB;
}
