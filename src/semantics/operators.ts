/** Operators: what they work on, what they give, and tests, which must be a `bool`. */
import { d } from "../diagnostics/catalogue/catalogue.js";
import { nearest } from "../diagnostics/suggest.js";
import type { BinaryExpr, Expr, UnaryExpr } from "../syntax/ast.js";
import type { Checker, Context } from "./checker.js";
import { narrow } from "./narrow.js";
import { assignable, join } from "./relate.js";
import { type Env, lookup } from "./symbols.js";
import { canJoin } from "./type-nodes.js";
import {
  BOOL,
  ERROR,
  expand,
  FLOAT,
  INT,
  isError,
  isOptional,
  literal,
  members,
  nonNull,
  optional,
  STRING,
  type Type,
  typeText,
  widenDeep,
} from "./types.js";

export function inferUnary(c: Checker, expr: UnaryExpr, env: Env, context: Context): Type {
  if (expr.op === "!") {
    condition(c, expr.operand, env, context);
    return BOOL;
  }
  const type = c.infer(expr.operand, env, context);
  const t = expand(type);
  if (t.kind === "literal" && typeof t.value === "number") return literal(-t.value);
  if (t.kind === "int" || t.kind === "float") return { kind: t.kind };
  if (t.kind === "money" || t.kind === "duration" || t.kind === "error") return t;
  c.problems.report(d.operatorType, expr.span, { op: "-", found: typeText(type), wanted: "a number" });
  return ERROR;
}

/** A test: must be a `bool`; nothing else counts as true or false. */
export function condition(c: Checker, expr: Expr, env: Env, context: Context, or?: BinaryExpr): void {
  const type = c.infer(expr, env, context, BOOL);
  if (assignable(type, BOOL)) return;
  if (or !== undefined && isOptional(type) && !members(nonNull(type)).every((m) => assignable(m, BOOL))) {
    // Other languages write the default of what may be null so. What follows from it is not reported.
    const fixes = [{ title: "write `??`", edits: [{ span: or.opSpan, text: "??" }] }];
    c.problems.report(d.notBool, or.opSpan, { found: typeText(type), fallback: true }, { fixes });
    c.tables.types.set(expr, ERROR);
    return;
  }
  const t = expand(type);
  const shown = expr.kind === "NameExpr" ? expr.name : "…";
  const hint = isOptional(type)
    ? `write \`${shown} != null\``
    : t.kind === "list" || t.kind === "string"
      ? `write \`len(${shown}) > 0\``
      : undefined;
  c.problems.report(d.notBool, expr.span, { found: typeText(type), hint });
}

type Numeric = "int" | "float" | "money" | "duration";

function numeric(type: Type): Numeric | undefined {
  const kinds = new Set(
    members(type).map((m) => {
      const t = expand(m);
      if (t.kind === "literal") return typeof t.value === "number" ? (Number.isInteger(t.value) ? "int" : "float") : undefined;
      return t.kind === "int" || t.kind === "float" || t.kind === "money" || t.kind === "duration" ? t.kind : undefined;
    }),
  );
  if (kinds.size === 2 && kinds.has("int") && kinds.has("float")) return "float";
  return kinds.size === 1 ? [...kinds][0] : undefined;
}

export function inferBinary(c: Checker, expr: BinaryExpr, env: Env, context: Context, expected?: Type): Type {
  const { op } = expr;
  switch (op) {
    case "&&":
    case "||":
      condition(c, expr.left, env, context, op === "||" ? expr : undefined);
      if (isError(c.tables.types.get(expr.left) ?? ERROR)) {
        c.infer(expr.right, env, context, BOOL);
        return ERROR;
      }
      condition(c, expr.right, narrow(expr.left, op === "&&", env), context);
      return BOOL;
    case "??": {
      const left = c.infer(expr.left, env, context, expected === undefined ? undefined : optional(expected));
      const base = nonNull(left);
      const right = c.infer(expr.right, env, context, expected ?? base);
      if (isError(left) || isError(right)) return ERROR;
      if (!isOptional(left) && expand(left).kind !== "json") c.problems.report(d.neverNull, expr.left.span, { type: typeText(left) });
      if (assignable(right, base)) return base;
      if (!canJoin(base, right)) {
        c.problems.report(d.cannotJoin, expr.right.span, { first: typeText(base), second: typeText(right), what: "the two sides of `??`" });
        return ERROR;
      }
      return join(base, right);
    }
    case "==":
    case "!=":
      return inferEquality(c, expr, env, context);
    case "<":
    case "<=":
    case ">":
    case ">=": {
      const [left, right] = inferBoth(c, expr, env, context);
      if (isError(left) || isError(right)) return BOOL;
      const l = numeric(left);
      const r = numeric(right);
      const numbers = l !== undefined && r !== undefined && (l === r || (isPlain(l) && isPlain(r)));
      if (!numbers && !(assignable(left, STRING) && assignable(right, STRING))) {
        c.problems.report(d.cannotCompare, expr.opSpan, { op, left: typeText(widenDeep(left)), right: typeText(widenDeep(right)) });
      }
      return BOOL;
    }
    case "+":
    case "-":
    case "*":
    case "/":
    case "%":
      if (isRate(expr, env, context)) {
        c.problems.report(d.rateOutsideAnnotation, expr.span, {});
        return ERROR;
      }
      return arithmetic(c, expr, ...inferBoth(c, expr, env, context));
  }
}

