/** Merge sort without recursion: runs of 1, 2, 4 … elements are merged pass by pass. */
export function sort(array) {
  const { length } = array;
  let source = array;
  let target = new Array(length);
  for (let width = 1; width < length; width *= 2) {
    for (let from = 0; from < length; from += 2 * width) {
      const middle = Math.min(from + width, length);
      const to = Math.min(from + 2 * width, length);
      let i = from;
      let j = middle;
      for (let k = from; k < to; k++) target[k] = i < middle && (j >= to || source[i] <= source[j]) ? source[i++] : source[j++];
    }
    [source, target] = [target, source];
  }
  return source;
}
