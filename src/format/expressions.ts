/**
 * Layout of expressions and statements. The tree holds no parentheses, so they are put back where the grammar needs them;
 * literals are written as the author wrote them. A line never begins with something that would start a new statement.
 */

import { problems } from "../diagnostics/problems.js";
import type {
  AnnotatedExpr,
  Annotation,
  Argument,
  BinaryExpr,
  BlockExpr,
  Expr,
  LambdaExpr,
  MapExpr,
  Stage,
  Statement,
  StubStep,
  TestStatement,
  Text,
  TypeNode,
} from "../syntax/ast.js";
import { precedence } from "../syntax/operators.js";
import { readText } from "../syntax/text.js";
import { all, breakParent, concat, group, hardline, indent, join, type Layout, line, softline, verbatim } from "./layout.js";
import {
  ARGUMENTS,
  behind,
  blankBefore,
  bracketed,
  brokenAfter,
  brokenBefore,
  type Context,
  ELEMENTS,
  FIELDS,
  NAMES,
  source,
} from "./parts.js";
import { castType, patternLayout, typeLayout } from "./types.js";

/** An expression with the comments before it. */
export function expression(c: Context, e: Expr): Layout {
  if (!c.comments.waiting(e.span.end)) return plain(c, e);
  return concat(c.comments.before(firstWord(e)), plain(c, e));
}
/** Where the first word of an expression stands, inside whatever parentheses. */
function firstWord(e: Expr): number {
  let at = e;
  for (;;) {
    switch (at.kind) {
      case "Binary":
      case "Pipe":
        at = at.left;
        break;
      case "Cast":
        at = at.value;
        break;
      case "Index":
      case "Member":
        at = at.object;
        break;
      case "Call":
        at = at.callee;
        break;
      case "Annotated":
        return at.annotations[0]?.span.start ?? at.span.start;
      default:
        return at.span.start;
    }
  }
}

function spread(c: Context, e: Expr): Layout {
  return concat(c.comments.before(firstWord(e)), "...", expression(c, e));
}
function parenthesized(c: Context, e: Expr): Layout {
  return group("(", indent(softline, expression(c, e)), softline, ")");
}

