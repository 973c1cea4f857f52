/**
 * Numbers as people read them: digits in groups of three, at most three after the point, as English writes them. Asking
 * the system for it (`toLocaleString`) loads its tables of languages, which takes longer than checking a small file.
 */

/** A number with its digits in groups: `12,345`. */
export function grouped(value: number): string {
  const [whole = "", fraction] = String(Number(value.toFixed(3))).split(".");
  const digits = whole.replace(/\B(?=(\d{3})+$)/g, ",");
  return fraction === undefined ? digits : `${digits}.${fraction}`;
}
