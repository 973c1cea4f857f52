import fc from "fast-check";
import { expect, test } from "vitest";
import { nearest } from "../../src/diagnostics/suggest.js";

test.each([
  ["titel", ["title", "body"], "title"],
  ["retrry", ["retry", "rate"], "retry"],
  ["prompt", ["Prompt"], "Prompt"],
  ["readText", ["read_text", "write_text"], "read_text"],
  ["max_ouput", ["max_output", "max_turns"], "max_output"],
  ["desc", ["description", "title"], "description"],
  ["fitler", ["filter", "flatten"], "filter"],
])("%s is taken for one of %j", (word, among, expected) => {
  expect(nearest(word, among)).toBe(expected);
});

test.each([
  ["x", ["y", "z"]],
  ["id", ["is", "it"]],
  ["title", ["banana", "body"]],
  ["", ["a"]],
  ["name", ["name"]],
  ["read", ["read_text", "read_file"]],
])("%s is taken for none of %j", (word, among) => {
  expect(nearest(word, among)).toBeUndefined();
});

test("the nearest wins, and of equals the first", () => {
  expect(nearest("agreemnt", ["argument", "agreement"])).toBe("agreement");
  expect(nearest("cat", ["bat", "car"])).toBe("bat");
});

test("two swapped letters are one slip", () => {
  fc.assert(
    fc.property(fc.stringMatching(/^[a-z]{6,12}$/), fc.nat(), (word, at) => {
      const i = at % (word.length - 1);
      const swapped = word.slice(0, i) + (word[i + 1] ?? "") + (word[i] ?? "") + word.slice(i + 2);
      fc.pre(swapped !== word);
      expect(nearest(swapped, ["qqqqqqqqqqqqqqqqqqqqqq", word])).toBe(word);
    }),
  );
});
