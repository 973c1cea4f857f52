/**
 * Templates, typed: every path, block and helper against what is in scope at that place in the text. Blocks `each` and
 * `with` open a context of their own, whose fields are plain names; what lies outside is reached with `../`. A value
 * must have a text form, and one that may be null must be guarded or given a default.
 */
import { d } from "../diagnostics/catalogue/catalogue.js";
import { writing } from "../diagnostics/problems.js";
import { nearest } from "../diagnostics/suggest.js";
import { type SourceFile, sourceFile } from "../source/source.js";
import type { Template, TemplateBlock, TemplateExpr, TemplatePart, Text } from "../syntax/ast.js";
import { parseTemplate } from "../syntax/template.js";
import { builtins, OTHER_NAMES } from "./builtins.js";
import type { Checker, Context, TemplateRef } from "./checker.js";
import { WHAT } from "./expressions.js";
import { declaredAt } from "./mismatch.js";
import { assignable } from "./relate.js";
import { childEnv, type Env, isCallableDecl, lookup, namesInScope, narrowedType, setNarrowed } from "./symbols.js";
import {
  BOOL,
  ERROR,
  expand,
  fieldNames,
  fieldOf,
  INT,
  isError,
  isOptional,
  members,
  nonNull,
  STRING,
  substitute,
  type Type,
  typeText,
  union,
} from "./types.js";
import { unify } from "./unify.js";

/** One level of names inside a template; the outermost has no `type` and sees the environment. */
interface Level {
  readonly parent: Level | undefined;
  readonly type: Type | undefined;
  readonly each: boolean;
  /** Paths known not to be null here. */
  readonly guarded: ReadonlyMap<string, Type>;
  readonly params: ReadonlyMap<string, { readonly block: TemplateBlock; readonly index: number; readonly type: Type }>;
  readonly env: Env;
}

interface Scope {
  readonly c: Checker;
  readonly context: Context;
  readonly level: Level;
}

const NO_GUARDS: Level["guarded"] = new Map();
const NO_PARAMS: Level["params"] = new Map();

/** Parses (once) and checks a text with `{{`; its value is a string. */
export function inferTemplate(c: Checker, text: Text, env: Env, context: Context): Type {
  let template: Template | undefined = c.tables.templates.get(text);
  if (template === undefined) {
    template = parseTemplate(text, fileOf(c, context), c.problems);
    c.tables.templates.set(text, template);
  }
  const level: Level = { parent: undefined, type: undefined, each: false, guarded: NO_GUARDS, params: NO_PARAMS, env };
  checkParts({ c, context, level }, template.parts);
  return STRING;
}

function fileOf(c: Checker, context: Context): SourceFile {
  const path = context.scope.module.file;
  return c.resolved.files.get(path) ?? sourceFile(path, "");
}

function checkParts(s: Scope, parts: readonly TemplatePart[]): void {
  for (const part of parts) {
    if (part.kind === "TemplateValue") checkValue(s, part.value);
    else if (part.kind === "TemplateBlock") checkBlock(s, part);
  }
}

function checkValue(s: Scope, value: TemplateExpr): void {
  const type = infer(s, value);
  if (isError(type)) return;
  const { problems } = s.c;
  const bare = value.kind === "TemplatePath" ? source(value) : undefined;
  if (isOptional(type)) {
    problems.report(d.templateOptional, value.span, { type: typeText(type), path: bare });
    return;
  }
  for (const m of members(type)) {
    const t = expand(m);
    switch (t.kind) {
      case "list":
        problems.report(d.templateList, value.span, { type: typeText(type), path: bare });
        return;
      case "record":
      case "map":
      case "json":
        problems.report(d.templateRecord, value.span, { kind: t.kind, type: typeText(type), path: bare });
        return;
      case "secret":
        if (!s.context.secretAllowed) problems.report(d.secretInTemplate, value.span, {});
        return;
      case "image":
      case "audio":
      case "document":
        if (s.context.mediaAllowed !== true) problems.report(d.templateMedia, value.span, { kind: t.kind });
        return;
      case "callable":
      case "var":
        problems.report(d.templateNoText, value.span, { type: typeText(type) });
        return;
      default:
        break;
    }
  }
}

/** A path as written. */
function source(path: TemplateExpr & { readonly kind: "TemplatePath" }): string {
  const names = path.segments.map((n) => n.text);
  return `${"../".repeat(path.up)}${path.data ? "@" : ""}${path.self ? ["this", ...names].join(".") : names.join(".")}`;
}

