/**
 * Source text and positions in it. A span is a pair of UTF-16 offsets into one file; lines and columns are worked
 * out only when a person or an editor is shown one. Offsets are never adjusted: what the lexer saw is what a span
 * points at.
 */

export interface Span {
  /** Path of the file as the user would write it (relative to the working directory where possible). */
  readonly file: string;
  /** First UTF-16 offset. */
  readonly start: number;
  /** One past the last UTF-16 offset; equal to `start` for a place between two characters. */
  readonly end: number;
}

export interface SourceFile {
  readonly path: string;
  readonly text: string;
  /** Offset of the first character of each line. */
  readonly lineStarts: readonly number[];
}

/** Line and column, both counted from zero, the column in UTF-16 units (as in the language server protocol). */
export interface Position {
  readonly line: number;
  readonly character: number;
}

export function sourceFile(path: string, text: string): SourceFile {
  const lineStarts = [0];
  for (let i = text.indexOf("\n"); i >= 0; i = text.indexOf("\n", i + 1)) lineStarts.push(i + 1);
  return { path, text, lineStarts };
}

/** The position of an offset; offsets outside the text are moved to its nearest end. */
export function positionAt(file: SourceFile, offset: number): Position {
  const at = Math.max(0, Math.min(offset, file.text.length));
  let low = 0;
  let high = file.lineStarts.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((file.lineStarts[middle] ?? 0) <= at) low = middle;
    else high = middle - 1;
  }
  return { line: low, character: at - (file.lineStarts[low] ?? 0) };
}

/** The offset of a position, the inverse of `positionAt`. */
export function offsetAt(file: SourceFile, position: Position): number {
  const start = file.lineStarts[position.line];
  if (start === undefined) return file.text.length;
  return Math.min(start + position.character, file.text.length);
}

/** The span that covers both. */
export function spanning(first: Span, last: Span): Span {
  return { file: first.file, start: first.start, end: Math.max(first.end, last.end) };
}
