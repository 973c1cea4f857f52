/**
 * Draws a piece of source with marks under it: the lines that matter with their numbers, `^^^` under what is wrong,
 * `---` under what belongs to it, and the texts beside them. Columns are those of a terminal: tabs reach the next
 * stop, wide characters take two cells, control characters are shown as one replacement character and so can do
 * nothing to the terminal. A line too long for the width is cut around its marks. Nothing here throws, whatever the
 * text or the spans.
 */
import { positionAt, type SourceFile } from "../source/source.js";

export interface Mark {
  readonly start: number;
  readonly end: number;
  readonly primary: boolean;
  readonly label: string | undefined;
}

/** Colours a part of the drawing; the identity function where there are no colours. */
export interface Paint {
  readonly gutter: (text: string) => string;
  readonly primary: (text: string) => string;
  readonly secondary: (text: string) => string;
}

const TAB = 4;
/** Lines of a long span that are shown at each of its ends. */
const EDGE = 3;

interface Cells {
  /** The line as it is printed. */
  readonly text: string;
  /** Cell of each UTF-16 unit of the line, and of its end. */
  readonly columns: readonly number[];
}

interface LineMark {
  readonly from: number;
  readonly to: number;
  readonly primary: boolean;
  readonly label: string | undefined;
}

/** Made when it is needed: it takes longer to make than a small file to check. */
let segmenter: Intl.Segmenter | undefined;
const graphemes = (text: string): Intl.Segments => {
  segmenter ??= new Intl.Segmenter(undefined, { granularity: "grapheme" });
  return segmenter.segment(text);
};
const WIDE =
  /[\u1100-\u115f\u2e80-\ua4cf\ua960-\ua97c\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|\p{Emoji_Presentation}|[\u{20000}-\u{3fffd}]|\ufe0f/u;
const CONTROL = /[\u0000-\u0008\u000a-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/gu;
const PLAIN = /^[\x20-\x7e]*$/;

/** Text that is safe to print: control and direction characters become one visible character. */
export function printable(text: string): string {
  return text.replace(CONTROL, "\ufffd");
}

/** How many cells of a terminal a text takes. */
export function cellsOf(text: string): number {
  return cells(text).columns[text.length] ?? 0;
}

function cells(line: string): Cells {
  if (PLAIN.test(line)) return { text: line, columns: Array.from({ length: line.length + 1 }, (_, i) => i) };
  const columns: number[] = [];
  let text = "";
  let column = 0;
  for (const { segment } of graphemes(line)) {
    for (let i = 0; i < segment.length; i++) columns.push(column);
    if (segment === "\t") {
      const width = TAB - (column % TAB);
      text += " ".repeat(width);
      column += width;
    } else {
      const shown = printable(segment);
      text += shown;
      column += WIDE.test(shown) ? 2 : /^\p{M}+$/u.test(shown) ? 0 : 1;
    }
  }
  columns.push(column);
  return { text, columns };
}

/** Cuts a printed line to the cells `[from, to)`, with `…` where something was left out. */
function cut(text: string, from: number, to: number): string {
  let out = "";
  let column = 0;
  let total = 0;
  for (const { segment } of graphemes(text)) {
    const width = WIDE.test(segment) ? 2 : 1;
    if (column >= from && column + width <= to) out += segment;
    else if (column < to && column + width > from) out += " ".repeat(Math.min(column + width, to) - Math.max(column, from));
    column += width;
    total = column;
    if (column > to) break;
  }
  return `${from > 0 ? "…" : ""}${out}${total > to ? "…" : ""}`;
}

const lineText = (file: SourceFile, line: number): string => {
  const start = file.lineStarts[line] ?? file.text.length;
  const next = file.lineStarts[line + 1];
  const end = next === undefined ? file.text.length : next - 1;
  // A line of megabytes is cut long before it is measured; the marks on it stay near its start or are clipped.
  return file.text.slice(start, end).replace(/\r$/, "");
};

/** The widest line number that the marks will show, in digits. */
export function gutterWidth(file: SourceFile, marks: readonly Mark[]): number {
  const last = marks.reduce((line, mark) => Math.max(line, positionAt(file, Math.max(mark.start, mark.end)).line), 0);
  return Math.max(2, String(last + 1).length);
}

/** The drawing, line by line, without the head that names the file. */
export function drawFrame(file: SourceFile, marks: readonly Mark[], gutter: number, width: number, paint: Paint): string[] {
  const onLine = new Map<number, LineMark[]>();
  const shown = new Set<number>();
  let block: { first: number; last: number; mark: Mark } | undefined;
  const add = (line: number, mark: LineMark): void => {
    shown.add(line);
    const list = onLine.get(line);
    if (list === undefined) onLine.set(line, [mark]);
    else list.push(mark);
  };

  for (const mark of marks) {
    const first = positionAt(file, mark.start);
    let last = positionAt(file, Math.max(mark.start, mark.end));
    if (last.line > first.line && last.character === 0) last = { line: last.line - 1, character: lineText(file, last.line - 1).length };
    if (last.line === first.line) {
      add(first.line, { from: first.character, to: last.character, primary: mark.primary, label: mark.label });
    } else if (mark.primary && block === undefined) {
      block = { first: first.line, last: last.line, mark };
      for (let line = first.line; line <= last.line; line++) {
        if (line - first.line < EDGE || last.line - line < EDGE) shown.add(line);
        else line = last.line - EDGE;
      }
    } else {
      add(first.line, { from: first.character, to: lineText(file, first.line).length, primary: mark.primary, label: mark.label });
    }
  }

  const out: string[] = [];
  const margin = block === undefined ? 0 : 2;
  const room = Math.max(24, width - gutter - 2 - margin - 2);
  const bar = (label: string): string => paint.gutter(`${label.padEnd(gutter)}│`);
  const side = (line: number): string => {
    if (block === undefined) return "";
    const stroke = line === block.first ? "╭" : line > block.first && line <= block.last ? "│" : " ";
    return paint.primary(`${stroke} `);
  };
  const push = (text: string): void => {
    out.push(text.trimEnd());
  };

  let previous: number | undefined;
  for (const line of fillSmallGaps([...shown].sort((a, b) => a - b))) {
    if (previous !== undefined && line > previous + 1) {
      const inside = block !== undefined && previous >= block.first && line <= block.last;
      push(inside ? `${bar("")} ${paint.primary("┆")}` : bar(""));
    }
    previous = line;
    const printed = clipLine(lineText(file, line), onLine.get(line) ?? [], room);
    push(`${bar(String(line + 1))} ${side(line)}${printed.text}`);
    const under =
      line === block?.last
        ? paint.primary("│ ")
        : side(line) === "" || line === block?.first
          ? block
            ? paint.primary("│ ")
            : ""
          : side(line);
    for (const row of markRows(printed.marks, paint)) push(`${bar("")} ${under}${row}`);
    if (block !== undefined && line === block.last)
      push(`${bar("")} ${paint.primary(`╰─^${block.mark.label ? ` ${block.mark.label}` : ""}`)}`);
  }
  return out;
}

/** One line between two shown lines is shown as well: a gap would take as much room. */
function fillSmallGaps(lines: readonly number[]): number[] {
  return lines.flatMap((line, i) => {
    const before = lines[i - 1];
    return before !== undefined && line === before + 2 ? [line - 1, line] : [line];
  });
}

/** The printed text of a line and its marks in cells of that text. */
function clipLine(line: string, marks: readonly LineMark[], room: number): { text: string; marks: LineMark[] } {
  // Only the part of a huge line that can be shown is measured.
  const first = marks.reduce((at, mark) => Math.min(at, mark.from), line.length);
  const base = line.length > 4 * room ? Math.max(0, Math.min(first, line.length) - 2 * room) : 0;
  const part = base > 0 || line.length > 4 * room ? line.slice(base, base + 4 * room) : line;
  const { text, columns } = cells(part);
  const total = columns[part.length] ?? 0;
  const at = (offset: number): number => columns[Math.max(0, Math.min(offset - base, part.length))] ?? total;
  const placed = marks.map((mark) => {
    const from = at(mark.from);
    return { ...mark, from, to: Math.max(at(mark.to), from + 1) };
  });
  if (total <= room && base === 0 && part.length === line.length) return { text, marks: placed };

  const main = placed.find((mark) => mark.primary) ?? placed[0];
  const wanted = main === undefined ? 0 : Math.max(0, Math.min(main.from - Math.floor(room / 3), Math.max(0, total - room)));
  const from = main !== undefined && main.to <= room && base === 0 ? 0 : wanted;
  const to = from + room;
  const clipped = cut(text, from, to);
  const lead = from > 0 || base > 0 ? 1 : 0;
  const missingTail = base + part.length < line.length && !clipped.endsWith("…");
  return {
    text: `${base > 0 && from === 0 ? "…" : ""}${clipped}${missingTail ? "…" : ""}`,
    marks: placed.map((mark) => {
      const start = Math.max(0, Math.min(mark.from, to) - from) + lead;
      return { ...mark, from: start, to: Math.max(start + 1, Math.min(mark.to, to) - from + lead) };
    }),
  };
}

/** The rows under a line: the strokes with the rightmost text beside them, then the other texts, each hung below its stroke. */
function markRows(marks: readonly LineMark[], paint: Paint): string[] {
  if (marks.length === 0) return [];
  const sorted = [...marks].sort((a, b) => a.from - b.from || Number(a.primary) - Number(b.primary));
  const color = (mark: LineMark): ((text: string) => string) => (mark.primary ? paint.primary : paint.secondary);

  const strokes: LineMark[] = [];
  const end = Math.max(...sorted.map((mark) => mark.to));
  for (let i = 0; i < end; i++) {
    const over = sorted.filter((mark) => mark.from <= i && i < mark.to);
    const top = over.find((mark) => mark.primary) ?? over.at(-1);
    if (top !== undefined) strokes[i] = top;
  }
  let row = "";
  for (let i = 0; i < end; ) {
    const mark = strokes[i];
    let to = i + 1;
    while (to < end && strokes[to] === mark) to++;
    row += mark === undefined ? " ".repeat(to - i) : color(mark)((mark.primary ? "^" : "-").repeat(to - i));
    i = to;
  }

  const labelled = sorted.filter((mark) => mark.label !== undefined && mark.label !== "");
  const beside = labelled.findLast((mark) => mark.to === end);
  const rows = [beside === undefined ? row : `${row} ${color(beside)(beside.label ?? "")}`];
  const hanging = labelled.filter((mark) => mark !== beside);
  if (hanging.length > 0) rows.push(hangers(hanging, undefined, color));
  for (let i = hanging.length - 1; i >= 0; i--) rows.push(hangers(hanging.slice(0, i + 1), hanging[i], color));
  return rows;
}

function hangers(marks: readonly LineMark[], named: LineMark | undefined, color: (mark: LineMark) => (text: string) => string): string {
  let out = "";
  let column = 0;
  for (const mark of marks) {
    if (mark.from < column) continue;
    out += " ".repeat(mark.from - column) + color(mark)(mark === named ? (mark.label ?? "") : "│");
    column = mark.from + 1;
    if (mark === named) break;
  }
  return out;
}