function plain(c: Context, e: Expr): Layout {
  switch (e.kind) {
    case "Number":
    case "Regex":
    case "Bool":
    case "Null":
    case "Missing":
      return source(c, e.span);
    case "Text":
      return textLayout(c, e);
    case "NameExpr":
      return e.name;
    case "FieldRef":
      return e.path.map((name) => `.${name.text}`).join("");
    case "Lambda":
      return lambda(c, e);
    case "Record": {
      // `{ a` and a line break would be a block.
      const first = e.entries[0];
      return bracketed(
        c,
        first?.kind === "Field" && first.shorthand ? { ...FIELDS, separator: "," } : FIELDS,
        e.span.end,
        e.entries.map((entry) => ({
          start: entry.span.start,
          end: entry.span.end,
          lay: () =>
            entry.kind === "Spread"
              ? spread(c, entry.value)
              : entry.shorthand
                ? concat(source(c, entry.name.span), e.entries.length === 1 ? "," : "")
                : concat(source(c, entry.name.span), ": ", expression(c, entry.value)),
        })),
      );
    }
    case "List":
      return bracketed(
        c,
        ELEMENTS,
        e.span.end,
        e.elements.map(({ spread: dots, value }) => ({
          start: value.span.start - (dots ? 3 : 0),
          end: value.span.end,
          lay: () => (dots ? spread(c, value) : expression(c, value)),
        })),
      );
    case "Block":
      return block(c, e);
    case "If":
      return conditional(c, e);
    case "Match":
      return group(
        "match ",
        expression(c, e.value),
        " ",
        bracketed(
          c,
          FIELDS,
          e.span.end,
          e.arms.map((arm) => ({
            start: arm.span.start,
            end: arm.span.end,
            lay: () =>
              concat(
                join(
                  " | ",
                  arm.patterns.map((p) => patternLayout(c, p)),
                ),
                " => ",
                expression(c, arm.body),
              ),
          })),
        ),
      );
    case "Settle":
      return concat("settle ", operand(c, e.inner));
    case "Map":
      return map(c, e);
    case "Fork":
      return concat(
        "fork ",
        bracketed(
          c,
          FIELDS,
          e.span.end,
          e.branches.map(({ name, value }) => ({
            start: name.span.start,
            end: value.span.end,
            lay: () => concat(source(c, name.span), ": ", expression(c, value)),
          })),
        ),
      );
    case "Race":
      return concat(
        "race ",
        bracketed(
          c,
          FIELDS,
          e.span.end,
          e.branches.map((branch) => ({ start: branch.span.start, end: branch.span.end, lay: () => expression(c, branch) })),
        ),
      );
    case "Vote":
      return group(
        "vote ",
        operand(c, e.times),
        e.by === undefined ? "" : concat(" by ", expression(c, e.by)),
        e.early === undefined ? "" : concat(" early ", expression(c, e.early)),
        " ",
        body(c, e.body),
      );
    case "Loop":
      return group(
        "loop ",
        e.state.text,
        e.type === undefined ? "" : concat(": ", typeLayout(c, e.type)),
        " = ",
        expression(c, e.init),
        " up to ",
        expression(c, e.max),
        " ",
        body(c, e.body),
      );
    case "Reduce":
      return concat(
        "reduce ",
        expression(c, e.over),
        e.groups === undefined ? "" : concat(" in groups of ", expression(c, e.groups)),
        " with ",
        stage(c, e.with),
      );
    case "Try":
      return group("try ", expression(c, e.tried), " recover ", e.error.text, " ", body(c, e.recover));
    case "Ask":
      return concat(
        "ask ",
        operand(c, e.question),
        " as ",
        castType(c, e.type),
        e.within === undefined
          ? ""
          : concat(" within ", e.within.kind === "If" || loose(e.within) ? parenthesized(c, e.within) : expression(c, e.within)),
        e.otherwise === undefined ? "" : concat(" else ", expression(c, e.otherwise)),
      );
    case "Send":
      return concat("send ", e.channel.text, args(c, e.args, e.span.end));
    case "Orchestrate":
      return concat("orchestrate", args(c, e.args, e.type.span.start), " as ", castType(c, e.type));
    case "Unary":
      return concat(e.op, operand(c, e.operand));
    case "Binary":
      return binary(c, e);
    case "Cast":
      return cast(c, e);
    case "Pipe":
      return pipeline(c, e);
    case "Call":
    case "Index":
    case "Member":
      return postfix(c, e);
    case "Annotated":
      return annotated(c, e, false);
  }
}

// ---------------------------------------------------------------------------------------------- parentheses

/** Whether an expression would swallow an operator that follows it, or is one itself. */
function loose(e: Expr): boolean {
  switch (e.kind) {
    case "Binary":
    case "Pipe":
    case "Lambda":
    case "Ask":
    case "Reduce":
    case "Settle":
    case "Orchestrate":
    case "Send":
      return true;
    case "Annotated":
      return loose(e.inner) && annotatable(e.inner);
    default:
      return false;
  }
}
/** An operand of `!`, `-`, `as`, `settle`, `vote` or `ask`. */
function operand(c: Context, e: Expr): Layout {
  if (loose(e) || e.kind === "Cast") return parenthesized(c, e);
  return expression(c, e);
}

/** Whether an annotation written before an expression belongs to the whole of it. */
function annotatable(e: Expr): boolean {
  switch (e.kind) {
    case "Binary":
    case "Pipe":
    case "Cast":
    case "Unary":
    case "Annotated":
    case "Lambda":
    case "Member":
    case "Index":
      return false;
    case "Call": {
      let at: Expr = e.callee;
      while (at.kind === "Member" || at.kind === "Index") at = at.object;
      return at.kind === "NameExpr";
    }
    default:
      return true;
  }
}