/** `10/s`, where `s` names nothing. */
function isRate({ op, left, right }: BinaryExpr, env: Env, context: Context): boolean {
  const per = op === "/" && left.kind === "Number" && right.kind === "NameExpr" ? right.name : "";
  return ["s", "m", "h", "d"].includes(per) && lookup(env, per) === undefined && !context.scope.names.has(per);
}

const isPlain = (kind: Numeric) => kind === "int" || kind === "float";

/** Both sides of an operator; long chains to the left are walked without recursion. */
function inferBoth(c: Checker, expr: BinaryExpr, env: Env, context: Context): readonly [Type, Type] {
  const chain: BinaryExpr[] = [];
  let leftmost: Expr = expr.left;
  while (leftmost.kind === "Binary" && ARITHMETIC.has(leftmost.op) && !c.tables.types.has(leftmost)) {
    chain.push(leftmost);
    leftmost = leftmost.left;
  }
  if (chain.length > LONGEST) {
    c.problems.report(d.expressionTooLong, expr.span, { most: LONGEST });
    return [ERROR, ERROR];
  }
  c.infer(leftmost, env, context);
  for (let i = chain.length - 1; i >= 0; i--) {
    const part = chain[i];
    if (part === undefined) continue;
    const left = c.tables.types.get(part.left) ?? ERROR;
    c.tables.types.set(part, arithmetic(c, part, left, c.infer(part.right, env, context)));
  }
  return [c.tables.types.get(expr.left) ?? ERROR, c.infer(expr.right, env, context)];
}

/** Lowering and evaluation go down an expression step by step. */
const LONGEST = 1000;

const ARITHMETIC: ReadonlySet<string> = new Set(["+", "-", "*", "/", "%"]);

function arithmetic(c: Checker, expr: BinaryExpr, left: Type, right: Type): Type {
  if (isError(left) || isError(right)) return ERROR;
  const { op } = expr;
  const l = numeric(left);
  const r = numeric(right);
  const result = l === undefined || r === undefined ? undefined : resultOf(op, l, r);
  if (result !== undefined) return result;
  const lt = expand(left);
  const texts = op === "+" && assignable(left, STRING);
  const help =
    isOptional(left) || isOptional(right)
      ? "One side may be null: give a default with `??` or test it first."
      : texts
        ? 'Text is put together in a template: `"{{a}}{{b}}"`.'
        : op === "+" && lt.kind === "list"
          ? "Lists are put together with spreads: `[...a, ...b]`."
          : undefined;
  c.problems.report(d.arithmetic, expr.opSpan, { op, left: typeText(widenDeep(left)), right: typeText(widenDeep(right)), help });
  return ERROR;
}

function resultOf(op: string, l: Numeric, r: Numeric): Type | undefined {
  if (isPlain(l) && isPlain(r)) {
    if (op === "/") return FLOAT;
    return l === "int" && r === "int" ? INT : FLOAT;
  }
  if (op === "+" || op === "-") return l === r ? { kind: l } : undefined;
  if (op === "*") return isPlain(l) ? { kind: r } : isPlain(r) ? { kind: l } : undefined;
  if (op === "/") return l === r ? FLOAT : isPlain(r) ? { kind: l } : undefined;
  return undefined;
}

function inferEquality(c: Checker, expr: BinaryExpr, env: Env, context: Context): Type {
  const left = c.infer(expr.left, env, context);
  const right = c.infer(expr.right, env, context, left);
  if (isError(left) || isError(right)) return BOOL;
  const nullSide = expand(right).kind === "null" ? left : expand(left).kind === "null" ? right : undefined;
  if (nullSide !== undefined && !isOptional(nullSide) && expand(nullSide).kind !== "json") {
    c.problems.report(d.neverNullTest, expr.span, { type: typeText(nullSide) });
    return BOOL;
  }
  const loose = (a: Type, b: Type) => members(a).some((x) => members(b).some((y) => comparable(x, y)));
  if (!loose(left, right)) {
    const options = members(left).map(expand);
    const other = expand(right);
    const near =
      other.kind === "literal" && typeof other.value === "string"
        ? nearest(
            other.value,
            options.flatMap((o) => (o.kind === "literal" && typeof o.value === "string" ? [o.value] : [])),
          )
        : undefined;
    const fixes = near === undefined ? [] : [{ title: `write "${near}"`, edits: [{ span: expr.right.span, text: JSON.stringify(near) }] }];
    c.problems.report(
      d.neverEqual,
      near === undefined ? expr.span : expr.right.span,
      { left: typeText(left), right: typeText(right), near },
      { fixes },
    );
  }
  return BOOL;
}

function comparable(a: Type, b: Type): boolean {
  const x = expand(a);
  const y = expand(b);
  if (assignable(x, y) || assignable(y, x)) return true;
  const l = numeric(x);
  const r = numeric(y);
  if (l !== undefined && r !== undefined)
    return x.kind === "literal" && y.kind === "literal" ? x.value === y.value : l === r || (isPlain(l) && isPlain(r));
  if (x.kind === "string" && y.kind === "string") return true;
  if (x.kind === "list" && y.kind === "list") return x.min === 0 || comparable(x.of, y.of);
  if (x.kind === "record" && y.kind === "record")
    return x.fields.every((f) =>
      y.fields.some((g) => g.name === f.name && members(f.type).some((m) => members(g.type).some((n) => comparable(m, n)))),
    );
  return x.kind === "map" && y.kind === "map";
}
