/**
 * The word that was probably meant, for "did you mean" in problems. A slip of the fingers is close in letters, whatever
 * the case and whether words are joined by capitals or underscores; a short word has few letters to be wrong in.
 */

/** The nearest of some words to a word, if it is near enough to be meant; the first of equals. */
export function nearest(word: string, among: Iterable<string>): string | undefined {
  const wanted = plain(word);
  if (wanted === "") return undefined;
  const candidates = [...among].filter((candidate) => candidate !== "" && candidate !== word);
  let best: string | undefined;
  let least = allowed(wanted.length) + 1;
  for (const candidate of candidates) {
    const far = distance(wanted, plain(candidate), least);
    if (far < least) {
      best = candidate;
      least = far;
    }
  }
  return best ?? abbreviated(wanted, candidates);
}

/** How many letters may be wrong in a word of some length. */
const allowed = (length: number): number => (length < 3 ? 0 : length < 6 ? 1 : length < 9 ? 2 : 3);

/** `readText`, `read_text` and `ReadText` are one word. */
const plain = (word: string): string => word.replace(/[_\-\s]/g, "").toLowerCase();

/** A word cut short (`desc` for `description`), where it begins just one of the candidates. */
function abbreviated(wanted: string, among: readonly string[]): string | undefined {
  if (wanted.length < 4) return undefined;
  const found = among.filter((candidate) => plain(candidate).startsWith(wanted));
  return found.length === 1 ? found[0] : undefined;
}

/** Edits (insert, remove, replace, swap neighbours) from one word to another; any number from `limit` on means too far. */
function distance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) >= limit) return limit;
  let before: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let value = Math.min((previous[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (previous[j - 1] ?? 0) + (same ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) value = Math.min(value, (before[j - 2] ?? 0) + 1);
      row.push(value);
    }
    if (Math.min(...row) >= limit) return limit;
    before = previous;
    previous = row;
  }
  return Math.min(previous[b.length] ?? limit, limit);
}