function infer(s: Scope, expr: TemplateExpr): Type {
  const type = inferExpr(s, expr);
  s.c.tables.templateTypes.set(expr, type);
  return type;
}

function inferExpr(s: Scope, expr: TemplateExpr): Type {
  switch (expr.kind) {
    case "TemplateLiteral":
      return expr.value === null ? { kind: "null" } : { kind: "literal", value: expr.value };
    case "TemplateCall":
      return inferHelper(s, expr);
    case "TemplatePath":
      return inferPath(s, expr);
  }
}

type Path = TemplateExpr & { readonly kind: "TemplatePath" };

function inferPath(s: Scope, path: Path): Type {
  const { c } = s;
  let level = s.level;
  let up = 0;
  for (let i = 0; i < path.up; i++) {
    while (level.parent !== undefined && level.type === undefined) level = level.parent;
    if (level.parent === undefined) {
      c.problems.report(d.templateTooFarUp, path.span, {});
      return ERROR;
    }
    level = outward(level);
    up++;
  }
  if (path.data) return inferData(s, path, level, up);
  const [first] = path.segments;
  const ref = (made: TemplateRef) => c.tables.templateRefs.set(path, made);
  const names = path.segments.map((n) => n.text);
  if (path.self || first === undefined) {
    if (level.type === undefined) {
      c.problems.report(d.templateThis, path.span, {});
      return ERROR;
    }
    ref({ kind: "context", up, path: names });
    return walk(s, level, path, level.type, path.segments, (n) => guardKey(up, names.slice(0, n)));
  }
  if (path.up === 0) {
    const param = paramNamed(level, first.text);
    if (param !== undefined) {
      ref({ kind: "blockParam", block: param.block, index: param.index, path: names.slice(1) });
      return walk(s, level, path, param.type, path.segments.slice(1), (n) => `|${names.slice(0, n).join(".")}`);
    }
  }
  if (level.type !== undefined) {
    const own = fieldOf(nonNull(level.type), first.text);
    if (own !== undefined) {
      if (path.up === 0) warnHidden(s, path, first.text);
      ref({ kind: "context", up, path: names });
      return walk(s, level, path, level.type, path.segments, (n) => guardKey(up, names.slice(0, n)));
    }
    return reportInContext(s, path, level, first.text);
  }
  return inferRoot(s, path, level, names);
}

/** A name of the surrounding program. */
function inferRoot(s: Scope, path: Path, level: Level, names: readonly string[]): Type {
  const { c, context } = s;
  const [first] = path.segments;
  if (first === undefined) return ERROR;
  const local = lookup(level.env, first.text);
  if (local !== undefined) {
    local.used = true;
    c.tables.templateRefs.set(path, { kind: "local", local, path: names.slice(1) });
    let type = narrowedType(level.env, local, "") ?? local.type;
    for (let i = 1; i < names.length; i++) {
      const known = narrowedType(level.env, local, names.slice(1, i + 1).join("."));
      const next = known ?? step(s, path, type, names[i] ?? "", i);
      if (next === undefined) return ERROR;
      type = next;
    }
    return type;
  }
  const symbol = context.scope.names.get(first.text);
  if (symbol?.decl.kind === "LetDecl" || symbol?.decl.kind === "StateDecl") {
    context.scope.used.add(first.text);
    c.tables.templateRefs.set(path, { kind: "symbol", symbol, path: names.slice(1) });
    const type = symbol.decl.kind === "LetDecl" ? c.constant(symbol) : c.typeOf(symbol.decl.type, symbol.scope);
    return walk(s, level, path, type, path.segments.slice(1), () => "");
  }
  if (context.scope.failed.has(first.text)) return ERROR;
  const what =
    symbol === undefined ? (builtins.has(first.text) ? "a built-in function" : undefined) : (WHAT[symbol.decl.kind] ?? "a declaration");
  if (what !== undefined) {
    c.problems.report(d.templateNotValue, first.span, { name: first.text, what });
    return ERROR;
  }
  const constants = [...context.scope.names.values()].filter((x) => x.decl.kind === "LetDecl").map((x) => x.name);
  const near = nearest(first.text, [...namesInScope(level.env), ...constants]);
  const fixes = writing(first.span, near);
  c.problems.report(
    d.templateUnknown,
    first.span,
    { name: first.text, near, names: [...new Set(namesInScope(level.env))].filter((n) => !n.startsWith(" ")) },
    { fixes },
  );
  return ERROR;
}

