/**
 * The types of plain expressions: literals, names, records, lists, fields, operators, blocks and branches. Regions and
 * calls have files of their own. What is expected flows inwards; every mistake is reported once, at the innermost
 * expression to blame, and gives the type `error`, which fits anywhere.
 */
import { d } from "../diagnostics/catalogue/catalogue.js";
import type { Fix, Related } from "../diagnostics/problems.js";
import { nearest } from "../diagnostics/suggest.js";
import type { Span } from "../source/source.js";
import type { BinaryExpr, BlockExpr, Expr, IfExpr, IndexExpr, ListExpr, MemberExpr, NameExpr, RecordExpr, Statement, UnaryExpr } from "../syntax/ast.js";
import { walk } from "../syntax/walk.js";
import { builtins } from "./builtins.js";
import type { Checker, Context } from "./checker.js";
import { narrow, pathOf } from "./narrow.js";
import { assignable, join, mismatch } from "./relate.js";
import { childEnv, type Env, isCallableDecl, lookup, narrowedType, namesInScope } from "./symbols.js";
import { canJoin } from "./type-nodes.js";
import {
  BOOL,
  ERROR,
  expand,
  type Field,
  fieldNames,
  fieldOf,
  FLOAT,
  INT,
  isError,
  isOptional,
  list,
  literal,
  members,
  NEVER,
  nonNull,
  NULL,
  optional,
  record,
  type RecordType,
  STRING,
  type Type,
  typeText,
  widenDeep,
} from "./types.js";

export function inferName(c: Checker, expr: NameExpr, env: Env, context: Context, expected?: Type): Type {
  const local = lookup(env, expr.name);
  if (local !== undefined) {
    local.used = true;
    c.tables.refs.set(expr, { kind: "local", local });
    return narrowedType(env, local, "") ?? local.type;
  }
  const symbol = context.scope.names.get(expr.name);
  if (symbol !== undefined) {
    context.scope.used.add(expr.name);
    c.tables.refs.set(expr, { kind: "symbol", symbol });
    const { decl } = symbol;
    if (decl.kind === "LetDecl") return c.constant(symbol);
    if (decl.kind === "StateDecl") return c.typeOf(decl.type, symbol.scope);
    if (isCallableDecl(decl) && expected !== undefined && expand(expected).kind === "callable") {
      const callable = c.callableOf(expr, env, context);
      if (callable !== undefined) {
        return {
          kind: "callable",
          params: callable.params.map((p) => ({ name: p.name, type: p.type, ...(p.default === undefined ? {} : { optional: true }) })),
          result: callable.result(),
        };
      }
    }
    c.problems.report(d.notAValue, expr.span, { name: expr.name, what: WHAT[decl.kind] ?? "a declaration" }, {
      related: [{ span: decl.name.span, message: "declared here" }],
    });
    return ERROR;
  }
  if (builtins.has(expr.name)) {
    c.tables.refs.set(expr, { kind: "builtin", name: expr.name });
    if (expected !== undefined && expand(expected).kind === "callable") return expected;
    c.problems.report(d.notAValue, expr.span, { name: expr.name, what: "a built-in function" });
    return ERROR;
  }
  return reportUnknown(c, expr, env, context);
}

export const WHAT: Readonly<Record<string, string>> = {
  TypeDecl: "a type",
  ModelDecl: "a model",
  McpDecl: "an MCP server",
  ToolDecl: "a tool",
  AgentDecl: "an agent",
  FlowDecl: "a flow",
  CapabilityDecl: "a capability",
  ComposeDecl: "a compose",
  PolicyDecl: "a policy",
  ChannelDecl: "a channel",
  StateDecl: "a state",
  LetDecl: "a constant",
};

/** Everything a name at this place could have meant. */
function reportUnknown(c: Checker, expr: NameExpr, env: Env, context: Context): Type {
  if (expr.name === "" || context.scope.failed.has(expr.name)) return ERROR;
  const values = [...context.scope.names.values()].map((s) => s.name);
  const near = nearest(expr.name, [...namesInScope(env), ...values, ...builtins.keys()]);
  const fixes: Fix[] = near === undefined ? [] : [{ title: `write \`${near}\``, edits: [{ span: expr.span, text: near }] }];
  c.problems.report(d.unknownName, expr.span, { name: expr.name, near }, { fixes });
  return ERROR;
}

