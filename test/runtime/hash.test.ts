/** Hashes that guard results must stay as they are: journals of earlier versions hold them. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { contentHash, contentHashAfter, hash53 } from "../../src/runtime/hash.js";

test("a hash of content is two hashes of the text, however the text is put together", () => {
  const half = (text: string, seed: number): string => hash53(text, seed).toString(36).padStart(11, "0");
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), fc.string({ unit: "binary" }), (beginning, rest) => {
      const after = contentHashAfter(beginning);
      const whole = half(beginning + rest, 0) + half(beginning + rest, 0x5bd1e995);
      expect(after(rest)).toBe(whole);
      expect(after(rest)).toBe(whole);
      expect(contentHash(beginning + rest)).toBe(whole);
    }),
  );
  expect(contentHash("")).toBe(half("", 0) + half("", 0x5bd1e995));
  expect(contentHash("main/step")).toMatchInlineSnapshot(`"275yj7tvq2b2g8b1eo1mb8"`);
});
