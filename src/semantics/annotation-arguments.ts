/**
 * The arguments of one annotation against its row in the table: which goes where, what is missing, and whether each is
 * of the kind that is wanted. Every argument that is an expression is inferred once, so that later stages know its type
 * and the names in it count as used. A literal of the wrong kind gets the mend that was probably meant.
 */
import { d } from "../diagnostics/catalogue/catalogue.js";
import { type Problems, writing } from "../diagnostics/problems.js";
import { nearest } from "../diagnostics/suggest.js";
import type { Span } from "../source/source.js";
import type { Annotation, Argument, Expr } from "../syntax/ast.js";
import type { AnnotationSpec, ArgumentKind, ArgumentSpec } from "./annotation-table.js";
import { FAILURE_KINDS } from "./builtins.js";
import { assignable } from "./relate.js";
import type { CallableDecl } from "./symbols.js";
import {
  BOOL,
  type CallableType,
  DURATION,
  type EffectKind,
  expand,
  FLOAT,
  INT,
  isError,
  list,
  literal,
  MONEY,
  STRING,
  type Type,
  typeText,
  union,
} from "./types.js";

/** A callable as an annotation sees it. */
export interface AnnotationCallable {
  readonly name: string;
  readonly kind: CallableDecl["kind"];
  readonly type: CallableType;
  readonly span: Span;
  /** What it can reach, and the annotations of its declaration. */
  readonly effect?: EffectKind;
  readonly annotations?: readonly Annotation[];
}

/** What the checking of arguments needs from the checker. */
export interface ArgumentContext {
  readonly problems: Problems;
  /** Infers an expression in the scope that the annotation sees. */
  infer(expr: Expr, expected?: Type): Type;
  /** The callable that an expression names; reports it when there is none. */
  callable(expr: Expr): AnnotationCallable | undefined;
  /** The largest value of a number: of a constant or of a parameter whose type has an upper end. */
  upperEnd(expr: Expr): number | undefined;
  /** Whether a name is declared or imported here, for `@prefer`; it then counts as used. */
  nameKnown(name: string): boolean;
  /** Names of the models and callables that `@prefer` could mean. */
  candidates(): readonly string[];
}

/** Arguments by the name in the table, as far as they are right. */
export type Given = ReadonlyMap<string, readonly Expr[]>;

/** Distributes arguments over the parameters of the row and checks each; reports everything that is wrong. */
export function checkArguments(annotation: Annotation, spec: AnnotationSpec, context: ArgumentContext): Given {
  const { problems } = context;
  const name = annotation.name.text;
  const given = new Map<string, Expr[]>();
  const { form } = spec;
  let failed = false;
  const put = (to: ArgumentSpec, arg: Argument): void => {
    const before = given.get(to.name);
    if (before !== undefined && to.rest !== true) {
      problems.report(d.annotationArgumentTwice, arg.span, { name, argument: to.name });
      return;
    }
    if (arg.value.kind !== "Missing") checkArgument(name, to, arg.value, context);
    given.set(to.name, [...(before ?? []), arg.value]);
  };
  const positional = spec.args.filter((a) => a.named !== true);
  let next = 0;
  for (const arg of annotation.args ?? []) {
    if (arg.name !== undefined) {
      const written = arg.name.text;
      const to = spec.args.find((a) => a.name === written);
      if (to !== undefined) {
        put(to, arg);
        continue;
      }
      failed = true;
      const near = nearest(
        written,
        spec.args.map((a) => a.name),
      );
      problems.report(
        d.annotationArgumentUnknown,
        arg.name.span,
        { name, argument: written, near, form },
        { fixes: writing(arg.name.span, near) },
      );
      continue;
    }
    const at = Math.min(next, positional.length - 1);
    const to = positional[next] ?? (positional[at]?.rest === true ? positional[at] : undefined);
    next++;
    if (to !== undefined) put(to, arg);
    else {
      failed = true;
      problems.report(d.annotationArgumentsMany, arg.span, { name, form });
    }
  }
  if (failed) return given;
  const missing = spec.args.find((a) => a.required === true && !given.has(a.name));
  if (missing !== undefined) problems.report(d.annotationArgumentMissing, annotation.span, { name, argument: nameless(missing), form });
  else if (spec.some === true && given.size === 0)
    problems.report(d.annotationArgumentMissing, annotation.span, { name, argument: undefined, form });
  return given;
}

