/**
 * Problems as data. Each kind of problem is defined once in the catalogue with a stable code; a stage reports one with
 * the span it points at and typed parameters, and prose is made only when somebody reads it. `Problems` never throws
 * and keeps one report for one code at one place.
 */
import type { Span } from "../source/source.js";

export type Severity = "error" | "warning" | "note";

/** What the catalogue says of one code. Texts are functions of the parameters `P`. */
export interface Definition<P> {
  readonly code: string;
  readonly severity: Severity;
  /** The headline: what is wrong, in the user's words, without a full stop. */
  readonly title: (params: P) => string;
  /** Short text under the marked span. */
  readonly label?: (params: P) => string | undefined;
  /** A sentence or two after the source: what was expected and found, what to do. */
  readonly help?: (params: P) => string | undefined;
}

export interface Related {
  readonly span: Span;
  readonly message: string;
}

export interface TextEdit {
  readonly span: Span;
  readonly text: string;
}

/** A mend that compiles, offered to the user; never one that only silences the message. */
export interface Fix {
  readonly title: string;
  readonly edits: readonly TextEdit[];
}

/** The mend that writes a text at a place; none where nothing is known that could be meant. */
export function writing(span: Span, text: string | undefined): readonly Fix[] {
  return text === undefined ? [] : [{ title: `write \`${text}\``, edits: [{ span, text }] }];
}

export interface Problem {
  readonly code: string;
  readonly severity: Severity;
  readonly title: string;
  readonly label: string | undefined;
  readonly help: string | undefined;
  readonly span: Span;
  readonly related: readonly Related[];
  readonly fixes: readonly Fix[];
}

export interface Problems {
  /** Reports a problem; a second report of the same code at the same span is dropped. */
  report<P>(definition: Definition<P>, span: Span, params: P, more?: { related?: readonly Related[]; fixes?: readonly Fix[] }): void;
  /** All problems, by file and place. */
  list(): readonly Problem[];
  /** Whether an error (not a warning or note) was reported. */
  hasErrors(): boolean;
  /** How many errors have been reported so far: a stage compares before and after to withhold follow-on errors. */
  errorCount(): number;
}

export function problems(): Problems {
  const found: Problem[] = [];
  const seen = new Set<string>();
  let errors = 0;
  return {
    report(definition, span, params, more) {
      const key = `${definition.code} ${span.file} ${span.start} ${span.end}`;
      if (seen.has(key)) return;
      seen.add(key);
      if (definition.severity === "error") errors++;
      found.push({
        code: definition.code,
        severity: definition.severity,
        title: definition.title(params),
        label: definition.label?.(params),
        help: definition.help?.(params),
        span,
        related: more?.related ?? [],
        fixes: more?.fixes ?? [],
      });
    },
    list: () =>
      [...found].sort(
        (a, b) =>
          (a.span.file < b.span.file ? -1 : a.span.file > b.span.file ? 1 : 0) ||
          a.span.start - b.span.start ||
          a.span.end - b.span.end ||
          (a.code < b.code ? -1 : 1),
      ),
    hasErrors: () => errors > 0,
    errorCount: () => errors,
  };
}
