/**
 * Reads the literals that need more than their token: text with escapes and block text with its indentation, numbers
 * with their units, regular expressions. `Text.runs` maps every character of the cooked text back to the source, so a
 * mistake inside a template is shown where it was typed.
 */
import { d } from "../diagnostics/catalogue/catalogue.js";
import type { Problems } from "../diagnostics/problems.js";
import type { Span } from "../source/source.js";
import type { NumberExpr, Text } from "./ast.js";
import { closingQuotes } from "./tokens.js";

type Run = { readonly at: number; readonly source: number };

/** Offset in the source of a character of the cooked text; `value.length` gives the place after the last one. */
export function sourceOffset(text: Text, offset: number): number {
  const { runs } = text;
  let low = 0;
  let high = runs.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((runs[middle]?.at ?? 0) <= offset) low = middle;
    else high = middle - 1;
  }
  const run = runs[low];
  return run === undefined ? text.span.start : run.source + (offset - run.at);
}

/** The source span of a stretch of the cooked text. */
export function sourceSpan(text: Text, file: string, from: number, to: number): Span {
  const start = sourceOffset(text, from);
  // The end is that of the last character: the one after it may stand behind an indentation.
  return { file, start, end: to > from ? sourceOffset(text, to - 1) + 1 : start };
}

/** Cooks the image of a text token. Wrong escapes are reported and kept as they were typed. */
export function readText(image: string, span: Span, problems: Problems): Text {
  return image.startsWith('"""') ? blockText(image, span) : lineText(image, span, problems);
}

const simpleEscapes: Readonly<Record<string, string>> = {
  '"': '"',
  "\\": "\\",
  "/": "/",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
};

function lineText(image: string, span: Span, problems: Problems): Text {
  // Texts in wrong quotes have been reported and are read all the same.
  const quote = closingQuotes[image[0] ?? ""] ?? '"';
  const end = image.length > 1 && image.endsWith(quote) ? image.length - 1 : image.length;
  const runs: Run[] = [{ at: 0, source: span.start + 1 }];
  if (!image.includes("\\")) return { kind: "Text", value: image.slice(1, end), block: false, runs, span };
  const parts: string[] = [];
  let length = 0;
  let from = 1;
  const push = (part: string, next: number) => {
    parts.push(part);
    length += part.length;
    from = next;
    runs.push({ at: length, source: span.start + next });
  };
  for (let i = image.indexOf("\\"); i >= 0 && i < end; i = image.indexOf("\\", from)) {
    if (i > from) {
      parts.push(image.slice(from, i));
      length += i - from;
      // The escape itself starts a run, so its first character maps to the backslash.
      runs.push({ at: length, source: span.start + i });
    }
    const c = image[i + 1] ?? "";
    const simple = simpleEscapes[c] ?? (c === quote && i + 1 < end ? c : undefined);
    const hex = image.slice(i + 2, i + 6);
    if (image.startsWith("{{", i + 1)) {
      // `\{{` is the template's literal pair: it stays for the template to read.
      push("\\{{", i + 3);
    } else if (simple !== undefined && i + 1 < end) {
      push(simple, i + 2);
    } else if (c === "u" && /^[0-9a-fA-F]{4}$/.test(hex) && i + 6 <= end) {
      push(String.fromCharCode(Number.parseInt(hex, 16)), i + 6);
    } else {
      const stop = Math.min(end, i + 2);
      problems.report(
        d.unknownEscape,
        { file: span.file, start: span.start + i, end: span.start + stop },
        { sequence: image.slice(i, stop) },
      );
      push(image.slice(i, stop), Math.max(stop, i + 1));
    }
  }
  if (from < end) parts.push(image.slice(from, end));
  return { kind: "Text", value: parts.join(""), block: false, runs: tidy(runs), span };
}

/** Drops runs that continue the one before, and all but the last that start at one place. */
function tidy(runs: readonly Run[]): readonly Run[] {
  const kept: Run[] = [];
  for (const run of runs) {
    if (kept[kept.length - 1]?.at === run.at) kept.pop();
    const before = kept[kept.length - 1];
    if (before === undefined || before.source - before.at !== run.source - run.at) kept.push(run);
  }
  return kept;
}

function blockText(image: string, span: Span): Text {
  const closed = image.length >= 6 && image.endsWith('"""');
  let start = 3;
  let end = closed ? image.length - 3 : image.length;
  const first = /^[ \t]*\r?\n/.exec(image.slice(start, end));
  if (first !== null) start += first[0].length;
  const last = lastLine(image, start, end, first !== null);
  if (last !== undefined) end = last;
  const indent = sharedIndent(image, start, end);
  const parts: string[] = [];
  const runs: Run[] = [];
  let length = 0;
  for (let line = start; line <= end; ) {
    const newline = image.indexOf("\n", line);
    const stop = newline < 0 || newline >= end ? end : newline;
    let from = line;
    while (from < stop && from - line < indent && (image[from] === " " || image[from] === "\t")) from++;
    const hasReturn = stop < end && stop > from && image[stop - 1] === "\r";
    runs.push({ at: length, source: span.start + from });
    const part = image.slice(from, hasReturn ? stop - 1 : stop);
    parts.push(part);
    length += part.length;
    if (stop >= end) break;
    if (hasReturn) runs.push({ at: length, source: span.start + stop });
    parts.push("\n");
    length++;
    line = stop + 1;
  }
  if (runs.length === 0) runs.push({ at: 0, source: span.start + start });
  return { kind: "Text", value: parts.join(""), block: true, runs: tidy(runs), span };
}

