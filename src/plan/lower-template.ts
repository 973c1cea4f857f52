/** Templates as data: parsed and typed by the checker, here with every path turned into an expression of the graph. */

import { ERROR, expand, isOptional, members, nonNull, substitute, type Type } from "../semantics/types.js";
import type { TemplateBlock, TemplateExpr, TemplatePart, Text } from "../syntax/ast.js";
import type { ExprIR, TemplatePartIR } from "./ir.js";
import { textForm } from "./lower-types.js";
import { type Builder, builtin, constant, freshId, type Lowering, ref } from "./lowering.js";
import { addNode, fieldPath } from "./nodes.js";

interface BlockIds {
  readonly block: TemplateBlock;
  readonly item: string;
  readonly index: string;
  readonly key: string;
  readonly first: string;
  readonly last: string;
  readonly overMap: boolean;
}

interface Scope {
  readonly l: Lowering;
  readonly b: Builder;
  /** Enclosing `each` and `with` blocks, innermost first. */
  readonly blocks: readonly BlockIds[];
}

export function lowerTemplate(l: Lowering, text: Text, b: Builder): ExprIR {
  const template = l.checker.tables.templates.get(text);
  if (template === undefined) return constant(text.value);
  const parts = lowerParts({ l, b, blocks: [] }, template.parts);
  const only = parts[0];
  return parts.length === 1 && only?.kind === "text" ? constant(only.text) : { kind: "template", parts };
}

/** Whether a template shows the value of a state, which is read when the template is. */
export function templateReadsState(l: Lowering, text: Text): boolean {
  const template = l.checker.tables.templates.get(text);
  const inExpr = (e: TemplateExpr): boolean => {
    if (e.kind === "TemplateCall") return e.args.some(inExpr) || e.hash.some((h) => inExpr(h.value));
    const found = l.checker.tables.templateRefs.get(e);
    return found?.kind === "symbol" && found.symbol.decl.kind === "StateDecl";
  };
  const inPart = (part: TemplatePart): boolean => {
    if (part.kind === "TemplateText") return false;
    if (part.kind === "TemplateValue") return inExpr(part.value);
    return part.args.some(inExpr) || part.body.some(inPart) || (part.otherwise ?? []).some(inPart);
  };
  return template?.parts.some(inPart) ?? false;
}

function lowerParts(s: Scope, parts: readonly TemplatePart[]): readonly TemplatePartIR[] {
  const out: TemplatePartIR[] = [];
  for (const part of parts) {
    if (part.kind === "TemplateText") {
      if (part.text !== "") out.push({ kind: "text", text: part.text });
    } else if (part.kind === "TemplateValue")
      out.push({ kind: "value", value: lowerValue(s, part.value), as: textForm(typeOf(s, part.value)) });
    else out.push(...lowerBlock(s, part));
  }
  return out;
}

function typeOf(s: Scope, e: TemplateExpr): Type {
  return substitute(s.l.checker.tables.templateTypes.get(e) ?? ERROR, s.b.unit.vars);
}

function lowerBlock(s: Scope, block: TemplateBlock): readonly TemplatePartIR[] {
  const [arg] = block.args;
  if (arg === undefined) return [];
  const value = lowerValue(s, arg);
  const body = (ids?: BlockIds) => lowerParts(ids === undefined ? s : { ...s, blocks: [ids, ...s.blocks] }, block.body);
  const otherwise = block.otherwise === undefined ? [] : lowerParts(s, block.otherwise);
  switch (block.helper.text) {
    case "if":
      return [{ kind: "if", test: value, then: body(), else: otherwise }];
    case "unless":
      return [{ kind: "if", test: value, then: otherwise, else: body() }];
    case "with": {
      const ids = blockIds(s, block, false);
      return [{ kind: "with", value, id: ids.item, body: body(ids), else: otherwise }];
    }
    case "each": {
      const ids = blockIds(s, block, expand(typeOf(s, arg)).kind === "map");
      const { item, index, key, first, last } = ids;
      return [{ kind: "each", over: value, item, index, key, first, last, body: body(ids), else: otherwise }];
    }
    default:
      return [];
  }
}

function blockIds(s: Scope, block: TemplateBlock, overMap: boolean): BlockIds {
  const u = s.b.unit;
  const name = block.blockParams[0]?.text ?? "this";
  return {
    block,
    overMap,
    item: freshId(u, name),
    index: freshId(u, "@index"),
    key: freshId(u, "@key"),
    first: freshId(u, "@first"),
    last: freshId(u, "@last"),
  };
}