export function inferRecord(c: Checker, expr: RecordExpr, env: Env, context: Context, expected?: Type): Type {
  const wanted = expected === undefined ? undefined : wantedRecord(expr, expected);
  if (wanted?.kind === "map") {
    for (const entry of expr.entries) {
      if (entry.kind === "Field") c.expect(entry.value, env, context, wanted.of);
      else c.expect(entry.value, env, context, wanted);
    }
    return wanted;
  }
  const fields = new Map<string, Field>();
  let failed = false;
  for (const entry of expr.entries) {
    if (entry.kind === "Spread") {
      const spread = c.infer(entry.value, env, context, wanted);
      const t = expand(spread);
      if (t.kind === "record") for (const f of t.fields) fields.set(f.name, f);
      else {
        if (t.kind !== "error") c.problems.report(d.spreadNotRecord, entry.value.span, { found: typeText(spread) });
        failed = true;
      }
      continue;
    }
    const name = entry.name.text;
    const before = expr.entries.find((e) => e.kind === "Field" && e.name.text === name && e.span.start < entry.span.start);
    if (before?.kind === "Field") {
      c.problems.report(d.duplicateField, entry.name.span, { name }, { related: [{ span: before.name.span, message: "first here" }] });
    }
    const target = wanted === undefined ? undefined : fieldOf(wanted, name);
    const type = c.infer(entry.value, env, context, target);
    fields.set(name, { name, type });
  }
  return failed ? ERROR : record([...fields.values()]);
}

/** Which of the expected types a record literal is meant to be: the only record, or the one whose tag it writes. */
function wantedRecord(expr: RecordExpr, expected: Type): RecordType | { readonly kind: "map"; readonly of: Type } | undefined {
  const records = members(expected)
    .map(expand)
    .filter((t): t is RecordType | { kind: "map"; of: Type } => t.kind === "record" || t.kind === "map");
  if (records.length < 2) return records[0];
  return records.find(
    (r) =>
      r.kind === "record" &&
      expr.entries.some((e) => {
        if (e.kind !== "Field" || (e.value.kind !== "Text" && e.value.kind !== "Bool" && e.value.kind !== "Number")) return false;
        const own = r.fields.find((f) => f.name === e.name.text);
        const value = e.value.value;
        return own !== undefined && members(own.type).some((m) => m.kind === "literal" && m.value === value);
      }),
  );
}

export function inferList(c: Checker, expr: ListExpr, env: Env, context: Context, expected?: Type): Type {
  const wanted = expected === undefined ? undefined : members(expected).map(expand).find((t) => t.kind === "list");
  const element = wanted?.kind === "list" ? wanted.of : undefined;
  let of: Type = NEVER;
  let min = 0;
  let max = 0;
  for (const { spread, value } of expr.elements) {
    let own: Type;
    if (spread) {
      const type = c.infer(value, env, context, wanted);
      const t = expand(type);
      if (t.kind === "error") return ERROR;
      if (t.kind !== "list") {
        c.problems.report(d.spreadNotList, value.span, { found: typeText(type) });
        return ERROR;
      }
      own = t.of;
      min += t.min;
      max += t.max;
    } else {
      own = c.infer(value, env, context, element);
      min++;
      max++;
    }
    if (isError(own)) of = ERROR;
    else if (element !== undefined && assignable(own, element) && assignable(of, element)) {
      const both = join(of, own);
      of = assignable(both, element) ? both : element;
    }
    else if (element === undefined && !canJoin(of, own)) {
      c.problems.report(d.cannotJoin, value.span, { first: typeText(of), second: typeText(own), what: "items of a list" });
      of = ERROR;
    } else of = join(of, own);
  }
  return list(of, min, max);
}

/** The type of a member, and whether a `?.` before it may have cut the chain short. */
export function inferChain(c: Checker, expr: Expr, env: Env, context: Context): { type: Type; short: boolean } {
  if (expr.kind === "Member") return inferMember(c, expr, env, context);
  if (expr.kind === "Index") return inferIndex(c, expr, env, context);
  return { type: c.infer(expr, env, context), short: false };
}