/** Where the text ends when its last line holds nothing but white space: before that line's break. */
function lastLine(image: string, start: number, end: number, opened: boolean): number | undefined {
  let i = end - 1;
  while (i >= start && (image[i] === " " || image[i] === "\t")) i--;
  if (i < start) return opened ? start : undefined;
  if (image[i] !== "\n") return undefined;
  return i > start && image[i - 1] === "\r" ? i - 1 : i;
}

/** How many white-space characters all lines that are not blank begin with alike. */
function sharedIndent(image: string, start: number, end: number): number {
  let shared: string | undefined;
  for (let line = start; line < end; ) {
    const newline = image.indexOf("\n", line);
    const stop = newline < 0 || newline >= end ? end : newline;
    let i = line;
    while (i < stop && (image[i] === " " || image[i] === "\t")) i++;
    if (i < stop && image[i] !== "\r") {
      const indent = image.slice(line, i);
      if (shared === undefined) shared = indent;
      else {
        let same = 0;
        while (same < shared.length && shared[same] === indent[same]) same++;
        shared = shared.slice(0, same);
      }
    }
    line = stop + 1;
  }
  return shared?.length ?? 0;
}

const durations: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const sizes: Readonly<Record<string, number>> = { k: 1_000, M: 1_000_000 };
/** What people write for a suffix that we spell otherwise. */
const suffixMends: Readonly<Record<string, string>> = {
  sec: "s", secs: "s", second: "s", seconds: "s", min: "m", mins: "m", minute: "m", minutes: "m", hr: "h", hrs: "h",
  hour: "h", hours: "h", day: "d", days: "d", msec: "ms", millis: "ms", K: "k", S: "s", H: "h", D: "d", mb: "M", million: "M",
}; // biome-ignore format: a table

/** Reads a number with its unit; a wrong suffix is reported at the suffix, and the number stands for itself. */
export function readNumber(image: string, span: Span, problems: Problems): NumberExpr {
  const few = fewDigits(image);
  if (few !== undefined) return { kind: "Number", value: few, unit: "int", raw: image, span };
  const money = image.startsWith("$");
  const digits = /^\$?([\d_]+(?:\.[\d_]+)?)/.exec(image)?.[1] ?? "0";
  const suffix = image.slice(digits.length + (money ? 1 : 0));
  const plain = digits.replaceAll("_", "");
  const number = Number(plain);
  const made = (value: number, unit: NumberExpr["unit"]): NumberExpr => ({ kind: "Number", value, unit, raw: image, span });
  const whole = !plain.includes(".");
  if (whole && !Number.isSafeInteger(number)) problems.report(d.numberTooLarge, span, { number: image });
  if (suffix === "") return made(number, money ? "money" : whole ? "int" : "float");
  const duration = durations[suffix];
  const size = sizes[suffix];
  if (!money && suffix === "%") return made(percent(plain), "percent");
  if (!money && duration !== undefined && Object.hasOwn(durations, suffix)) return made(scaled(number, duration), "duration");
  if (!money && size !== undefined && Object.hasOwn(sizes, suffix)) {
    const value = scaled(number, size);
    return made(value, Number.isInteger(value) ? "int" : "float");
  }
  const mend = Object.hasOwn(suffixMends, suffix) ? suffixMends[suffix] : undefined;
  const place = { file: span.file, start: span.end - suffix.length, end: span.end };
  problems.report(
    d.numberSuffix,
    place,
    { suffix, mend, digits: image.slice(0, -suffix.length), money },
    mend === undefined || money
      ? {}
      : { fixes: [{ title: `Write \`${image.slice(0, -suffix.length)}${mend}\``, edits: [{ span: place, text: mend }] }] },
  );
  return made(number, money ? "money" : mend !== undefined && Object.hasOwn(durations, mend) ? "duration" : whole ? "int" : "float");
}

/** What most numbers are: a few digits. */
function fewDigits(image: string): number | undefined {
  if (image.length > 9) return undefined;
  let value = 0;
  for (let i = 0; i < image.length; i++) {
    const digit = image.charCodeAt(i) - 48;
    if (digit < 0 || digit > 9) return undefined;
    value = value * 10 + digit;
  }
  return value;
}

/** `2.3s` is 2300, not 2299.9999999999995. */
function scaled(number: number, factor: number): number {
  return Number((number * factor).toPrecision(15));
}
function percent(plain: string): number {
  return Number((Number(plain) / 100).toPrecision(15));
}

/** Why a regular expression is not one, or undefined when it is. */
export function regexMistake(source: string): string | undefined {
  try {
    new RegExp(source, "u");
    return undefined;
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    return message.replace(/^Invalid regular expression: \/.*\/[a-z]*: /s, "");
  }
}