/** Follows fields from a known type, using what guards around have shown of any part of the path. */
function walk(
  s: Scope,
  level: Level,
  path: Path,
  start: Type,
  segments: readonly { readonly text: string }[],
  keyOf: (names: number) => string,
): Type {
  const guarded = (names: number): Type | undefined => guardedType(s.level, keyOf(names)) ?? guardedType(level, keyOf(names));
  const offset = path.segments.length - segments.length;
  let type = guarded(offset) ?? start;
  for (let i = 0; i < segments.length; i++) {
    const next = guarded(offset + i + 1) ?? step(s, path, type, segments[i]?.text ?? "", offset + i);
    if (next === undefined) return ERROR;
    type = next;
  }
  return type;
}

function step(s: Scope, path: Path, type: Type, name: string, at: number): Type | undefined {
  if (isError(type)) return undefined;
  const segment = path.segments[at];
  const span = segment?.span ?? path.span;
  if (isOptional(type)) {
    s.c.problems.report(d.templateFieldOfOptional, span, { name, type: typeText(type) });
    return undefined;
  }
  const next = fieldOf(type, name);
  if (next !== undefined) return next;
  const fields = fieldNames(type);
  const near = nearest(name, fields);
  const fixes = writing(span, near);
  const before = path.segments.slice(0, at).map((n) => n.text);
  s.c.problems.report(
    d.unknownField,
    span,
    { name, near, type: typeText(type), subject: before.length === 0 ? undefined : before.join("."), fields },
    { related: declaredAt(s.c, type), fixes },
  );
  return undefined;
}

function guardKey(up: number, names: readonly string[]): string {
  return `${"../".repeat(up)}${names.join(".")}`;
}

function guardedType(level: Level, key: string): Type | undefined {
  return key === "" ? undefined : level.guarded.get(key);
}

/** The enclosing level that has a context of its own, or the outermost. */
function outward(level: Level): Level {
  return level.parent ?? level;
}

function paramNamed(level: Level, name: string): { block: TemplateBlock; index: number; type: Type } | undefined {
  for (let l: Level | undefined = level; l !== undefined; l = l.parent) {
    const found = l.params.get(name);
    if (found !== undefined) return found;
  }
  return undefined;
}

function rootOf(level: Level): Level {
  let l = level;
  while (l.parent !== undefined) l = l.parent;
  return l;
}

function warnHidden(s: Scope, path: Path, name: string): void {
  if (s.level.type === undefined) return;
  const local = lookup(rootOf(s.level).env, name);
  if (local !== undefined)
    s.c.problems.report(
      d.templateHidden,
      path.segments[0]?.span ?? path.span,
      { name },
      { related: [{ span: local.span, message: "hidden here" }] },
    );
}

/** Inside `each` or `with` a plain name is a field; an outer name needs `../`. */
function reportInContext(s: Scope, path: Path, level: Level, name: string): Type {
  const span = path.segments[0]?.span ?? path.span;
  if (level.type === undefined || isError(level.type)) return ERROR;
  let ups = "";
  for (let l: Level | undefined = level; l !== undefined; l = l.parent) {
    const here =
      l.type === undefined
        ? lookup(l.env, name) !== undefined || s.context.scope.names.has(name)
        : fieldOf(nonNull(l.type), name) !== undefined;
    if (here && ups !== "") {
      const text = `${ups}${name}`;
      const local = l.type === undefined ? lookup(l.env, name) : undefined;
      if (local !== undefined) local.used = true;
      s.c.problems.report(d.templateOuterName, span, { name, text, type: typeText(level.type) }, { fixes: writing(span, text) });
      return ERROR;
    }
    ups += "../";
  }
  const fields = fieldNames(level.type);
  const near = nearest(name, fields);
  const fixes = writing(span, near);
  s.c.problems.report(
    d.unknownField,
    span,
    { name, near, type: typeText(level.type), subject: "this", fields },
    { related: declaredAt(s.c, level.type), fixes },
  );
  return ERROR;
}

function inferData(s: Scope, path: Path, level: Level, up: number): Type {
  const name = path.segments[0]?.text ?? "";
  const types: Readonly<Record<string, Type>> = { index: INT, first: BOOL, last: BOOL, key: STRING };
  const type = Object.hasOwn(types, name) ? types[name] : undefined;
  let found: Level | undefined = level;
  let outer = up;
  while (found !== undefined && !found.each) {
    found = found.parent;
    outer++;
  }
  if (type === undefined || found === undefined) {
    s.c.problems.report(d.templateData, path.span, { name, near: nearest(name, Object.keys(types)), inside: found !== undefined });
    return ERROR;
  }
  s.c.tables.templateRefs.set(path, { kind: "data", name, up: outer });
  return type;
}

