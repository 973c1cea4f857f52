/** The statistics of evaluations, against values that are known from elsewhere, and by what must hold for all. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  fisher,
  holm,
  mcnemar,
  mean,
  pairedPermutation,
  permutation,
  quantile,
  wilsonInterval,
} from "../../src/runtime/evals/statistics.js";

const share = fc.double({ min: 0, max: 1, noNaN: true });

describe("tests of a difference", () => {
  test.each([
    [0, 0, 1],
    [1, 0, 1],
    [5, 0, 0.0625],
    [6, 0, 0.03125],
    [10, 2, 0.0385742],
    [8, 8, 1],
    [20, 5, 0.0040773],
  ])("McNemar of %i against %i changed pairs is %f", (better, worse, p) => {
    expect(mcnemar(better, worse)).toBeCloseTo(p, 6);
    expect(mcnemar(worse, better)).toBe(mcnemar(better, worse));
  });

  // The lady who tasted tea (Fisher 1935), and a table whose value is printed in textbooks.
  test.each([
    [3, 4, 1, 4, 0.4857143],
    [4, 4, 0, 4, 0.0285714],
    [1, 10, 9, 14, 0.012878],
    [5, 10, 5, 10, 1],
    [0, 0, 3, 4, 1],
  ])("Fisher of %i of %i against %i of %i is %f", (a, n, b, m, p) => {
    expect(fisher(a, n, b, m)).toBeCloseTo(p, 6);
    expect(fisher(b, m, a, n)).toBeCloseTo(fisher(a, n, b, m), 9);
  });

  test("an exact paired permutation is McNemar's for pairs of yes and no", () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(-1, 0, 1), { maxLength: 14 }), (differences) => {
        const better = differences.filter((each) => each > 0).length;
        const worse = differences.filter((each) => each < 0).length;
        expect(pairedPermutation(differences, 1)).toBeCloseTo(mcnemar(better, worse), 9);
      }),
      { numRuns: 60 },
    );
  });

  test("drawn permutations are near the exact ones, and alike for a seed", () => {
    const exact = Array.from({ length: 16 }, (_, i) => (i % 5 === 0 ? -0.3 : 0.1 + i / 100));
    // One more difference that is tiny makes it a drawn one.
    const drawn = [...exact, 1e-7];
    expect(pairedPermutation(drawn, 7)).toBe(pairedPermutation(drawn, 7));
    expect(Math.abs(pairedPermutation(drawn, 7) - pairedPermutation(exact, 7))).toBeLessThan(0.02);
  });

  test("are no surprise without a difference, and sure with a large one", () => {
    const a = Array.from({ length: 30 }, (_, i) => i / 30);
    expect(permutation(a, [...a].reverse(), 1)).toBe(1);
    expect(
      permutation(
        a,
        a.map((x) => x + 2),
        1,
      ),
    ).toBeLessThan(0.001);
    expect(
      pairedPermutation(
        a.map(() => 0),
        1,
      ),
    ).toBe(1);
    expect(
      pairedPermutation(
        a.map((_, i) => 0.5 + i / 100),
        1,
      ),
    ).toBeLessThan(0.001);
    expect(permutation([], a, 1)).toBe(1);
  });

  test("find nothing in chance more often than they say", () => {
    // Under no difference a p below 0.05 comes up in about 5 of 100; 200 draws are above 12 % practically never.
    let found = 0;
    for (let seed = 1; seed <= 200; seed++) {
      let state = seed * 7919;
      const next = (): number => {
        state = (state * 48271) % 2147483647;
        return state / 2147483647 - 0.5;
      };
      if (pairedPermutation(Array.from({ length: 10 }, next), seed) < 0.05) found++;
    }
    expect(found).toBeLessThan(24);
  });
});

describe("figures", () => {
  test("the interval of Wilson", () => {
    // 8 of 10, as textbooks give it.
    const [low, high] = wilsonInterval(8, 10);
    expect([low, high].map((each) => each.toFixed(4))).toEqual(["0.4902", "0.9433"]);
    expect(wilsonInterval(0, 0)).toEqual([0, 1]);
    fc.assert(
      fc.property(fc.nat(50), fc.nat(50), (yes, no) => {
        fc.pre(yes + no > 0);
        const [from, to] = wilsonInterval(yes, yes + no);
        const found = yes / (yes + no);
        expect(from).toBeLessThanOrEqual(found + 1e-12);
        expect(to).toBeGreaterThanOrEqual(found - 1e-12);
      }),
    );
  });

  test("Holm's correction", () => {
    expect(holm([0.01, 0.04, 0.03])).toEqual([0.03, 0.06, 0.06]);
    expect(holm([])).toEqual([]);
    fc.assert(
      fc.property(fc.array(share, { maxLength: 6 }), (ps) => {
        const out = holm(ps);
        for (const [i, p] of ps.entries()) {
          expect(out[i]).toBeGreaterThanOrEqual(p);
          expect(out[i]).toBeLessThanOrEqual(1);
        }
      }),
    );
  });

  test("means and quantiles", () => {
    expect([mean([]), mean([1, 2, 6])]).toEqual([0, 3]);
    expect([quantile([], 0.5), quantile([5], 0.95), quantile([3, 1, 2], 0.5), quantile([1, 2, 3, 4], 0.95)]).toEqual([0, 5, 2, 4]);
  });
});
