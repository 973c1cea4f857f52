/**
 * Compiles pure expressions of the graph into closures over frames. Evaluation never waits and has no effects; what can
 * go wrong (a cast that does not hold, division by zero, `fail`) is thrown as a `CallFailure`.
 */
import type { ExprIR, PatternIR, TypeIR } from "../plan/ir.js";
import { builtins } from "./builtins.js";
import { failure } from "./failure.js";
import { type Eval, type Frame, type Layout, reader, slotFor } from "./frame.js";
import { compileTemplate } from "./template.js";
import { assertNever, compare, deepEqual, field, isFields, setField, shown } from "./values.js";

/** What expressions need from outside. */
export interface EvalContext {
  /** Values of the program's constants. */
  readonly globals: ReadonlyMap<string, unknown>;
  /** Checks a value against a type at run time; throws `assertion`. */
  readonly cast: (type: TypeIR) => (value: unknown) => unknown;
  /** Drops the fields that a type does not have. */
  readonly cut: (type: TypeIR) => (value: unknown) => unknown;
  /** Functions that only exist in tests: `test.calls`, `test.spend`, `test.elapsed`. */
  readonly hook?: ((name: string, args: readonly unknown[]) => unknown) | undefined;
}

export function compileExpr(expr: ExprIR, scope: Layout, context: EvalContext): Eval {
  const sub = (inner: ExprIR): Eval => compileExpr(inner, scope, context);
  switch (expr.kind) {
    case "const": {
      const value = expr.value;
      return () => value;
    }
    case "ref":
      return compileRef(expr.id, scope, context);
    case "field":
      return compileField(sub(expr.of), expr.name);
    case "index":
      return compileIndex(sub(expr.of), sub(expr.at), expr.strict === true);
    case "record":
      return compileRecord(expr, sub);
    case "list":
      return compileList(expr, sub);
    case "not": {
      const of = sub(expr.of);
      return (frame) => of(frame) !== true;
    }
    case "negate": {
      const of = sub(expr.of);
      return (frame) => 0 - (of(frame) as number);
    }
    case "binary":
      return compileBinary(expr.op, sub(expr.left), sub(expr.right));
    case "and": {
      const [left, right] = [sub(expr.left), sub(expr.right)];
      return (frame) => left(frame) === true && right(frame) === true;
    }
    case "or": {
      const [left, right] = [sub(expr.left), sub(expr.right)];
      return (frame) => left(frame) === true || right(frame) === true;
    }
    case "default": {
      const [left, right] = [sub(expr.left), sub(expr.right)];
      return (frame) => left(frame) ?? right(frame);
    }
    case "cond": {
      const [test, then, otherwise] = [sub(expr.test), sub(expr.then), sub(expr.else)];
      return (frame) => (test(frame) === true ? then(frame) : otherwise(frame));
    }
    case "let": {
      const value = sub(expr.value);
      const slot = slotFor(scope, expr.id);
      const body = sub(expr.body);
      return (frame) => {
        frame.slots[slot] = value(frame);
        return body(frame);
      };
    }
    case "switch":
      return compileSwitch(expr, scope, sub);
    case "lambda":
      return compileLambda(expr.params, expr.body, scope, context);
    case "builtin":
      return compileBuiltin(expr.name, expr.args.map(sub), context);
    case "cast": {
      const of = sub(expr.of);
      const cast = context.cast(expr.type);
      return (frame) => cast(of(frame));
    }
    case "cut": {
      const of = sub(expr.of);
      const cut = context.cut(expr.type);
      return (frame) => cut(of(frame));
    }
    case "template":
      return compileTemplate(expr.parts, scope, (inner) => compileExpr(inner, scope, context));
    default:
      return assertNever(expr);
  }
}

function compileRef(id: string, scope: Layout, context: EvalContext): Eval {
  const read = reader(scope, id);
  if (read !== undefined) return read;
  if (context.globals.has(id)) {
    const value = context.globals.get(id);
    return () => value;
  }
  throw new Error(`the graph refers to ${id}, which is not in scope`);
}

function compileField(of: Eval, name: string): Eval {
  // Names that every object inherits must be looked up among the value's own fields.
  if (name in Object.prototype) return (frame) => field(of(frame), name);
  return (frame) => {
    const value = of(frame) as Readonly<Record<string, unknown>> | null | undefined;
    return value?.[name] ?? null;
  };
}

function compileIndex(of: Eval, at: Eval, strict: boolean): Eval {
  return (frame) => {
    const value = of(frame);
    const index = at(frame);
    if (value === null) return null;
    if (Array.isArray(value)) {
      const found: unknown = value[Number(index)];
      if (found === undefined && strict)
        throw failure("assertion", `the list has ${value.length} elements, there is none at [${shown(index)}]`);
      return found ?? null;
    }
    const key = String(index);
    if (strict && !(isFields(value) && Object.hasOwn(value, key))) throw failure("assertion", `the map has no key ${shown(key)}`);
    return field(value, key);
  };
}

function compileRecord(expr: Extract<ExprIR, { kind: "record" }>, sub: (inner: ExprIR) => Eval): Eval {
  const entries = expr.entries.map((entry) =>
    "spread" in entry ? { name: undefined, value: sub(entry.spread) } : { name: entry.name, value: sub(entry.value) },
  );
  return (frame) => {
    const out: Record<string, unknown> = {};
    for (const { name, value } of entries) {
      if (name !== undefined) setField(out, name, value(frame) ?? null);
      else {
        const spread = value(frame);
        if (isFields(spread)) for (const key of Object.keys(spread)) setField(out, key, spread[key]);
      }
    }
    return out;
  };
}