/** What templates have besides the built-in functions: sub-expressions such as `(eq kind "bug")`. */
export const templateHelpers: ReadonlySet<string> = new Set(["eq", "ne", "lt", "gt", "and", "or", "not", "default"]);

function inferHelper(s: Scope, expr: TemplateExpr & { readonly kind: "TemplateCall" }): Type {
  const { c } = s;
  const name = expr.helper.text;
  if (name === "") return ERROR;
  const args = expr.args.map((a) => infer(s, a));
  const hash = expr.hash.map((h) => infer(s, h.value));
  if (templateHelpers.has(name)) return inferLogic(s, expr, args);
  const forms = builtins.get(name);
  if (forms === undefined) {
    const callable = s.context.scope.names.get(name);
    const local = lookup(rootOf(s.level).env, name);
    if (local !== undefined) local.used = true;
    if ((callable !== undefined && isCallableDecl(callable.decl)) || (local !== undefined && expand(local.type).kind === "callable")) {
      c.problems.report(d.templateCallsCallable, expr.helper.span, { name });
      return ERROR;
    }
    const near = OTHER_NAMES.get(name) ?? nearest(name, [...builtins.keys(), ...templateHelpers]);
    const fixes = writing(expr.helper.span, near);
    c.problems.report(d.templateHelper, expr.helper.span, { name, near }, { fixes });
    return ERROR;
  }
  if (args.some(isError) || hash.some(isError)) return ERROR;
  for (const form of forms) {
    const given: (Type | undefined)[] = form.params.map((_, i) => args[i]);
    let ok = args.length <= form.params.length;
    expr.hash.forEach((h, i) => {
      const at = form.params.findIndex((p) => p.name === h.name.text);
      if (at < 0 || given[at] !== undefined) ok = false;
      else given[at] = hash[i];
    });
    const vars = new Map<string, Type>();
    ok &&= form.params.every((p, i) => {
      const type = given[i];
      if (type === undefined) return p.optional === true;
      return expand(p.type).kind !== "callable" && unify(p.type, type, vars) && assignable(type, substitute(p.type, vars));
    });
    if (!ok) continue;
    c.tables.helperForms.set(expr, form);
    return form.result(given, vars);
  }
  const wanted = forms.map(
    (f) => `${name} ${f.params.map((p) => `${p.name}${p.optional === true ? "?" : ""}: ${typeText(p.type)}`).join(", ")}`,
  );
  c.problems.report(d.templateHelperArgs, expr.span, { name, wanted, found: args.map((a) => typeText(a)) });
  return ERROR;
}

function inferLogic(s: Scope, expr: TemplateExpr & { readonly kind: "TemplateCall" }, args: readonly Type[]): Type {
  const { c } = s;
  const name = expr.helper.text;
  const count = name === "not" ? [1, 1] : name === "and" || name === "or" ? [2, 9] : [2, 2];
  if (args.length < (count[0] ?? 0) || args.length > (count[1] ?? 0) || expr.hash.length > 0) {
    c.problems.report(d.templateHelperArgs, expr.span, {
      name,
      wanted: [name === "not" ? "not x" : `${name} a b`],
      found: args.map((a) => typeText(a)),
    });
    return ERROR;
  }
  if (args.some(isError)) return name === "default" ? ERROR : BOOL;
  const [a, b] = args;
  if (a === undefined) return BOOL;
  switch (name) {
    case "default":
      if (b === undefined) return ERROR;
      return union([nonNull(a), b]);
    case "and":
    case "or":
    case "not":
      expr.args.forEach((arg, i) => {
        checkTest(s, arg, args[i] ?? ERROR);
      });
      return BOOL;
    default: {
      const comparable =
        b === undefined ||
        members(a).some((x) => members(b).some((y) => assignable(x, y) || assignable(y, x) || (isNumber(x) && isNumber(y))));
      if (!comparable && b !== undefined)
        c.problems.report(d.neverEqual, expr.span, { left: typeText(a), right: typeText(b), near: undefined });
      return BOOL;
    }
  }
}

function isNumber(type: Type): boolean {
  return assignable(type, { kind: "float" });
}

