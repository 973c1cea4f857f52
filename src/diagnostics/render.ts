/**
 * Problems for people and for programs. `renderProblems` gives the text a terminal shows: the headline with its code,
 * the source with everything in that file that belongs to the problem, then frames of other files, then what to do.
 * `toJson` gives the same in the shape of the language server protocol. Both are pure: the same problems and files
 * give the same text.
 */
import { positionAt, type SourceFile, type Span } from "../source/source.js";
import { cellsOf, drawFrame, gutterWidth, type Mark, type Paint, printable } from "./frame.js";
import type { Fix, Problem, Severity } from "./problems.js";

export interface RenderOptions {
  readonly color?: boolean;
  /** Columns of the terminal; source lines are cut and help is wrapped to it. */
  readonly width?: number;
}

type Files = ReadonlyMap<string, SourceFile>;

const style =
  (code: string, on: boolean) =>
  (text: string): string =>
    on ? `\u001b[${code}m${text}\u001b[0m` : text;

const SEVERITY_COLOR: Readonly<Record<Severity, string>> = { error: "1;31", warning: "1;33", note: "1;36" };

/** The text of all problems, in their order, with an empty line after each. */
export function renderProblems(found: readonly Problem[], files: Files, options: RenderOptions = {}): string {
  return found.map((problem) => `${renderProblem(problem, files, options)}\n`).join("\n");
}

/** The text of one problem, without a final line break. */
export function renderProblem(problem: Problem, files: Files, { color = false, width = 120 }: RenderOptions = {}): string {
  const severity = style(SEVERITY_COLOR[problem.severity], color);
  const bold = style("1", color);
  const paint: Paint = { gutter: style("34", color), primary: severity, secondary: style("34", color) };
  const out = [`${severity(`${problem.severity}[${problem.code}]`)}${bold(`: ${printable(problem.title)}`)}`];

  const primary: Mark = { start: problem.span.start, end: problem.span.end, primary: true, label: oneLine(problem.label) };
  const frames = framesOf(problem, primary);
  const gutter = frames.reduce((widest, { file, marks }) => {
    const source = files.get(file);
    return source === undefined ? widest : Math.max(widest, gutterWidth(source, marks));
  }, 2);
  for (const { file, marks, span } of frames) {
    const source = files.get(file);
    const pad = " ".repeat(gutter);
    if (source === undefined) {
      if (file !== "") out.push(paint.gutter(`${pad}┌─ `) + printable(file));
      for (const mark of marks) if (mark.label) out.push(`${pad}${paint.gutter("=")} ${mark.label}`);
      continue;
    }
    const { line, character } = positionAt(source, span.start);
    out.push(`${paint.gutter(`${pad}┌─ `)}${printable(file)}:${line + 1}:${character + 1}`, paint.gutter(`${pad}│`));
    out.push(...drawFrame(source, marks, gutter, width, paint));
    out.push(paint.gutter(`${pad}│`));
  }
  if (problem.help === undefined && problem.fixes.length === 0 && out.at(-1)?.includes("│")) out.pop();
  const margin = " ".repeat(gutter);
  if (problem.help !== undefined) out.push(...sayings(problem.help, "", margin, width, paint));
  for (const fix of problem.fixes) {
    if (saidAlready(fix, problem)) continue;
    out.push(...sayings(startingSmall(fix.title), "help: ", margin, width, paint));
  }
  if (out.at(-1) === paint.gutter(`${margin}│`)) out.pop();
  return out.join("\n");
}

/** Marks by file: the problem's own file first, then each other file in the order it is mentioned. */
function framesOf(problem: Problem, primary: Mark): { file: string; span: Span; marks: Mark[] }[] {
  const frames = [{ file: problem.span.file, span: problem.span, marks: [primary] }];
  for (const { span, message } of problem.related) {
    const mark: Mark = { start: span.start, end: span.end, primary: false, label: oneLine(message) };
    const frame = frames.find((each) => each.file === span.file);
    if (frame === undefined) frames.push({ file: span.file, span, marks: [mark] });
    else frame.marks.push(mark);
  }
  return frames;
}

