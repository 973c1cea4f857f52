/**
 * The few statistics that evaluations need, exact where that is cheap and seeded where chance is used, so that the same
 * results give the same verdict. Every p-value is two-sided. Sources are named at each function and in
 * `docs/evaluation.md`.
 */
import { random } from "../hash.js";

export function mean(values: readonly number[]): number {
  return values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** The value below which a share of the values lies (nearest rank); 0 of none. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0;
}

/** Both ends of the 95 % score interval of a share (Wilson 1927). */
export function wilsonInterval(count: number, total: number): readonly [number, number] {
  if (total === 0) return [0, 1];
  const z = 1.959963984540054;
  const share = count / total;
  const middle = share + (z * z) / (2 * total);
  const half = z * Math.sqrt((share * (1 - share) + (z * z) / (4 * total)) / total);
  const scale = 1 + (z * z) / total;
  return [Math.max(0, (middle - half) / scale), Math.min(1, (middle + half) / scale)];
}

/** Natural logarithms of factorials, added up: exact enough for the counts of an evaluation. */
function logFactorials(upTo: number): Float64Array {
  const out = new Float64Array(upTo + 1);
  for (let n = 1; n <= upTo; n++) out[n] = (out[n - 1] ?? 0) + Math.log(n);
  return out;
}

/**
 * McNemar's exact test on pairs of yes and no: the probability of a split of the changed pairs as uneven as this one,
 * were each change as likely in either direction (binomial with one half).
 */
export function mcnemar(better: number, worse: number): number {
  const n = better + worse;
  if (n === 0) return 1;
  const logs = logFactorials(n);
  let tail = 0;
  for (let k = 0; k <= Math.min(better, worse); k++) tail += Math.exp((logs[n] ?? 0) - (logs[k] ?? 0) - (logs[n - k] ?? 0) - n * Math.LN2);
  return Math.min(1, 2 * tail);
}

/**
 * Fisher's exact test on two counts: the probability, with both totals fixed, of all tables at most as likely as the one
 * that was found.
 */
export function fisher(countA: number, totalA: number, countB: number, totalB: number): number {
  const total = totalA + totalB;
  const yes = countA + countB;
  if (totalA === 0 || totalB === 0) return 1;
  const logs = logFactorials(total);
  const log = (n: number): number => logs[n] ?? 0;
  const choose = (n: number, k: number): number => log(n) - log(k) - log(n - k);
  const of = (a: number): number => choose(totalA, a) + choose(totalB, yes - a) - choose(total, yes);
  const found = of(countA);
  let sum = 0;
  for (let a = Math.max(0, yes - totalB); a <= Math.min(totalA, yes); a++) if (of(a) <= found + 1e-9) sum += Math.exp(of(a));
  return Math.min(1, sum);
}

/** Pairs up to which every assignment of signs is tried. */
const EXACT_PAIRS = 16;
const DRAWS = 10_000;

/**
 * Paired permutation test of a mean difference: how often the mean would be as far from zero if the sign of each
 * difference were chance. All sign assignments are tried for up to 16 differences that are not zero, else 10,000 are
 * drawn, and the one found is counted among them (Phipson and Smyth 2010), so that p is never 0.
 */
export function pairedPermutation(differences: readonly number[], seed: number): number {
  const changed = differences.filter((difference) => difference !== 0);
  const n = changed.length;
  if (n === 0) return 1;
  const found = Math.abs(changed.reduce((sum, value) => sum + value, 0));
  const reaches = (sum: number): boolean => Math.abs(sum) >= found * (1 - 1e-9) - 1e-12;
  if (n <= EXACT_PAIRS) {
    let count = 0;
    for (let signs = 0; signs < 2 ** n; signs++) {
      let sum = 0;
      for (let i = 0; i < n; i++) sum += (signs >> i) & 1 ? (changed[i] ?? 0) : -(changed[i] ?? 0);
      if (reaches(sum)) count++;
    }
    return count / 2 ** n;
  }
  const chance = random(seed);
  let count = 1;
  for (let draw = 0; draw < DRAWS; draw++) {
    let sum = 0;
    for (const value of changed) sum += chance() < 0.5 ? value : -value;
    if (reaches(sum)) count++;
  }
  return count / (DRAWS + 1);
}

/** Permutation test of the difference of two means, for values that are not paired: 10,000 seeded draws. */
export function permutation(a: readonly number[], b: readonly number[], seed: number): number {
  if (a.length === 0 || b.length === 0) return 1;
  const all = [...a, ...b];
  const found = Math.abs(mean(a) - mean(b));
  const chance = random(seed);
  const total = all.reduce((sum, value) => sum + value, 0);
  let count = 1;
  for (let draw = 0; draw < DRAWS; draw++) {
    // The first values of a partial shuffle are one of the two groups.
    let sum = 0;
    for (let i = 0; i < a.length; i++) {
      const j = i + Math.floor(chance() * (all.length - i));
      const other = all[j] ?? 0;
      all[j] = all[i] ?? 0;
      all[i] = other;
      sum += other;
    }
    const difference = Math.abs(sum / a.length - (total - sum) / b.length);
    if (difference >= found * (1 - 1e-9) - 1e-12) count++;
  }
  return count / (DRAWS + 1);
}

/** Holm's correction (1979) of several p-values that are looked at together, in their order. */
export function holm(ps: readonly number[]): readonly number[] {
  const order = ps.map((p, i) => ({ p, i })).sort((a, b) => a.p - b.p);
  const out = ps.map(() => 1);
  let least = 0;
  for (const [rank, { p, i }] of order.entries()) {
    least = Math.max(least, Math.min(1, p * (ps.length - rank)));
    out[i] = least;
  }
  return out;
}
