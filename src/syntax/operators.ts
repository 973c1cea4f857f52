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

/** An operand with its place, which parentheses make wider than that of its node. */
export interface Operand {
  readonly value: Expr;
  readonly start: number;
  readonly end: number;
}
/** What follows an operand. */
export type Tail =
  | {
      readonly kind: "Infix";
      readonly op: BinaryOp;
      readonly opSpan: Span;
      readonly right: Expr;
      readonly start: number;
      readonly end: number;
    }
  | { readonly kind: "As"; readonly type: TypeNode; readonly end: number }
  | { readonly kind: "Pipe"; readonly stage: Stage };

/** Builds the tree of `first` and what follows it. */
export function shape(first: Operand, tails: readonly Tail[], file: string, problems: Problems): Expr {
  const operands: Operand[] = [first];
  const pending: { op: BinaryOp; opSpan: Span }[] = [];
  const reduce = (level: number) => {
    for (;;) {
      const top = pending[pending.length - 1];
      if (top === undefined || precedence[top.op] < level) return;
      pending.pop();
      const right = operands.pop();
      const left = operands.pop();
      if (left === undefined || right === undefined) return;
      const span = { file, start: left.start, end: right.end };
      const value: Expr = { kind: "Binary", op: top.op, opSpan: top.opSpan, left: left.value, right: right.value, span };
      operands.push({ value, start: left.start, end: right.end });
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
      operands.push({ value: tail.right, start: tail.start, end: tail.end });
      continue;
    }
    if (tail.kind === "Pipe") reduce(0);
    const left = operands.pop();
    if (left === undefined) continue;
    const end = tail.kind === "As" ? tail.end : tail.stage.span.end;
    const span = { file, start: left.start, end };
    const value: Expr =
      tail.kind === "As"
        ? { kind: "Cast", value: left.value, type: tail.type, span }
        : { kind: "Pipe", left: left.value, stage: tail.stage, span };
    operands.push({ value, start: left.start, end });
  }
  reduce(0);
  return operands[0]?.value ?? first.value;
}
