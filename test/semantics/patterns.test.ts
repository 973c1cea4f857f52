/** Which cases the arms of a `match` leave out, where records have fields of several values. */
import { expect, test } from "vitest";
import { codes, problem } from "./program.js";

const match = (type: string, arms: string): string => `flow f(x: ${type}) -> int {\n  match x {\n${arms}\n  }\n}\n`;

test("values of one field may be spread over arms", () => {
  const type = '{ kind: "a" | "b", n: int } | { kind: "c" }';
  expect(codes(match(type, '{ kind: "a" } => 1\n{ kind: "b", n } => n\n{ kind: "c" } => 3'))).toEqual([]);
});

test("values of several fields may be spread over arms", () => {
  const type = '{ kind: "a" | "b", ok: bool }';
  const arms = '{ kind: "a" } => 1\n{ kind: "b", ok: true } => 2\n{ kind: "b", ok: false } => 3';
  expect(codes(match(type, arms))).toEqual([]);
});

test("what is missing is told with the values that are left", () => {
  const found = problem(match('{ kind: "a" | "b" | "c", n: int }', '{ kind: "a" } => 1\n{ kind: "b" } => 2'), "W0361");
  expect(found.label).toBe('missing: `{ kind: "c", n: int }`');
});

test.each([
  ["int(0..10)", "1 => 1\n4..6 => 2", "0, 2..3, 7..10"],
  ["int(0..10)", "0..9 => 1", "10"],
  ["float(0..1)", "0.2..0.5 => 1", "0..0.2, 0.5..1"],
  ["int", "5 => 1\n7.. => 2", "numbers up to 4, 6"],
  ["int(0..9)", "1 => 1\n3 => 1\n5 => 1\n7 => 1", "0, 2, 4 and more"],
])("numbers of a %s that are left out by %j are told", (type, arms, missing) => {
  expect(problem(match(type, arms), "W0361").label).toBe(`missing: \`${missing}\``);
});

test("a misspelt case is one mistake", () => {
  expect(codes(match('"bug" | "feature"', '"bug" => 1\n"featur" => 2'))).toEqual(['W0364 «"featur"»']);
});
