/** The grammar itself: Chevrotain's checks find nothing, and the files made from it are those in `grammar/`. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { grammarFiles } from "../../scripts/grammar.js";
import { grammar } from "../../src/syntax/parser.js";

describe("the grammar", () => {
  test("has no ambiguity and no left recursion", () => {
    expect(() => grammar()).not.toThrow();
  });

  test.each(grammarFiles().map(({ name, text }) => [name, text] as const))(
    "is what %s says; `npm run grammar` makes it anew",
    (name, text) => {
      expect(readFileSync(join(import.meta.dirname, "../../grammar", name), "utf8")).toBe(text);
    },
  );
});