/** An argument that is always written by position needs no name in a message. */
const nameless = (spec: ArgumentSpec): string | undefined => (spec.named === true ? spec.name : undefined);

/** Checks one argument; only a wrong one is reported, with what was probably meant. */
function checkArgument(annotation: string, spec: ArgumentSpec, expr: Expr, context: ArgumentContext): void {
  const { value: wanted } = spec;
  const { problems } = context;
  switch (wanted.kind) {
    case "callable":
      context.callable(expr);
      return;
    case "candidate":
      if (expr.kind !== "NameExpr") reportType(annotation, spec, expr, found(expr, context), problems);
      else if (!context.nameKnown(expr.name))
        problems.report(d.unknownName, expr.span, { name: expr.name, near: nearest(expr.name, context.candidates()) });
      return;
    case "earlier":
      if (expr.kind === "NameExpr") context.infer(expr);
      else problems.report(d.afterNotName, expr.span, {});
      return;
    case "failures":
      checkFailures(annotation, spec, expr, context);
      return;
    case "choice":
      checkChoice(annotation, spec, wanted.of, expr, context);
      return;
    case "rate":
      if (expr.kind !== "Number" || expr.unit !== "rate") reportType(annotation, spec, expr, found(expr, context), problems);
      else if (expr.value <= 0) reportRange(annotation, spec, "more than 0", expr, problems);
      return;
    default:
      checkValue(annotation, spec, expr, context);
  }
}

const EXPECTED: Readonly<Record<string, Type>> = {
  count: INT,
  float: FLOAT,
  share: FLOAT,
  shareOrCount: FLOAT,
  duration: DURATION,
  money: MONEY,
  bool: BOOL,
  text: STRING,
};

function checkValue(annotation: string, spec: ArgumentSpec, expr: Expr, context: ArgumentContext): void {
  const { problems } = context;
  const expected = EXPECTED[spec.value.kind] ?? STRING;
  if (misfitting(spec.value, expr)) {
    reportType(annotation, spec, expr, found(expr, context), problems);
    return;
  }
  const type = context.infer(expr, expected);
  if (isError(type)) return;
  if (!assignable(type, expected)) {
    reportType(annotation, spec, expr, `\`${typeText(type)}\``, problems);
    return;
  }
  const range = RANGES[spec.value.kind]?.(spec.value);
  const value = constantOf(expr, type);
  if (range !== undefined && value !== undefined && !range.holds(value)) reportRange(annotation, spec, range.text, expr, problems);
  else if (spec.value.kind === "count" && spec.value.bounded === true && context.upperEnd(expr) === undefined) {
    problems.report(d.annotationUnbounded, expr.span, { name: annotation });
  }
}

/** A literal whose unit does not fit, before types are asked: `80%` is no count although `float` might have fit. */
function misfitting(wanted: ArgumentKind, expr: Expr): boolean {
  if (expr.kind !== "Number") return false;
  switch (wanted.kind) {
    case "count":
      return expr.unit !== "int";
    case "float":
      return expr.unit !== "int" && expr.unit !== "float";
    case "share":
    case "shareOrCount":
      return expr.unit !== "int" && expr.unit !== "float" && expr.unit !== "percent";
    case "duration":
    case "money":
      return expr.unit !== wanted.kind;
    default:
      return true;
  }
}

interface Allowed {
  readonly text: string;
  readonly holds: (value: number) => boolean;
}

const atLeast = (min: number): Allowed => ({ text: `at least ${min}`, holds: (value) => value >= min });

