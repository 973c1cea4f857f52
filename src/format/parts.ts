/** What the parts of the formatter share: the file, its comments, and the laying out of bracketed lists. */
import type { SourceFile, Span } from "../source/source.js";
import type { Annotation } from "../syntax/ast.js";
import type { Comments } from "./comments.js";
import { all, breakParent, concat, either, group, hardline, indent, type Layout, line, softline } from "./layout.js";

export interface Context {
  readonly file: SourceFile;
  readonly comments: Comments;
  /** How annotations before something are written: fields of types have them too, and they hold expressions. */
  readonly annotations: (c: Context, annotations: readonly Annotation[], target: number) => Layout;
}

/** Source text as it was written. */
export function source(c: Context, span: Span): string {
  return c.file.text.slice(span.start, span.end);
}

/** Whether the author left a blank line before an offset. */
export function blankBefore(c: Context, offset: number): boolean {
  let newlines = 0;
  for (let i = offset - 1; i >= 0; i--) {
    const char = c.file.text[i];
    if (char === "\n") newlines++;
    else if (char !== " " && char !== "\t" && char !== "\r") break;
  }
  return newlines > 1;
}

/** Whether the author broke the line right before an offset (comments aside). */
export function brokenBefore(c: Context, offset: number): boolean {
  for (let i = offset - 1; i >= 0; i--) {
    const char = c.file.text[i];
    if (char === "\n") return true;
    if (char !== " " && char !== "\t" && char !== "\r") return false;
  }
  return false;
}

/** Whether the author broke the line right after an offset. */
export function brokenAfter(c: Context, offset: number): boolean {
  return /[ \t\r]*(\n|\/\/)?/y.exec(c.file.text.slice(offset, offset + 200))?.[1] !== undefined;
}

/** The offset of the first thing after white space and comments. */
export function afterTrivia(c: Context, offset: number): number {
  const trivia = /(?:\s|\/\/[^\n]*|\/\*[\s\S]*?\*\/)*/y;
  trivia.lastIndex = offset;
  trivia.test(c.file.text);
  return trivia.lastIndex;
}

export interface Entry {
  readonly start: number;
  readonly end: number;
  readonly lay: () => Layout;
}

interface Style {
  readonly open: string;
  readonly close: string;
  /** Spaces inside the brackets on one line. */
  readonly padded: boolean;
  /** Between elements when broken; on one line it is always a comma. */
  readonly separator: "," | "";
  /** Keep the line breaks that the author put after the opener, and blank lines between elements. */
  readonly keep: boolean;
}

export const ARGUMENTS: Style = { open: "(", close: ")", padded: false, separator: ",", keep: false };
export const ELEMENTS: Style = { open: "[", close: "]", padded: false, separator: ",", keep: true };
export const FIELDS: Style = { open: "{", close: "}", padded: true, separator: "", keep: true };
export const NAMES: Style = { open: "{", close: "}", padded: true, separator: ",", keep: false };

/** A bracketed list; `to` is the offset after its closer. */
export function bracketed(c: Context, style: Style, to: number, entries: readonly Entry[]): Layout {
  const { open, close, padded, separator, keep } = style;
  const first = entries[0];
  const parts: Layout[] = [];
  const broken = keep && first !== undefined && brokenBefore(c, c.comments.startBefore(first.start));
  for (const [i, entry] of entries.entries()) {
    const last = i === entries.length - 1;
    const blank = i > 0 && keep && blankBefore(c, c.comments.startBefore(entry.start));
    const before = c.comments.before(entry.start);
    const body = entry.lay();
    const behind = c.comments.behind(entry.end);
    if (i > 0) parts.push(blank ? either(concat(hardline, hardline), line) : line);
    parts.push(before, body, behind.inline, last ? "" : separator === "," ? "," : either("", ","), behind.after);
  }
  const dangling = c.comments.waiting(to - 1) ? c.comments.dangling(to - 1) : "";
  if (first === undefined) return dangling === "" ? `${open}${close}` : concat(open, indent(dangling), hardline, close);
  const edge = padded ? line : softline;
  return group(open, indent(edge, all(parts), dangling), edge, close, broken ? breakParent : "");
}

/** What stands behind something that no comma follows. */
export function behind(c: Context, end: number): Layout {
  const { inline, after } = c.comments.behind(end);
  return concat(inline, after);
}
