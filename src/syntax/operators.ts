/**
 * Gives the flat list of operands and operators its shape, by one table of precedence. It works on two stacks, so a sum
 * of ten thousand terms needs no deep recursion. Everything is left-associative; comparisons do not chain.
 */
import { d } from "../diagnostics/catalogue/catalogue.js";
import type { Problems } from "../diagnostics/problems.js";
import type { Span } from "../source/source.js";
import type { BinaryOp, Expr, Stage, TypeNode } from "./ast.js";

/** From loose to tight. `|>` is looser than all of them and `as` tighter. */
export const precedence: Readonly<Record<BinaryOp, number>> = {
  "||": 1,
  "&&": 2,
  "==": 3,
  "!=": 3,
  "<": 3,
  "<=": 3,
  ">": 3,
  ">=": 3,
  "??": 4,
  "+": 5,
  "-": 5,
  "*": 6,
  "/": 6,
  "%": 6,
};
export const comparison = 3;

/** What follows an operand. */
export type Tail =
  | { readonly kind: "Infix"; readonly op: BinaryOp; readonly opSpan: Span; readonly right: Expr }
  | { readonly kind: "As"; readonly type: TypeNode; readonly end: number }
  | { readonly kind: "Pipe"; readonly stage: Stage };

/** Builds the tree of `first` and what follows it. */
export function shape(first: Expr, tails: readonly Tail[], problems: Problems): Expr {
  const operands: Expr[] = [first];
  const pending: { op: BinaryOp; opSpan: Span }[] = [];
  const reduce = (level: number) => {
    for (;;) {
      const top = pending[pending.length - 1];
      if (top === undefined || precedence[top.op] < level) return;
      pending.pop();
      const right = operands.pop();
      const left = operands.pop();
      if (left === undefined || right === undefined) return;
      operands.push({ kind: "Binary", op: top.op, opSpan: top.opSpan, left, right, span: { ...left.span, end: right.span.end } });
    }
  };
  for (const tail of tails) {
    if (tail.kind === "Infix") {
      const level = precedence[tail.op];
      if (level === comparison) {
        const before = pending.findLast((p) => precedence[p.op] <= comparison);
        if (before !== undefined && precedence[before.op] === comparison) {
          problems.report(d.chainedComparison, tail.opSpan, { first: before.op, second: tail.op });
        }
      }
      reduce(level);
      pending.push(tail);
      operands.push(tail.right);
      continue;
    }
    if (tail.kind === "Pipe") reduce(0);
    const value = operands.pop();
    if (value === undefined) continue;
    operands.push(
      tail.kind === "As"
        ? { kind: "Cast", value, type: tail.type, span: { ...value.span, end: tail.end } }
        : { kind: "Pipe", left: value, stage: tail.stage, span: { ...value.span, end: tail.stage.span.end } },
    );
  }
  reduce(0);
  return operands[0] ?? first;
}
