/** Digits in groups: as the system would write them in English. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { grouped } from "../../src/source/digits.js";

test("numbers are written as toLocaleString writes them", () => {
  for (const value of [0, 7, 999, 1000, 12_345, 1_234_567, -4500, 0.5, 1234.5678])
    expect(grouped(value)).toBe(value.toLocaleString("en-US"));
  fc.assert(
    fc.property(fc.integer({ min: -1e15, max: 1e15 }), (value) => {
      expect(grouped(value)).toBe(value.toLocaleString("en-US"));
    }),
  );
});