/** What a field, an index or arguments may follow directly. */
function postfixable(e: Expr): boolean {
  switch (e.kind) {
    case "Annotated":
      // `@a f` followed by a call further on would take the call.
      return e.inner.kind !== "NameExpr" && annotatable(e.inner) && postfixable(e.inner);
    case "Unary":
    case "Cast":
      return false;
    default:
      return !loose(e);
  }
}

// -------------------------------------------------------------------------------------------------- pieces

function postfix(c: Context, e: Expr): Layout {
  const chain: Expr[] = [];
  let at: Expr = e;
  while (at.kind === "Call" || at.kind === "Index" || at.kind === "Member") {
    chain.push(at);
    at = at.kind === "Call" ? at.callee : at.object;
  }
  const parts: Layout[] = [postfixable(at) ? expression(c, at) : parenthesized(c, at)];
  for (let i = chain.length - 1; i >= 0; i--) {
    const link = chain[i];
    if (link?.kind === "Member") parts.push(link.optional ? "?." : ".", link.name.text);
    else if (link?.kind === "Index") parts.push("[", expression(c, link.index), "]");
    else if (link?.kind === "Call") parts.push(args(c, link.args, link.span.end));
  }
  return all(parts);
}

export function args(c: Context, list: readonly Argument[], to: number): Layout {
  const only = list[0];
  const lay = (argument: Argument) => concat(argument.name === undefined ? "" : `${argument.name.text}: `, expression(c, argument.value));
  if (only !== undefined && list.length === 1 && !c.comments.waiting(to) && hugs(only.value)) return concat("(", lay(only), ")");
  if (!c.comments.waiting(to) && small(list)) return concat("(", join(", ", list.map(lay)), ")");
  return bracketed(
    c,
    ARGUMENTS,
    to,
    list.map((argument) => ({ start: argument.span.start, end: argument.span.end, lay: () => lay(argument) })),
  );
}
/** Arguments too small to be worth a line of their own. */
function small(list: readonly Argument[]): boolean {
  const first = list[0];
  const last = list[list.length - 1];
  if (first === undefined || last === undefined || last.span.end - first.span.start > 40) return false;
  return list.every(
    ({ value }) => value.kind === "Number" || value.kind === "NameExpr" || value.kind === "Bool" || (value.kind === "Text" && !value.block),
  );
}
/** A lone argument that brings its own brackets stays beside the parenthesis. */
function hugs(e: Expr): boolean {
  return (
    e.kind === "Record" ||
    e.kind === "List" ||
    (e.kind === "Text" && e.block) ||
    e.kind === "Map" ||
    (e.kind === "Lambda" && (e.body.kind === "Block" || e.body.kind === "Record"))
  );
}

export function annotation(c: Context, a: Annotation): Layout {
  const before = c.comments.before(a.span.start);
  return concat(before, "@", a.name.text, a.args === undefined ? "" : args(c, a.args, a.span.end));
}
function annotated(c: Context, e: AnnotatedExpr, startsLine: boolean): Layout {
  const before = annotationsInline(c, e.annotations, firstWord(e.inner), startsLine);
  return concat(before, annotatable(e.inner) ? expression(c, e.inner) : parenthesized(c, e.inner));
}
/** Annotations before something, each followed by a space or by the line break that the author put there. */
export function annotationsInline(c: Context, annotations: readonly Annotation[], target: number, startsLine = false): Layout {
  const parts: Layout[] = [];
  for (const [i, a] of annotations.entries()) {
    const next = annotations[i + 1]?.span.start ?? target;
    parts.push(annotation(c, a), behind(c, a.span.end));
    const broken = brokenAfter(c, a.span.end) || c.comments.breaking(next);
    const rest = concat(broken ? hardline : " ", c.comments.before(next));
    parts.push(startsLine || !broken ? rest : indent(rest));
  }
  return all(parts);
}

export function stage(c: Context, s: Stage): Layout {
  return concat(
    annotationsInline(c, s.annotations, s.callee.span.start),
    c.comments.before(s.callee.span.start),
    s.callee.text,
    s.args === undefined ? "" : args(c, s.args, s.span.end),
  );
}

