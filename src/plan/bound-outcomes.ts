/** Shapes of what regions give besides the values of their bodies: evidence, settled items, failures. */
import type { Count } from "./bound-algebra.js";
import { ANY, fieldOf, itemsOf, listOf, number, type Shape, textOf } from "./bound-sizes.js";

/** The evidence of a vote: every list in it has at most an entry for each run. */
export function evidenceOf(declared: Shape, answer: Shape, runs: Count): Shape {
  const entry = new Map<string, Shape>([
    ["run", number(1, runs)],
    ["value", answer],
  ]);
  const group = new Map<string, Shape>([
    ["value", answer],
    ["count", number(1, runs)],
    ["runs", listOf(number(1, runs), 1, runs)],
  ]);
  return withFields(declared, [
    ["value", answer],
    ["groups", listOf({ kind: "record", fields: group }, 1, runs)],
    ["dissent", listOf(answer, 0, runs)],
    ["answers", listOf({ kind: "record", fields: entry }, 1, runs)],
  ]);
}

/** A record with some of its fields replaced. */
export function withFields(of: Shape, fields: readonly (readonly [string, Shape])[]): Shape {
  return of.kind === "record" ? { kind: "record", fields: new Map([...of.fields, ...fields]) } : of;
}

const OUTCOME = textOf(64);
/** What `recover` gets. */
export const FAILURE: Shape = {
  kind: "record",
  fields: new Map<string, Shape>([
    ["kind", OUTCOME],
    ["message", ANY],
    ["call", ANY],
    ["attempts", number(0)],
    ["committed", OUTCOME],
  ]),
};

/** What `recover` gets of a tried region: a failure, and what there is. */
export function partialOf(shape: Shape): Shape {
  const items = shape.kind === "list" ? itemsOf(shape) : { of: fieldOf(shape, "value"), min: 0, max: Number.POSITIVE_INFINITY };
  return {
    kind: "record",
    fields: new Map<string, Shape>([
      ["kind", OUTCOME],
      ["message", ANY],
      ["call", ANY],
      ["attempts", number(0)],
      ["committed", OUTCOME],
      ["ok", listOf(shape.kind === "list" ? items.of : ANY, 0, items.max)],
      ["failed", listOf(ANY, 0, items.max)],
    ]),
  };
}
