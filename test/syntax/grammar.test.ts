/** The grammar itself: Chevrotain's checks find nothing, and the files made from it are up to date. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { EOF, LLkLookaheadStrategy } from "chevrotain";
import { describe, expect, test } from "vitest";
import { grammarFiles } from "../../scripts/grammar.js";
import { setLookahead } from "../../src/syntax/lookahead.js";
import { recordedGrammar } from "../../src/syntax/parser.js";
import { vocabulary } from "../../src/syntax/tokens.js";

describe("the grammar", () => {
  test("has no ambiguity and no left recursion", () => {
    expect(() => recordedGrammar()).not.toThrow();
  });

  test("is looked ahead in as Chevrotain does it", () => {
    const own = new LLkLookaheadStrategy({ maxLookahead: 1 });
    const rules = recordedGrammar();
    let choices = 0;
    setLookahead((name, key, lookahead) => {
      const rule = rules[name];
      if (rule === undefined) throw new Error(`there is no rule ${name}`);
      const of = { rule, prodOccurrence: key & 0xff, maxLookahead: 1, dynamicTokensEnabled: false };
      const kind = key >> 8;
      const theirs =
        kind === 1
          ? own.buildLookaheadForAlternation({ ...of, hasPredicates: false })
          : own.buildLookaheadForOptional({ ...of, prodType: kind === 2 ? "Option" : "Repetition" });
      for (const tokenType of [...vocabulary, EOF]) {
        const token = { image: "", startOffset: 0, tokenType, tokenTypeIdx: tokenType.tokenTypeIdx ?? 0 };
        const parser = { LA: () => token, LA_FAST: () => token };
        const expected = (theirs as (this: unknown, alternatives: unknown) => unknown).call(parser, []);
        expect([name, key, tokenType.name, lookahead.call(parser)]).toEqual([name, key, tokenType.name, expected]);
      }
      choices++;
    });
    expect(choices).toBeGreaterThan(100);
  });

  test.each(grammarFiles().map(({ name, text }) => [name, text] as const))(
    "is what %s says; `npm run grammar` makes it anew",
    (name, text) => {
      expect(readFileSync(join(import.meta.dirname, "../..", name), "utf8")).toBe(text);
    },
  );
});
