/** Heapsort: a heap in the array itself, its greatest element moved to the end again and again. */
export function sort(array) {
  const sink = (at, end) => {
    const value = array[at];
    for (let child = 2 * at + 1; child < end; child = 2 * at + 1) {
      if (child + 1 < end && array[child + 1] > array[child]) child++;
      if (array[child] <= value) break;
      array[at] = array[child];
      at = child;
    }
    array[at] = value;
  };
  for (let i = (array.length >> 1) - 1; i >= 0; i--) sink(i, array.length);
  for (let end = array.length - 1; end > 0; end--) {
    const greatest = array[0];
    array[0] = array[end];
    array[end] = greatest;
    sink(0, end);
  }
  return array;
}