function lowerValue(s: Scope, e: TemplateExpr): ExprIR {
  switch (e.kind) {
    case "TemplateLiteral":
      return constant(e.value);
    case "TemplateCall":
      return lowerHelper(s, e);
    case "TemplatePath":
      return lowerPath(s, e);
  }
}

function lowerPath(s: Scope, e: TemplateExpr & { kind: "TemplatePath" }): ExprIR {
  const { l, b } = s;
  const found = l.checker.tables.templateRefs.get(e);
  if (found === undefined) return constant(null);
  switch (found.kind) {
    case "local":
      return optionalPath(b.unit.values.get(found.local) ?? constant(null), found.path);
    case "symbol": {
      if (found.symbol.decl.kind === "LetDecl") return fieldPath(l.constant(found.symbol), found.path);
      const type = l.checker.tables.templateTypes.get(e) ?? ERROR;
      const read = addNode(
        b,
        { kind: "read", state: l.stateId(found.symbol) },
        { segment: `read ${found.symbol.name}`, span: e.span, type: l.type(type, b.unit), effect: "reads" },
      );
      return fieldPath(read, found.path);
    }
    case "context":
      return optionalPath(ref(s.blocks[found.up]?.item ?? ""), found.path);
    case "blockParam": {
      const ids = s.blocks.find((x) => x.block === found.block);
      if (ids === undefined) return constant(null);
      return optionalPath(ref(found.index === 0 ? ids.item : ids.overMap ? ids.key : ids.index), found.path);
    }
    case "data": {
      const ids = s.blocks[found.up];
      if (ids === undefined) return constant(null);
      const names: Readonly<Record<string, string>> = { index: ids.index, key: ids.key, first: ids.first, last: ids.last };
      return ref(names[found.name] ?? ids.index);
    }
  }
}

/** A path that was guarded before may pass through something that is null elsewhere: it is null there. */
function optionalPath(of: ExprIR, path: readonly string[]): ExprIR {
  return path.reduce((value: ExprIR, name, i): ExprIR => ({ kind: "field", of: value, name, ...(i > 0 ? { optional: true } : {}) }), of);
}

function lowerHelper(s: Scope, e: TemplateExpr & { kind: "TemplateCall" }): ExprIR {
  const args = e.args.map((a) => lowerValue(s, a));
  const [left = constant(null), right = constant(null)] = args;
  const op = OPERATORS[e.helper.text];
  if (op !== undefined) return { kind: "binary", op, left, right, span: e.span };
  switch (e.helper.text) {
    case "not":
      return { kind: "not", of: truth(left, typeOf(s, e.args[0] ?? e)) };
    case "and":
    case "or": {
      const kind = e.helper.text;
      return args.map((a, i) => truth(a, typeOf(s, e.args[i] ?? e))).reduce((l, r): ExprIR => ({ kind, left: l, right: r }));
    }
    case "default":
      return { kind: "default", left, right };
    default: {
      const form = s.l.checker.tables.helperForms.get(e);
      const all: (ExprIR | undefined)[] =
        form?.params.map((p, i) => {
          const named = e.hash.find((h) => h.name.text === p.name);
          return named === undefined ? args[i] : lowerValue(s, named.value);
        }) ?? args;
      while (all.length > 0 && all[all.length - 1] === undefined) all.pop();
      return builtin(
        e.helper.text,
        all.map((a) => a ?? constant(null)),
        e.span,
      );
    }
  }
}

const OPERATORS: Readonly<Record<string, "==" | "!=" | "<" | ">">> = { eq: "==", ne: "!=", lt: "<", gt: ">" };

/** What `if` takes for true, as a bool: not null, not false, not empty. */
function truth(value: ExprIR, type: Type): ExprIR {
  const not = (other: null | string): ExprIR => ({
    kind: "binary",
    op: "!=",
    left: value,
    right: constant(other),
    span: { file: "", start: 0, end: 0 },
  });
  if (isOptional(type)) return { kind: "and", left: not(null), right: truth(value, nonNull(type)) };
  const kinds = new Set(members(type).map((m) => expand(m).kind));
  if (kinds.has("list") || kinds.has("map")) {
    return {
      kind: "binary",
      op: ">",
      left: builtin("len", [value], { file: "", start: 0, end: 0 }),
      right: constant(0),
      span: { file: "", start: 0, end: 0 },
    };
  }
  if (kinds.has("string")) return not("");
  if (kinds.has("bool")) return value;
  return members(type).every((m) => {
    const t = expand(m);
    return t.kind === "literal" && typeof t.value === "boolean";
  })
    ? value
    : constant(true);
}
