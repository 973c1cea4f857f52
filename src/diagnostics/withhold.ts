/**
 * One message for one mistake: where the text itself is broken, later stages see less than was meant, so what they say
 * of that place is a consequence and is withheld. Everything else of the file is still reported.
 */
import { positionAt, type SourceFile, type Span } from "../source/source.js";
import type { Problems } from "./problems.js";

/** Problems for the stages after parsing: without what stands on a broken line, holds one, or names what is written there. */
export function withholdConsequences(problems: Problems, files: ReadonlyMap<string, SourceFile>): Problems {
  const broken = new Map<string, Broken>();
  for (const { code, severity, span } of problems.list()) {
    const file = files.get(span.file);
    if (file === undefined || severity !== "error" || !code.startsWith("W01")) continue;
    const known = broken.get(span.file) ?? { file, offsets: [], lines: new Set(), words: new Set() };
    broken.set(span.file, known);
    const { line } = positionAt(file, span.start);
    known.offsets.push(span.start);
    known.lines.add(line);
    const text = file.text.slice(file.lineStarts[line], file.lineStarts[line + 1]);
    for (const [word] of text.matchAll(/[A-Za-z_]\w*/g)) known.words.add(word);
  }
  if (broken.size === 0) return problems;
  return {
    ...problems,
    report(definition, span, params, more) {
      const near = broken.get(span.file);
      if (near === undefined || !isConsequence(definition.code, span, near)) problems.report(definition, span, params, more);
    },
  };
}

interface Broken {
  readonly file: SourceFile;
  readonly offsets: number[];
  readonly lines: Set<number>;
  /** What is written on the broken lines: names that may have been bound there. */
  readonly words: Set<string>;
}

function isConsequence(code: string, span: Span, { file, offsets, lines, words }: Broken): boolean {
  if (lines.has(positionAt(file, span.start).line)) return true;
  if (offsets.some((offset) => span.start <= offset && offset <= span.end)) return true;
  return code.startsWith("W02") && words.has(file.text.slice(span.start, span.end));
}