/** What `if` and `unless` can test: a bool, an optional, a list or a text. */
function checkTest(s: Scope, expr: TemplateExpr, type: Type): void {
  const t = expand(type);
  const fine =
    isOptional(type) ||
    members(type).every((m) => {
      const e = expand(m);
      return (
        e.kind === "bool" ||
        e.kind === "list" ||
        e.kind === "string" ||
        e.kind === "error" ||
        e.kind === "map" ||
        (e.kind === "literal" && typeof e.value !== "number")
      );
    });
  if (!fine) s.c.problems.report(d.templateTest, expr.span, { type: typeText(t) });
}

function checkBlock(s: Scope, block: TemplateBlock): void {
  const { c } = s;
  const name = block.helper.text;
  const [arg, extra] = block.args;
  if (name !== "if" && name !== "unless" && name !== "each" && name !== "with") {
    const near = nearest(name, ["if", "unless", "each", "with"]);
    c.problems.report(d.templateBlock, block.helper.span, { name, near });
    return;
  }
  if (arg === undefined || extra !== undefined) {
    c.problems.report(d.templateBlockArgs, block.helper.span, { name, found: block.args.length });
    return;
  }
  const type = infer(s, arg);
  const inside = (level: Level): Scope => ({ ...s, level });
  switch (name) {
    case "if":
    case "unless": {
      if (!isError(type)) checkTest(s, arg, type);
      const guarded = guardedBy(s, arg, type);
      checkParts(name === "if" ? inside(guarded) : s, block.body);
      if (block.otherwise !== undefined) checkParts(name === "if" ? s : inside(guarded), block.otherwise);
      return;
    }
    case "each": {
      const t = expand(type);
      if (isOptional(type))
        c.problems.report(d.templateOptional, arg.span, {
          type: typeText(type),
          path: arg.kind === "TemplatePath" ? source(arg) : undefined,
        });
      else if (t.kind !== "list" && t.kind !== "map" && t.kind !== "error")
        c.problems.report(d.templateEach, arg.span, { type: typeText(type) });
      const item = t.kind === "list" || t.kind === "map" ? t.of : ERROR;
      const index: Type = t.kind === "map" ? STRING : INT;
      checkParts(inside(contextOf(s, block, item, true, [item, index])), block.body);
      if (block.otherwise !== undefined) checkParts(s, block.otherwise);
      return;
    }
    case "with": {
      const item = nonNull(type);
      checkParts(inside(contextOf(s, block, item, false, [item])), block.body);
      if (block.otherwise !== undefined) checkParts(s, block.otherwise);
      return;
    }
  }
}

function contextOf(s: Scope, block: TemplateBlock, type: Type, each: boolean, types: readonly Type[]): Level {
  if (block.blockParams.length === 0) return { parent: s.level, type, each, guarded: NO_GUARDS, params: NO_PARAMS, env: s.level.env };
  const params = new Map<string, { block: TemplateBlock; index: number; type: Type }>();
  block.blockParams.forEach((p, index) => {
    const own = types[index];
    if (own === undefined) s.c.problems.report(d.templateBlockParams, p.span, { name: block.helper.text, most: types.length });
    params.set(p.text, { block, index, type: own ?? ERROR });
  });
  return { parent: s.level, type, each, guarded: NO_GUARDS, params, env: s.level.env };
}

/** The level inside `{{#if path}}`: the path is not null there. */
function guardedBy(s: Scope, arg: TemplateExpr, type: Type): Level {
  if (arg.kind === "TemplateCall" && arg.helper.text === "and") {
    return arg.args.reduce((level, a) => guardedBy({ ...s, level }, a, s.c.tables.templateTypes.get(a) ?? ERROR), s.level);
  }
  if (arg.kind !== "TemplatePath" || !isOptional(type)) return s.level;
  const ref = s.c.tables.templateRefs.get(arg);
  if (ref?.kind === "local") {
    const env = childEnv(s.level.env);
    setNarrowed(env, ref.local, ref.path.join("."), nonNull(type));
    return { ...s.level, env };
  }
  if (ref?.kind === "context") return { ...s.level, guarded: new Map([...s.level.guarded, [guardKey(ref.up, ref.path), nonNull(type)]]) };
  if (ref?.kind === "blockParam")
    return { ...s.level, guarded: new Map([...s.level.guarded, [`|${arg.segments.map((n) => n.text).join(".")}`, nonNull(type)]]) };
  return s.level;
}
