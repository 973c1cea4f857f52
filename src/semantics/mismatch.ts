/**
 * Where a value does not fit: reported once, at the innermost part of the expression to blame (a field, an item, a
 * branch), and the type of "one of these" for branches.
 */
import { d } from "../diagnostics/catalogue/catalogue.js";
import { type Related, writing } from "../diagnostics/problems.js";
import { nearest } from "../diagnostics/suggest.js";
import type { Expr, RecordExpr } from "../syntax/ast.js";
import type { Checker } from "./checker.js";
import { assignable, join, mismatch } from "./relate.js";
import { canJoin } from "./type-nodes.js";
import { ERROR, expand, fieldOf, isError, isOptional, members, NEVER, type RecordType, type Type, typeText } from "./types.js";

/** Which of the expected types a record literal is meant to be: the only record, or the one whose tag it writes. */
export function wantedRecord(expr: RecordExpr, expected: Type): RecordType | { readonly kind: "map"; readonly of: Type } | undefined {
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

/** The expression that gives a block its value. */
export function tailOf(expr: Expr): Expr {
  if (expr.kind !== "Block") return expr;
  const last = expr.statements[expr.statements.length - 1];
  return last?.kind === "Expr" ? tailOf(last.value) : expr;
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
          c.problems.report(
            d.missingFields,
            expr.span,
            { names: missing.map((f) => f.name), type: typeText(expected) },
            { related: declaredAt(c, expected) },
          );
          reported = true;
        }
        if (reported) return;
      }
      break;
    }
    case "List": {
      const wanted = members(expected)
        .map(expand)
        .find((t) => t.kind === "list");
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
      if (
        expr.statements.length === 1 &&
        first?.kind === "Expr" &&
        first.value.kind === "NameExpr" &&
        wantsField(expected, first.value.name)
      ) {
        const { name } = first.value;
        const text = `{ ${name}: ${name} }`;
        c.problems.report(d.shorthandRecord, expr.span, { name, expected: typeText(expected) }, { fixes: writing(expr.span, text) });
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
        c.problems.report(d.blockWithoutValue, expr.statements[expr.statements.length - 1]?.span ?? expr.span, {
          expected: typeText(expected),
        });
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
  if (lit.kind === "secret") {
    c.problems.report(d.secretInValue, expr.span, { where: "what is expected here" });
    return;
  }
  const options = members(expected).flatMap((m) => {
    const t = expand(m);
    return t.kind === "literal" && typeof t.value === "string" ? [t.value] : [];
  });
  const near = lit.kind === "literal" && typeof lit.value === "string" ? nearest(lit.value, options) : undefined;
  const fixes = near === undefined ? [] : [{ title: `write "${near}"`, edits: [{ span: expr.span, text: JSON.stringify(near) }] }];
  c.problems.report(
    d.typeMismatch,
    expr.span,
    {
      found: typeText(found),
      expected: typeText(expected),
      reason: near === undefined ? mismatch(found, expected) : `did you mean "${near}"?`,
    },
    { fixes },
  );
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

/** Where a named type is declared, to show beside what is wrong with a value of it. */
export function declaredAt(c: Checker, type: Type): readonly Related[] {
  if (type.kind !== "named") return [];
  const id = type.id.replace(/<.*$/s, "");
  for (const scope of c.resolved.scopes) {
    const symbol = [...scope.names.values()].find((s) => s.scope === scope && s.id === id);
    if (symbol !== undefined) return scope.isPrelude ? [] : [{ span: symbol.decl.name.span, message: "declared here" }];
  }
  return [];
}
