/** Quicksort with Lomuto's partition around the middle element; the smaller half first, so the stack stays small. */
export function sort(array) {
  const swap = (i, j) => {
    const kept = array[i];
    array[i] = array[j];
    array[j] = kept;
  };
  const range = (low, high) => {
    while (low < high) {
      swap((low + high) >> 1, high);
      const pivot = array[high];
      let border = low;
      for (let i = low; i < high; i++) if (array[i] < pivot) swap(i, border++);
      swap(border, high);
      if (border - low < high - border) {
        range(low, border - 1);
        low = border + 1;
      } else {
        range(border + 1, high);
        high = border - 1;
      }
    }
  };
  range(0, array.length - 1);
  return array;
}
