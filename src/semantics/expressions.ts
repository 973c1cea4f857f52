/**
 * The types of plain expressions: literals, names, records, lists, fields, operators, blocks and branches. Regions and
 * calls have files of their own. What is expected flows inwards; every mistake is reported once, at the innermost
 * expression to blame, and gives the type `error`, which fits anywhere.
 */
import { d } from "../diagnostics/catalogue/catalogue.js";
import { writing } from "../diagnostics/problems.js";
import { nearest } from "../diagnostics/suggest.js";
import type { Expr, IfExpr, IndexExpr, ListExpr, MemberExpr, NameExpr, RecordExpr } from "../syntax/ast.js";
import { builtins } from "./builtins.js";
import type { Checker, Context } from "./checker.js";
import { declaredAt, joinBranches, wantedRecord } from "./mismatch.js";
import { narrow, pathOf } from "./narrow.js";
import { condition } from "./operators.js";
import { assignable, join } from "./relate.js";
import { type Env, isCallableDecl, lookup, namesInScope, narrowedType } from "./symbols.js";
import { canJoin } from "./type-nodes.js";
import {
  ERROR,
  expand,
  type Field,
  fieldNames,
  fieldOf,
  INT,
  isError,
  isOptional,
  list,
  members,
  NEVER,
  nonNull,
  optional,
  record,
  STRING,
  type Type,
  typeText,
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
    c.problems.report(
      d.notAValue,
      expr.span,
      { name: expr.name, what: WHAT[decl.kind] ?? "a declaration" },
      {
        related: [{ span: decl.name.span, message: "declared here" }],
      },
    );
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

/** What other languages call `null`, `true` and `false`. */
const OTHER_CONSTANTS: ReadonlyMap<string, string> = new Map(
  Object.entries({
    none: "null",
    None: "null",
    nil: "null",
    undefined: "null",
    NULL: "null",
    True: "true",
    False: "false",
  }),
);

/** Everything a name at this place could have meant. */
function reportUnknown(c: Checker, expr: NameExpr, env: Env, context: Context): Type {
  if (expr.name === "" || context.scope.failed.has(expr.name)) return ERROR;
  for (let e: Env | undefined = env; e !== undefined; e = e.parent) {
    const span = e.later?.get(expr.name);
    if (span === undefined) continue;
    c.problems.report(d.usedTooEarly, expr.span, { name: expr.name }, { related: [{ span, message: "its `let`" }] });
    return ERROR;
  }
  const values = [...context.scope.names.values()].map((s) => s.name);
  const other = OTHER_CONSTANTS.get(expr.name);
  const near = other ?? nearest(expr.name, [...namesInScope(env), ...values, ...builtins.keys()]);
  const fixes = writing(expr.span, near);
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

export function inferList(c: Checker, expr: ListExpr, env: Env, context: Context, expected?: Type): Type {
  const wanted =
    expected === undefined
      ? undefined
      : members(expected)
          .map(expand)
          .find((t) => t.kind === "list");
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
    } else if (element === undefined && !canJoin(of, own)) {
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
    const fixes = writing(expr.name.span, near);
    c.problems.report(
      d.unknownField,
      expr.name.span,
      { name, near, type: typeText(type), subject, fields },
      { related: declaredAt(c, type), fixes },
    );
    return;
  }
  if (t.kind === "json") c.problems.report(d.fieldOfJson, expr.name.span, { name });
  else if (t.kind === "list") c.problems.report(d.fieldOfList, expr.name.span, { name, item: fieldOf(t.of, name) !== undefined });
  else if (t.kind === "map") c.problems.report(d.fieldOfMap, expr.name.span, { name });
  else c.problems.report(d.noFields, expr.name.span, { name, type: typeText(type) });
}

export function inferIndex(c: Checker, expr: IndexExpr, env: Env, context: Context): { type: Type; short: boolean } {
  const object = inferChain(c, expr.object, env, context);
  c.tables.types.set(expr.object, object.type);
  const t = expand(object.type);
  const { short } = object;
  if (t.kind === "list") {
    c.expect(expr.index, env, context, INT);
    const at = expand(c.tables.types.get(expr.index) ?? ERROR);
    const proved =
      at.kind === "literal" && typeof at.value === "number"
        ? at.value < t.min && at.value >= 0
        : at.kind === "int" && (at.min ?? -1) >= 0 && (at.max ?? Number.POSITIVE_INFINITY) < t.min;
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

export function inferIf(c: Checker, expr: IfExpr, env: Env, context: Context, expected?: Type): Type {
  condition(c, expr.test, env, context);
  const then = c.infer(expr.then, narrow(expr.test, true, env), context, expected);
  if (expr.else === undefined) return isError(then) ? ERROR : optional(then);
  const otherwise = c.infer(expr.else, narrow(expr.test, false, env), context, expected ?? undefined);
  return joinBranches(
    c,
    [
      { type: then, expr: expr.then },
      { type: otherwise, expr: expr.else },
    ],
    expected,
    "branches",
  );
}