const oneLine = (text: string | undefined): string | undefined =>
  text === undefined ? undefined : printable(text.replace(/\s*\n\s*/g, " "));

const startingSmall = (title: string): string => title.charAt(0).toLowerCase() + title.slice(1);

/** A mend needs no line of its own when the mark or the help says it, in its words or by the very text to write. */
function saidAlready({ title, edits }: Fix, problem: Problem): boolean {
  const words = title.toLowerCase();
  const texts = [problem.label, problem.help, problem.title].filter((text) => text !== undefined);
  const [only] = edits;
  const written = /^\w+ `([^`]+)`$/.exec(title)?.[1] ?? (edits.length === 1 ? (only?.text ?? "") : "");
  if (written !== "" && (problem.label?.includes(`\`${written}\``) || problem.label?.includes(`did you mean ${written}`))) return true;
  return texts.some((text) => text.toLowerCase().includes(words));
}

function sayings(text: string, prefix: string, margin: string, width: number, paint: Paint): string[] {
  const room = Math.max(40, width - margin.length - 3);
  const lines = `${prefix}${text}`.split("\n").flatMap((line) => wrap(printable(line), room));
  return lines.map((line, i) => (i === 0 ? `${margin}${paint.gutter("=")} ${line}` : `${margin}  ${line}`.trimEnd()));
}

function wrap(line: string, room: number): string[] {
  const out: string[] = [];
  const indent = /^ */.exec(line)?.[0] ?? "";
  let current = "";
  for (const word of line.trimStart().split(" ")) {
    if (current !== "" && cellsOf(`${indent}${current} ${word}`) > room) {
      out.push(indent + current);
      current = word;
    } else current = current === "" ? word : `${current} ${word}`;
  }
  out.push(indent + current);
  return out;
}

/** `2 errors and 1 warning`, or undefined when there is nothing to count. */
export function countProblems(found: readonly Problem[]): string | undefined {
  const count = (severity: Severity): string | undefined => {
    const n = found.filter((problem) => problem.severity === severity).length;
    return n === 0 ? undefined : `${n} ${severity}${n === 1 ? "" : "s"}`;
  };
  const parts = [count("error"), count("warning"), count("note")].filter((part) => part !== undefined);
  if (parts.length < 2) return parts[0];
  return `${parts.slice(0, -1).join(", ")} and ${parts.at(-1)}`;
}

// ------------------------------------------------------------------------------------------------ for programs

export interface JsonRange {
  readonly start: { readonly line: number; readonly character: number };
  readonly end: { readonly line: number; readonly character: number };
}

export interface JsonDiagnostic {
  readonly file: string;
  readonly code: string;
  readonly severity: Severity;
  readonly message: string;
  readonly range: JsonRange;
  readonly related: readonly { readonly file: string; readonly range: JsonRange; readonly message: string }[];
  readonly help: string | null;
  readonly fixes: readonly {
    readonly title: string;
    readonly edits: readonly { readonly file: string; readonly range: JsonRange; readonly newText: string }[];
  }[];
}

/** Problems as data: lines and characters count from zero, the message is the headline with the text beside the mark. */
export function toJson(found: readonly Problem[], files: Files): JsonDiagnostic[] {
  const range = (span: Span): JsonRange => {
    const source = files.get(span.file);
    if (source === undefined) return { start: { line: 0, character: 0 }, end: { line: 0, character: 0 } };
    return { start: positionAt(source, span.start), end: positionAt(source, span.end) };
  };
  return found.map((problem) => ({
    file: problem.span.file,
    code: problem.code,
    severity: problem.severity,
    message: problem.label === undefined || problem.label === "" ? problem.title : `${problem.title}: ${problem.label}`,
    range: range(problem.span),
    related: problem.related.map(({ span, message }) => ({ file: span.file, range: range(span), message })),
    help: problem.help ?? null,
    fixes: problem.fixes.map(({ title, edits }) => ({
      title: title.charAt(0).toUpperCase() + title.slice(1),
      edits: edits.map(({ span, text }) => ({ file: span.file, range: range(span), newText: text })),
    })),
  }));
}