export function inferMember(c: Checker, expr: MemberExpr, env: Env, context: Context): { type: Type; short: boolean } {
  const object = inferChain(c, expr.object, env, context);
  c.tables.types.set(expr.object, object.type);
  let type = object.type;
  let short = object.short;
  const name = expr.name.text;
  const path = pathOf(expr, env);
  if (path !== undefined) {
    const known = narrowedType(env, path.local, path.fields.join("."));
    if (known !== undefined) return { type: known, short };
  }
  if (isError(type) || name === "") return { type: ERROR, short };
  const t = expand(type);
  if (expr.optional) {
    short ||= isOptional(type);
    type = nonNull(type);
  } else if (t.kind !== "null" && isOptional(type)) {
    const edit = { span: { ...expr.name.span, start: expr.object.span.end, end: expr.name.span.start }, text: "?." };
    c.problems.report(d.fieldOfOptional, expr.name.span, { name, type: typeText(type) }, { fixes: [{ title: "use `?.`", edits: [edit] }] });
    return { type: ERROR, short };
  }
  const found = fieldOf(type, name);
  if (found !== undefined) return { type: found, short };
  reportNoField(c, expr, type, env);
  return { type: ERROR, short };
}

function reportNoField(c: Checker, expr: MemberExpr, type: Type, env: Env): void {
  const name = expr.name.text;
  const t = expand(type);
  const base = pathOf(expr.object, env);
  const subject = base === undefined ? undefined : [base.local.name, ...base.fields].join(".");
  if (t.kind === "record" || t.kind === "union") {
    const withField = members(type).filter((m) => fieldOf(m, name) !== undefined);
    if (t.kind === "union" && withField.length > 0 && withField.length < members(type).length) {
      const without = members(type).filter((m) => fieldOf(m, name) === undefined);
      c.problems.report(d.fieldNotInAll, expr.name.span, { name, without: without.map((m) => typeText(m)) });
      return;
    }
    const fields = fieldNames(type);
    const near = nearest(name, fields);
    const fixes = near === undefined ? [] : [{ title: `write \`${near}\``, edits: [{ span: expr.name.span, text: near }] }];
    c.problems.report(d.unknownField, expr.name.span, { name, near, type: typeText(type), subject, fields }, { related: declaredAt(c, type), fixes });
    return;
  }
  if (t.kind === "json") c.problems.report(d.fieldOfJson, expr.name.span, { name });
  else if (t.kind === "list") c.problems.report(d.fieldOfList, expr.name.span, { name, item: fieldOf(t.of, name) !== undefined });
  else if (t.kind === "map") c.problems.report(d.fieldOfMap, expr.name.span, { name });
  else c.problems.report(d.noFields, expr.name.span, { name, type: typeText(type) });
}

/** Where a named type is declared, to show beside what is wrong with a value of it. */
function declaredAt(c: Checker, type: Type): readonly Related[] {
  if (type.kind !== "named") return [];
  const id = type.id.replace(/<.*$/s, "");
  for (const scope of c.resolved.scopes) {
    const symbol = [...scope.names.values()].find((s) => s.scope === scope && s.id === id);
    if (symbol !== undefined) return scope.isPrelude ? [] : [{ span: symbol.decl.name.span, message: "declared here" }];
  }
  return [];
}

