/** What the engine has: numbers copied into a typed array, sorted there, and copied back. */
export function sort(array) {
  return Array.from(Float64Array.from(array).sort());
}
