/** Names that every JavaScript object has mean nothing here: no message suggests what is found under them. */
import { expect, test } from "vitest";
import { checked } from "./program.js";

const sources: readonly string[] = [
  "flow f() -> int { constructor(1) }",
  "flow f(x: constructor) -> toString { x }",
  'flow f(x: string) -> string { "{{toString x}} {{constructor}} {{valueOf x}}" }',
  'flow f(xs: int[]) -> string { "{{#each xs}}{{@constructor}}{{/each}}" }',
  "flow f(x: string) -> string { x.toLocaleString() }",
  "@constructor flow f() -> int { 1 }",
  'tool f() -> int = constructor("a")',
];

test.each(sources)("%s", (source) => {
  const { found } = checked(source);
  expect(found.length).toBeGreaterThan(0);
  expect(JSON.stringify(found)).not.toContain("native code");
});

test("a call written as a method's gets one message with the function", () => {
  const labels = (source: string): readonly (string | undefined)[] => checked(source).found.map(({ label }) => label);
  expect(labels("flow f(xs: int[]) -> int[] { xs.map(x => x + 1) }")).toEqual(["write `map x in xs { x + 1 }`"]);
  expect(labels("flow f(xs: int[]) -> int[] { xs.map((x) => {\n  x + 1 }) }")).toEqual(["write `map x in xs { … }`"]);
  expect(labels("flow f(s: string) -> string { s.toUpperCase().foo() }")).toEqual(["write `upper(s)`"]);
  expect(labels('flow f(s: string) -> string { s.split(\n",") }')).toEqual(['write `split(s, ",")`']);
});