export function inferIndex(c: Checker, expr: IndexExpr, env: Env, context: Context): { type: Type; short: boolean } {
  const object = inferChain(c, expr.object, env, context);
  c.tables.types.set(expr.object, object.type);
  const t = expand(object.type);
  const { short } = object;
  if (t.kind === "list") {
    c.expect(expr.index, env, context, INT);
    const at = expand(c.tables.types.get(expr.index) ?? ERROR);
    const proved = at.kind === "literal" && typeof at.value === "number" ? at.value < t.min && at.value >= 0 : at.kind === "int" && (at.min ?? -1) >= 0 && (at.max ?? Number.POSITIVE_INFINITY) < t.min;
    return { type: proved || env.strictIndex ? t.of : optional(t.of), short };
  }
  if (t.kind === "map") {
    c.expect(expr.index, env, context, STRING);
    return { type: env.strictIndex ? t.of : optional(t.of), short };
  }
  c.infer(expr.index, env, context);
  if (t.kind !== "error") c.problems.report(d.notIndexable, expr.span, { type: typeText(object.type), optional: isOptional(object.type) });
  return { type: ERROR, short };
}

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
export function condition(c: Checker, expr: Expr, env: Env, context: Context): void {
  const type = c.infer(expr, env, context, BOOL);
  if (assignable(type, BOOL)) return;
  const t = expand(type);
  const shown = expr.kind === "NameExpr" ? expr.name : "…";
  const hint = isOptional(type) ? `write \`${shown} != null\`` : t.kind === "list" || t.kind === "string" ? `write \`len(${shown}) > 0\`` : undefined;
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
      condition(c, expr.left, env, context);
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
  const help = isOptional(left) || isOptional(right)
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
        ? nearest(other.value, options.flatMap((o) => (o.kind === "literal" && typeof o.value === "string" ? [o.value] : [])))
        : undefined;
    const fixes = near === undefined ? [] : [{ title: `write "${near}"`, edits: [{ span: expr.right.span, text: JSON.stringify(near) }] }];
    c.problems.report(d.neverEqual, near === undefined ? expr.span : expr.right.span, { left: typeText(left), right: typeText(right), near }, { fixes });
  }
  return BOOL;
}

function comparable(a: Type, b: Type): boolean {
  const x = expand(a);
  const y = expand(b);
  if (assignable(x, y) || assignable(y, x)) return true;
  const l = numeric(x);
  const r = numeric(y);
  if (l !== undefined && r !== undefined) return x.kind === "literal" && y.kind === "literal" ? x.value === y.value : l === r || (isPlain(l) && isPlain(r));
  if (x.kind === "string" && y.kind === "string") return true;
  if (x.kind === "list" && y.kind === "list") return x.min === 0 || comparable(x.of, y.of);
  if (x.kind === "record" && y.kind === "record") return x.fields.every((f) => y.fields.some((g) => g.name === f.name && members(f.type).some((m) => members(g.type).some((n) => comparable(m, n)))));
  return x.kind === "map" && y.kind === "map";
}

export function inferIf(c: Checker, expr: IfExpr, env: Env, context: Context, expected?: Type): Type {
  condition(c, expr.test, env, context);
  const then = c.infer(expr.then, narrow(expr.test, true, env), context, expected);
  if (expr.else === undefined) return isError(then) ? ERROR : optional(then);
  const otherwise = c.infer(expr.else, narrow(expr.test, false, env), context, expected ?? undefined);
  return joinBranches(c, [
    { type: then, expr: expr.then },
    { type: otherwise, expr: expr.else },
  ], expected, "branches");
}

/** The type of "one of these": what is expected where all fit it, else their join. */
export function joinBranches(c: Checker, branches: readonly { type: Type; expr: Expr }[], expected: Type | undefined, what: string): Type {
  let out: Type = NEVER;
  for (const { type, expr } of branches) {
    if (isError(type)) return ERROR;
    const fits = expected !== undefined && !isError(expected) && assignable(type, expected) && assignable(out, expected);
    if (!fits && out.kind !== "never" && type.kind !== "never" && !canJoin(out, type)) {
      c.problems.report(d.cannotJoin, tailOf(expr).span, { first: typeText(out), second: typeText(type), what });
      return ERROR;
    }
    out = join(out, type);
    if (fits && expected !== undefined && !assignable(out, expected)) out = expected;
  }
  return out;
}

/** The expression that gives a block its value. */
export function tailOf(expr: Expr): Expr {
  if (expr.kind !== "Block") return expr;
  const last = expr.statements[expr.statements.length - 1];
  return last?.kind === "Expr" ? tailOf(last.value) : expr;
}

export function inferBlock(c: Checker, expr: BlockExpr, env: Env, context: Context, expected?: Type): Type {
  const { type } = inferStatements(c, expr.statements, childEnv(env), context, expected);
  return type;
}