const RANGES: Readonly<Partial<Record<ArgumentKind["kind"], (kind: ArgumentKind) => Allowed>>> = {
  count: (kind) => atLeast(kind.kind === "count" ? kind.min : 0),
  float: (kind) => atLeast(kind.kind === "float" ? kind.min : 0),
  share: () => ({ text: "from 0 to 1, or a percentage up to 100%", holds: (value) => value >= 0 && value <= 1 }),
  shareOrCount: () => ({
    text: "a count, or a share from 0 to 1",
    holds: (value) => value >= 0 && (Number.isInteger(value) || value <= 1),
  }),
  duration: () => atLeast(0),
  money: () => atLeast(0),
};

/** The value of a constant number, as far as the expression or its type tells. */
export function constantOf(expr: Expr, type?: Type): number | undefined {
  if (expr.kind === "Number") return expr.value;
  if (expr.kind === "Unary" && expr.op === "-") {
    const inner = constantOf(expr.operand);
    return inner === undefined ? undefined : -inner;
  }
  const t = type === undefined ? undefined : expand(type);
  return t?.kind === "literal" && typeof t.value === "number" ? t.value : undefined;
}

function checkFailures(annotation: string, spec: ArgumentSpec, expr: Expr, context: ArgumentContext): void {
  const { problems } = context;
  const kinds = union(FAILURE_KINDS.map(literal));
  if (expr.kind === "Text") {
    reportType(annotation, spec, expr, "a text", problems);
    return;
  }
  const type = context.infer(expr, list(kinds));
  if (expr.kind !== "List") {
    if (!isError(type) && !assignable(type, list(kinds))) reportType(annotation, spec, expr, `\`${typeText(type)}\``, problems);
    return;
  }
  for (const { value } of expr.elements) {
    if (value.kind !== "Text") {
      if (value.kind !== "Missing") reportType(annotation, spec, value, found(value, context), problems);
    } else if (!FAILURE_KINDS.some((kind) => kind === value.value)) {
      const near = nearest(value.value, FAILURE_KINDS);
      problems.report(
        d.unknownFailureKind,
        value.span,
        { found: value.value, near, kinds: FAILURE_KINDS },
        { fixes: writing(value.span, near === undefined ? undefined : `"${near}"`) },
      );
    } else if (["cancelled", "denied", "budget_exceeded"].includes(value.value)) {
      problems.report(d.neverRetried, value.span, { kind: value.value });
    }
  }
}

/** One of a few words, written as a text. */
function checkChoice(annotation: string, spec: ArgumentSpec, of: readonly string[], expr: Expr, context: ArgumentContext): void {
  const word = expr.kind === "Text" ? expr.value : expr.kind === "NameExpr" ? expr.name : undefined;
  if (expr.kind === "Text" && of.includes(expr.value)) {
    context.infer(expr);
    return;
  }
  const near = word === undefined || of.includes(word) ? word : nearest(word, of);
  reportType(
    annotation,
    spec,
    expr,
    expr.kind === "Text" ? JSON.stringify(expr.value) : found(expr, context),
    context.problems,
    near === undefined ? undefined : `"${near}"`,
  );
}

function reportType(
  annotation: string,
  spec: ArgumentSpec,
  expr: Expr,
  what: string,
  problems: Problems,
  mend = mendOf(spec.value, expr),
): void {
  problems.report(
    d.annotationArgumentType,
    expr.span,
    { name: annotation, argument: spec.name, wanted: wantedText(spec.value), found: what, mend },
    { fixes: writing(expr.span, mend) },
  );
}

function reportRange(annotation: string, spec: ArgumentSpec, wanted: string, expr: Expr, problems: Problems): void {
  const mend = mendOf(spec.value, expr);
  const shown = expr.kind === "Number" ? expr.raw : "this value";
  problems.report(
    d.annotationArgumentRange,
    expr.span,
    { name: annotation, argument: spec.name, wanted, found: shown, mend },
    { fixes: writing(expr.span, mend) },
  );
}

