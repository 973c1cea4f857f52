/** Natural merge sort: begins with the runs that are in order already (descending ones are turned), as Timsort does. */
const SHORT = 32;

export function sort(array) {
  const { length } = array;
  let ends = [];
  for (let from = 0; from < length; ) {
    let to = from + 1;
    if (to < length && array[to] < array[from]) {
      while (to < length && array[to] < array[to - 1]) to++;
      for (let i = from, j = to - 1; i < j; i++, j--) [array[i], array[j]] = [array[j], array[i]];
    } else while (to < length && array[to] >= array[to - 1]) to++;
    const least = Math.min(from + SHORT, length);
    for (; to < least; to++) {
      const value = array[to];
      let j = to - 1;
      for (; j >= from && array[j] > value; j--) array[j + 1] = array[j];
      array[j + 1] = value;
    }
    ends.push(to);
    from = to;
  }
  const buffer = new Array(length);
  while (ends.length > 1) {
    const merged = [];
    for (let r = 0; r < ends.length; r += 2) {
      const from = r === 0 ? 0 : ends[r - 1];
      const middle = ends[r];
      const to = ends[r + 1] ?? middle;
      for (let i = from; i < middle; i++) buffer[i] = array[i];
      let i = from;
      let j = middle;
      for (let k = from; i < middle; k++) array[k] = j < to && array[j] < buffer[i] ? array[j++] : buffer[i++];
      merged.push(to);
    }
    ends = merged;
  }
  return array;
}