/** Checks statements in order; returns the value's type and the environment after the last. */
export function inferStatements(
  c: Checker,
  statements: readonly Statement[],
  start: Env,
  context: Context,
  expected?: Type,
  loop?: LoopChecks,
): { type: Type; env: Env } {
  let env = start;
  let type: Type = NULL;
  statements.forEach((statement, i) => {
    const last = i === statements.length - 1;
    switch (statement.kind) {
      case "Let": {
        const declared = statement.type === undefined ? undefined : c.typeOf(statement.type, context.scope, context.vars);
        const value = declared === undefined ? c.infer(statement.value, env, context) : c.expect(statement.value, env, context, declared);
        const known = declared ?? value;
        if (!statement.destructured) {
          const name = statement.names[0];
          if (name !== undefined) c.bind(name, { kind: "let", type: known }, start, context);
        } else {
          for (const name of statement.names) {
            const field = isError(known) ? ERROR : fieldOf(known, name.text);
            if (field === undefined && name.text !== "") {
              const near = nearest(name.text, fieldNames(known));
              c.problems.report(d.unknownField, name.span, { name: name.text, near, type: typeText(known), subject: undefined, fields: fieldNames(known) });
            }
            c.bind(name, { kind: "let", type: field ?? ERROR }, start, context);
          }
        }
        type = NULL;
        break;
      }
      case "Set": {
        const symbol = context.scope.names.get(statement.name.text);
        const call = firstCall(statement.value, context);
        if (call !== undefined) c.problems.report(d.callInSet, call, {});
        if (symbol?.decl.kind === "StateDecl") {
          context.scope.used.add(statement.name.text);
          c.expect(statement.value, env, context, c.typeOf(symbol.decl.type, symbol.scope));
        } else {
          c.infer(statement.value, env, context);
          if (statement.name.text !== "") c.problems.report(d.setNeedsState, statement.name.span, { name: statement.name.text });
        }
        type = NULL;
        break;
      }
      case "Assert":
        condition(c, statement.test, env, context);
        if (statement.message !== undefined) c.expect(statement.message, env, context, STRING);
        env = narrow(statement.test, true, env);
        type = NULL;
        break;
      case "Stop":
        if (loop === undefined) c.problems.report(d.stopOutsideLoop, statement.span, {});
        condition(c, statement.test, env, context);
        env = narrow(statement.test, false, env);
        type = NULL;
        break;
      case "Next":
        if (loop === undefined) {
          c.problems.report(d.nextOutsideLoop, statement.span, {});
          c.infer(statement.value, env, context);
        } else {
          if (!last) c.problems.report(d.nextNotLast, statement.span, {});
          loop.next(c.infer(statement.value, env, context, loop.state), statement.value);
        }
        type = NULL;
        break;
      case "Expr": {
        const value = c.infer(statement.value, env, context, last ? expected : undefined);
        if (last) type = value;
        else {
          if (value.kind === "never") c.problems.report(d.unreachableCode, statements[i + 1]?.span ?? statement.span, {});
          type = value.kind === "never" ? NEVER : NULL;
        }
      }
    }
  });
  return { type, env };
}

/** Where an expression calls something that is no pure function. */
function firstCall(expr: Expr, context: Context): Span | undefined {
  let found: Span | undefined;
  walk(expr, (node) => {
    if (found !== undefined || !("kind" in node)) return false;
    const callee = node.kind === "Call" && node.callee.kind === "NameExpr" ? { text: node.callee.name, span: node.callee.span } : node.kind === "Stage" ? node.callee : undefined;
    const symbol = callee === undefined ? undefined : context.scope.names.get(callee.text);
    if (callee !== undefined && symbol !== undefined && isCallableDecl(symbol.decl)) found = callee.span;
    else if (node.kind === "Ask" || node.kind === "Orchestrate" || node.kind === "Send") found = node.span;
    return;
  });
  return found;
}

export interface LoopChecks {
  readonly state: Type;
  next(type: Type, value: Expr): void;
}

/** Whether a record with this field is expected, so that `{ name }` was meant as one. */
function wantsField(expected: Type, name: string): boolean {
  return members(expected).some((m) => {
    const t = expand(m);
    return t.kind === "record" && t.fields.some((f) => f.name === name);
  });
}