function compileList(expr: Extract<ExprIR, { kind: "list" }>, sub: (inner: ExprIR) => Eval): Eval {
  const elements = expr.elements.map((element) => ({ value: sub(element.value), spread: element.spread }));
  if (!elements.some((element) => element.spread)) return (frame) => elements.map((element) => element.value(frame));
  return (frame) => {
    const out: unknown[] = [];
    for (const { value, spread } of elements) {
      if (spread) for (const x of (value(frame) ?? []) as readonly unknown[]) out.push(x);
      else out.push(value(frame));
    }
    return out;
  };
}

type Operator = Extract<ExprIR, { kind: "binary" }>["op"];

function finite(value: number, what: string): number {
  if (Number.isFinite(value)) return value;
  throw failure("assertion", `${what} has no finite result`);
}

function compileBinary(op: Operator, left: Eval, right: Eval): Eval {
  switch (op) {
    case "+":
      return (frame) => {
        const a = left(frame);
        const b = right(frame);
        if (typeof a === "string" || typeof b === "string") return `${String(a)}${String(b)}`;
        return finite((a as number) + (b as number), `${shown(a)} + ${shown(b)}`);
      };
    case "-":
      return (frame) => finite((left(frame) as number) - (right(frame) as number), "the subtraction");
    case "*":
      return (frame) => finite((left(frame) as number) * (right(frame) as number), "the multiplication");
    case "/":
    case "%":
      return (frame) => {
        const a = left(frame) as number;
        const b = right(frame) as number;
        if (b === 0) throw failure("assertion", `division by zero: ${a} ${op} 0`);
        return op === "/" ? finite(a / b, `${a} / ${b}`) : a % b;
      };
    case "==":
      return (frame) => deepEqual(left(frame), right(frame));
    case "!=":
      return (frame) => !deepEqual(left(frame), right(frame));
    case "<":
      return (frame) => compare(left(frame), right(frame)) < 0;
    case "<=":
      return (frame) => compare(left(frame), right(frame)) <= 0;
    case ">":
      return (frame) => compare(left(frame), right(frame)) > 0;
    case ">=":
      return (frame) => compare(left(frame), right(frame)) >= 0;
    default:
      return assertNever(op);
  }
}

/** Whether a value fits a pattern; fields that the pattern binds are put into the frame. */
export type Matcher = (value: unknown, frame: Frame) => boolean;

export function compilePattern(pattern: PatternIR, scope: Layout): Matcher {
  switch (pattern.kind) {
    case "any":
      return () => true;
    case "literal": {
      const expected = pattern.value;
      return (value) => value === expected;
    }
    case "range": {
      const low = pattern.low ?? Number.NEGATIVE_INFINITY;
      const high = pattern.high ?? Number.POSITIVE_INFINITY;
      return (value) => typeof value === "number" && value >= low && value <= high;
    }
    case "record": {
      const fields = pattern.fields.map((part) => ({
        name: part.name,
        matches: part.pattern === undefined ? undefined : compilePattern(part.pattern, scope),
        slot: part.bind === undefined ? undefined : slotFor(scope, part.bind),
      }));
      return (value, frame) => {
        if (!isFields(value)) return false;
        for (const part of fields) {
          const found = field(value, part.name);
          if (part.matches !== undefined && !part.matches(found, frame)) return false;
          if (part.slot !== undefined) frame.slots[part.slot] = found;
        }
        return true;
      };
    }
    default:
      return assertNever(pattern);
  }
}

function compileSwitch(expr: Extract<ExprIR, { kind: "switch" }>, scope: Layout, sub: (inner: ExprIR) => Eval): Eval {
  const value = sub(expr.value);
  const arms = expr.arms.map((arm) => {
    const patterns = arm.patterns.map((pattern) => compilePattern(pattern, scope));
    return { patterns, body: sub(arm.body) };
  });
  return (frame) => {
    const found = value(frame);
    for (const arm of arms) if (arm.patterns.some((matches) => matches(found, frame))) return arm.body(frame);
    throw failure("assertion", `no arm of this match fits ${shown(found)}`);
  };
}

function compileLambda(params: readonly string[], body: ExprIR, scope: Layout, context: EvalContext): Eval {
  const slots = params.map((param) => slotFor(scope, param));
  const result = compileExpr(body, scope, context);
  return (frame) =>
    (...args: readonly unknown[]) => {
      for (let i = 0; i < slots.length; i++) frame.slots[slots[i] ?? 0] = args[i];
      return result(frame);
    };
}

function compileBuiltin(name: string, args: readonly Eval[], context: EvalContext): Eval {
  const builtin = Object.hasOwn(builtins, name) ? builtins[name] : undefined;
  if (builtin === undefined) {
    const hook = context.hook;
    if (hook === undefined || !name.startsWith("test."))
      throw new Error(`the graph uses the function ${name}, which this version does not have`);
    return (frame) =>
      hook(
        name,
        args.map((arg) => arg(frame)),
      );
  }
  const [a, b] = args;
  if (a !== undefined && args.length === 1) return (frame) => builtin(a(frame));
  if (a !== undefined && b !== undefined && args.length === 2) return (frame) => builtin(a(frame), b(frame));
  return (frame) => builtin(...args.map((arg) => arg(frame)));
}