function lambda(c: Context, e: LambdaExpr): Layout {
  const only = e.params[0];
  const params = only !== undefined && e.params.length === 1 ? only.text : `(${e.params.map((p) => p.text).join(", ")})`;
  return concat(params, " => ", expression(c, e.body));
}

function binary(c: Context, e: BinaryExpr): Layout {
  const level = precedence[e.op];
  const chain: BinaryExpr[] = [];
  let at: Expr = e;
  while (at.kind === "Binary" && precedence[at.op] === level && (chain.length === 0 || level !== precedence["=="])) {
    chain.push(at);
    at = at.left;
  }
  const side = (inner: Expr) =>
    (inner.kind === "Binary" && precedence[inner.op] > level) || !loose(inner) ? expression(c, inner) : parenthesized(c, inner);
  // After `as int` a `<` would open type arguments.
  if (e.op === "<" && endsInType(e.left)) {
    return group(parenthesized(c, e.left), " <", indent(line, side(e.right)));
  }
  const parts: Layout[] = [side(at)];
  for (let i = chain.length - 1; i >= 0; i--) {
    const link = chain[i];
    if (link !== undefined) parts.push(` ${link.op}`, line, side(link.right));
  }
  const [first, ...rest] = parts;
  return group(first ?? "", indent(all(rest)));
}

function endsInType(e: Expr): boolean {
  let at = e;
  while (at.kind === "Binary" || at.kind === "Unary") at = at.kind === "Binary" ? at.right : at.operand;
  return at.kind === "Cast";
}

function cast(c: Context, e: Expr): Layout {
  const types: TypeNode[] = [];
  let at = e;
  for (; at.kind === "Cast"; at = at.value) types.push(at.type);
  const value = operand(c, at);
  return concat(value, all(types.reverse().map((type) => concat(" as ", castType(c, type)))));
}

function pipeline(c: Context, e: Expr): Layout {
  const stages: Stage[] = [];
  let at: Expr = e;
  while (at.kind === "Pipe") {
    stages.push(at.stage);
    at = at.left;
  }
  stages.reverse();
  const open = at.kind === "Annotated" ? at.inner : at;
  const head = open.kind === "Lambda" || open.kind === "Ask" ? parenthesized(c, at) : expression(c, at);
  const first = stages[0];
  const broken = first !== undefined && stages.some((s) => brokenBefore(c, c.file.text.lastIndexOf("|>", s.span.start)));
  const rest = stages.map((s) => {
    const before = c.comments.before(s.span.start);
    return concat(line, "|> ", before, stage(c, s));
  });
  return group(head, indent(all(rest)), broken ? breakParent : "");
}

function map(c: Context, e: MapExpr): Layout {
  return group(
    "map ",
    e.item.text,
    e.index === undefined ? "" : `, ${e.index.text}`,
    " in ",
    expression(c, e.over),
    e.where === undefined ? "" : concat(" where ", expression(c, e.where)),
    e.by === undefined ? "" : concat(" by ", expression(c, e.by)),
    e.after === undefined ? "" : concat(" after ", expression(c, e.after)),
    e.giving === undefined ? "" : concat(" giving ", e.giving.name.text, ": ", typeLayout(c, e.giving.type)),
    " ",
    body(c, e.body),
  );
}

function conditional(c: Context, e: Expr): Layout {
  const parts: Layout[] = [];
  let at: Expr | undefined = e;
  while (at?.kind === "If") {
    parts.push("if ", expression(c, at.test), " ", body(c, at.then));
    at = at.else;
    if (at !== undefined) parts.push(" else ");
  }
  if (at !== undefined) parts.push(body(c, at));
  return group(...parts);
}

function body(c: Context, e: Expr): Layout {
  return e.kind === "Block" ? concat(c.comments.before(e.span.start), openBlock(c, e)) : expression(c, e);
}
function block(c: Context, e: BlockExpr): Layout {
  return group(openBlock(c, e));
}
/** A block that breaks with the group around it. */
function openBlock(c: Context, e: BlockExpr): Layout {
  return statements(c, e.span.start, e.span.end, e.statements, (s) => statement(c, s));
}

