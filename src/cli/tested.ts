/** A file whose tests were run, and places in it as people write them. */
import type { Compiled } from "../compile.js";
import type { Coverable } from "../plan/coverage.js";
import type { TestResult } from "../runtime/testing.js";
import { positionAt, type Span } from "../source/source.js";

export interface TestedFile {
  readonly path: string;
  readonly compiled: Compiled;
  readonly results: readonly TestResult[];
  /** What its tests can reach and the arms they entered; empty unless coverage was asked for. */
  readonly coverable: readonly Coverable[];
  readonly reached: ReadonlySet<string>;
}

/** `file:line:column` of a span. */
export function placeOf(span: Span, { files }: Compiled): string {
  const file = files.get(span.file);
  if (file === undefined) return span.file;
  const { line, character } = positionAt(file, span.start);
  return `${span.file}:${line + 1}:${character + 1}`;
}