function wantedText(kind: ArgumentKind): string {
  switch (kind.kind) {
    case "count":
      return "a whole number";
    case "float":
      return "a number";
    case "share":
      return "a percentage such as `80%`, or a number from 0 to 1";
    case "shareOrCount":
      return "a percentage such as `80%`, or a count";
    case "duration":
      return "a duration such as `5s`";
    case "money":
      return "an amount such as `$0.50`";
    case "rate":
      return "a rate such as `10/s`";
    case "bool":
      return "`true` or `false`";
    case "text":
      return "a text";
    case "choice":
      return kind.of.length === 1 ? `"${kind.of[0]}"` : `one of ${kind.of.map((word) => `"${word}"`).join(", ")}`;
    case "failures":
      return 'a list of failure kinds such as `["timeout"]`';
    case "callable":
      return "the name of a callable";
    case "earlier":
      return "the name of a `let` above";
    case "candidate":
      return "the name of a model or an implementation";
  }
}

const UNIT: Readonly<Record<string, string>> = {
  int: "a plain number",
  float: "a plain number",
  percent: "a percentage",
  duration: "a duration",
  money: "an amount of money",
  rate: "a rate",
};

/** What an expression is, in a word; a name or call is asked for its type. */
function found(expr: Expr, context: ArgumentContext): string {
  switch (expr.kind) {
    case "Number":
      return UNIT[expr.unit] ?? "a number";
    case "Text":
      return "a text";
    case "Bool":
      return "true or false";
    case "Null":
      return "null";
    case "List":
      return "a list";
    case "Record":
      return "a record";
    case "Regex":
      return "a pattern";
    case "Lambda":
      return "a function";
    case "NameExpr":
      return "a name";
    default: {
      const type = context.infer(expr);
      return isError(type) ? "something else" : `\`${typeText(type)}\``;
    }
  }
}

/** What was probably meant by a literal of the wrong kind, as it would be written. */
function mendOf(wanted: ArgumentKind, expr: Expr): string | undefined {
  const raw = expr.kind === "Number" ? expr.raw : expr.kind === "Text" ? expr.value.trim() : undefined;
  if (raw === undefined) return undefined;
  const digits = /^\$?(\d[\d_]*(?:\.\d+)?)/.exec(raw)?.[1];
  const bare = digits === raw ? digits : undefined;
  const exactly = (pattern: RegExp): string | undefined => (expr.kind === "Text" && pattern.test(raw) ? raw : undefined);
  switch (wanted.kind) {
    case "duration":
      return exactly(/^\d[\d_]*(\.\d+)?(ms|s|m|h|d)$/) ?? (bare === undefined ? undefined : `${bare}s`);
    case "money":
      return exactly(/^\$\d[\d_]*(\.\d+)?$/) ?? (bare === undefined ? undefined : `$${bare}`);
    case "rate":
      return exactly(/^\d[\d_]*(\.\d+)?\/(s|m|h)$/) ?? (bare === undefined || Number(bare) <= 0 ? undefined : `${bare}/s`);
    case "share":
    case "shareOrCount": {
      const value = Number(bare ?? Number.NaN);
      return exactly(/^\d+(\.\d+)?%$/) ?? (value > 1 && value <= 100 ? `${bare}%` : undefined);
    }
    case "count": {
      const whole = digits === undefined ? undefined : /^[\d_]+/.exec(digits)?.[0];
      return whole === undefined || (whole === raw && expr.kind === "Number")
        ? undefined
        : Number(whole.replaceAll("_", "")) >= wanted.min
          ? whole
          : undefined;
    }
    case "bool":
      return exactly(/^(true|false)$/);
    case "text":
      return expr.kind === "Number" ? JSON.stringify(raw) : undefined;
    case "failures":
      return expr.kind === "Text" ? `["${raw}"]` : undefined;
    default:
      return undefined;
  }
}