/** Reports that `found` does not fit `expected`, at the innermost part of the expression to blame. */
export function reportMismatch(c: Checker, expr: Expr, found: Type, expected: Type): void {
  if (isError(found) || isError(expected)) return;
  switch (expr.kind) {
    case "Record": {
      const wanted = wantedRecord(expr, expected);
      if (wanted?.kind === "record") {
        let reported = false;
        for (const entry of expr.entries) {
          if (entry.kind !== "Field") continue;
          const target = wanted.fields.find((f) => f.name === entry.name.text);
          const own = c.tables.types.get(entry.value);
          if (target !== undefined && own !== undefined && !assignable(own, target.type)) {
            reportMismatch(c, entry.value, own, target.type);
            reported = true;
          }
        }
        const missing = wanted.fields.filter((f) => fieldOf(found, f.name) === undefined && !isOptional(f.type));
        if (missing.length > 0) {
          c.problems.report(d.missingFields, expr.span, { names: missing.map((f) => f.name), type: typeText(expected) }, { related: declaredAt(c, expected) });
          reported = true;
        }
        if (reported) return;
      }
      break;
    }
    case "List": {
      const wanted = members(expected).map(expand).find((t) => t.kind === "list");
      if (wanted?.kind === "list") {
        const wrong = expr.elements.filter((e) => {
          const own = c.tables.types.get(e.value);
          return !e.spread && own !== undefined && !assignable(own, wanted.of);
        });
        for (const element of wrong) reportMismatch(c, element.value, c.tables.types.get(element.value) ?? ERROR, wanted.of);
        if (wrong.length > 0) return;
      }
      break;
    }
    case "Block": {
      const [first] = expr.statements;
      if (expr.statements.length === 1 && first?.kind === "Expr" && first.value.kind === "NameExpr" && wantsField(expected, first.value.name)) {
        const { name } = first.value;
        const text = `{ ${name}: ${name} }`;
        c.problems.report(d.shorthandRecord, expr.span, { name, expected: typeText(expected) }, { fixes: [{ title: `write \`${text}\``, edits: [{ span: expr.span, text }] }] });
        return;
      }
      const last = expr.statements[expr.statements.length - 1];
      if (last?.kind === "Expr") {
        reportMismatch(c, last.value, c.tables.types.get(last.value) ?? found, expected);
        return;
      }
      if (expr.statements.length === 0) {
        c.problems.report(d.blockWithoutValue, expr.span, { expected: typeText(expected) });
        return;
      }
      if (expr.statements[expr.statements.length - 1]?.kind !== "Expr") {
        c.problems.report(d.blockWithoutValue, expr.statements[expr.statements.length - 1]?.span ?? expr.span, { expected: typeText(expected) });
        return;
      }
      break;
    }
    case "If": {
      let reported = false;
      for (const branch of [expr.then, expr.else]) {
        const own = branch === undefined ? undefined : c.tables.types.get(branch);
        if (branch !== undefined && own !== undefined && !assignable(own, expected)) {
          reportMismatch(c, branch, own, expected);
          reported = true;
        }
      }
      if (reported) return;
      if (expr.else === undefined) {
        c.problems.report(d.ifWithoutElse, expr.span, { found: typeText(found), expected: typeText(expected) });
        return;
      }
      break;
    }
    case "Match": {
      const wrong = expr.arms.filter((arm) => {
        const own = c.tables.types.get(arm.body);
        return own !== undefined && !assignable(own, expected);
      });
      for (const arm of wrong) reportMismatch(c, arm.body, c.tables.types.get(arm.body) ?? ERROR, expected);
      if (wrong.length > 0) return;
      break;
    }
    case "Annotated":
      reportMismatch(c, expr.inner, found, expected);
      return;
    default:
      break;
  }
  const lit = expand(found);
  const options = members(expected).flatMap((m) => {
    const t = expand(m);
    return t.kind === "literal" && typeof t.value === "string" ? [t.value] : [];
  });
  const near = lit.kind === "literal" && typeof lit.value === "string" ? nearest(lit.value, options) : undefined;
  const fixes = near === undefined ? [] : [{ title: `write "${near}"`, edits: [{ span: expr.span, text: JSON.stringify(near) }] }];
  c.problems.report(
    d.typeMismatch,
    expr.span,
    { found: typeText(found), expected: typeText(expected), reason: near === undefined ? mismatch(found, expected) : `did you mean "${near}"?` },
    { fixes },
  );
}
