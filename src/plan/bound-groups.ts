/**
 * How many calls `reduce … in groups of n` makes: each level puts the items of the level below into groups, a group of
 * one is what it holds, and the last level has one group. Pairwise reduction is groups of two.
 */
import { type Count, isNumber, isOpen, plus, times } from "./bound-algebra.js";

/** The exact number of calls for so many items. */
export function callsInTree(items: number, size: number): number {
  let calls = 0;
  for (let width = items; width > 1; width = Math.ceil(width / size)) {
    const full = Math.floor(width / size);
    calls += full + (width % size > 1 ? 1 : 0);
  }
  return calls;
}

/** Calls at most for a number of items that may be a formula. */
export function groupCalls(items: Count, size: number): Count {
  if (isOpen(items)) return Number.POSITIVE_INFINITY;
  if (isNumber(items)) return callsInTree(Math.floor(items), size);
  // Each call makes one item of two or more, so pairs take one call less than there are items.
  if (size === 2) return items;
  const { slope, constant } = line(size);
  return plus(times(items, slope), constant);
}

const lines = new Map<number, { readonly slope: number; readonly constant: number }>();

/**
 * A line above the number of calls for every number of items. Groups but the last of a level are full, so there are at
 * most `items / (size - 1)` of them and one more for each level; what levels add is less than the slope's margin gains
 * beyond the sizes that are tried.
 */
function line(size: number): { readonly slope: number; readonly constant: number } {
  let found = lines.get(size);
  if (found === undefined) {
    const slope = 1 / (size - 1) + 0.01;
    let constant = 0;
    for (let items = 0; items <= 4_000; items++) constant = Math.max(constant, callsInTree(items, size) - slope * items);
    found = { slope, constant: Math.ceil(constant * 100) / 100 };
    lines.set(size, found);
  }
  return found;
}
