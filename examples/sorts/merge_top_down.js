/** Merge sort, halves first, with one buffer that changes roles with the array. */
export function sort(array) {
  const buffer = array.slice();
  const split = (from, to, source, target) => {
    if (to - from < 2) return;
    const middle = (from + to) >> 1;
    split(from, middle, target, source);
    split(middle, to, target, source);
    let i = from;
    let j = middle;
    for (let k = from; k < to; k++) target[k] = i < middle && (j >= to || source[i] <= source[j]) ? source[i++] : source[j++];
  };
  split(0, array.length, buffer, array);
  return array;
}