/** The lines between two braces. */
export function statements<S extends Statement | TestStatement>(
  c: Context,
  from: number,
  to: number,
  list: readonly S[],
  lay: (s: S) => Layout,
): Layout {
  const first = list[0];
  const single =
    list.length === 1 &&
    first !== undefined &&
    !c.comments.waiting(first.span.start) &&
    !brokenBefore(c, first.span.start) &&
    c.file.text.slice(from, first.span.start).trim() === "{";
  const parts: Layout[] = [];
  for (const [i, s] of list.entries()) {
    const blank = i > 0 && blankBefore(c, c.comments.startBefore(s.span.start));
    if (i > 0) parts.push(hardline, blank ? hardline : "");
    parts.push(c.comments.before(s.span.start), lay(s), behind(c, s.span.end));
  }
  const dangling = c.comments.waiting(to - 1) ? c.comments.dangling(to - 1) : "";
  if (list.length === 0) return dangling === "" ? "{}" : concat("{", indent(dangling), hardline, "}");
  return concat("{", indent(line, all(parts), dangling), line, "}", single && dangling === "" ? "" : breakParent);
}

export function statement(c: Context, s: Statement): Layout {
  switch (s.kind) {
    case "Let": {
      const names = s.destructured
        ? bracketed(
            c,
            NAMES,
            0,
            s.names.map((name) => ({ start: name.span.start, end: name.span.end, lay: () => name.text })),
          )
        : (s.names[0]?.text ?? "");
      return concat("let ", names, s.type === undefined ? "" : concat(": ", typeLayout(c, s.type)), " = ", expression(c, s.value));
    }
    case "Set":
      return concat("set ", s.name.text, " = ", expression(c, s.value));
    case "Assert":
      return group("assert ", expression(c, s.test), s.message === undefined ? "" : concat(",", indent(line, expression(c, s.message))));
    case "Stop":
      return concat("stop when ", expression(c, s.test));
    case "Next":
      return concat("next ", expression(c, s.value));
    case "Expr":
      return s.value.kind === "Annotated" ? annotated(c, s.value, true) : expression(c, s.value);
  }
}

export function testStatement(c: Context, s: TestStatement): Layout {
  switch (s.kind) {
    case "Stub": {
      const params = s.params === undefined ? "" : `(${s.params.map((p) => p.text).join(", ")})`;
      return group(
        "stub ",
        s.name.text,
        params,
        " ",
        ...s.steps.map((step, i) => (i === 0 ? stubStep(c, step) : indent(line, "then ", stubStep(c, step)))),
      );
    }
    case "Expect":
      return concat("expect ", expression(c, s.value), s.fails === undefined ? "" : concat(" fails ", source(c, s.fails.span)));
    case "ExpectOrder":
      return concat("expect order ", expression(c, s.names));
    case "Crash":
      return `crash ${s.when} ${s.name.text}`;
    default:
      return statement(c, s);
  }
}

function stubStep(c: Context, step: StubStep): Layout {
  const head =
    step.kind === "Value"
      ? concat("=> ", step.oneOf ? "one_of " : "", expression(c, step.value))
      : concat("fails ", source(c, step.failure.span), step.times === undefined ? "" : concat(" times ", expression(c, step.times)));
  const takes = step.takes === undefined ? "" : concat(" takes ", expression(c, step.takes));
  const costs = step.costs === undefined ? "" : concat(" costs ", expression(c, step.costs));
  return concat(head, takes, costs);
}

// ---------------------------------------------------------------------------------------------------- text

/** Block text follows the indentation around it; when that would change what it says it stays as it is. */
export function textLayout(c: Context, text: Text): Layout {
  const raw = source(c, text.span);
  if (!text.block || !raw.includes("\n")) return raw;
  const lines = text.value.split("\n");
  const probe = `"""\n${lines.map((l) => (l === "" ? "" : `  ${l}`)).join("\n")}\n"""`;
  const again = readText(probe, text.span, problems());
  if (again.value !== text.value) return concat(verbatim(raw), breakParent);
  return concat('"""', indent(all(lines.flatMap((l) => [hardline, verbatim(l)]))), hardline, '"""');
}
