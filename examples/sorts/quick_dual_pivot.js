/** Quicksort around two pivots, three ranges at each step. */
const SHORT = 24;

export function sort(array) {
  const swap = (i, j) => {
    const kept = array[i];
    array[i] = array[j];
    array[j] = kept;
  };
  const range = (low, high) => {
    if (high - low < SHORT) {
      for (let i = low + 1; i <= high; i++) {
        const value = array[i];
        let j = i - 1;
        for (; j >= low && array[j] > value; j--) array[j + 1] = array[j];
        array[j + 1] = value;
      }
      return;
    }
    const third = Math.floor((high - low) / 3);
    swap(low, low + third);
    swap(high, high - third);
    if (array[low] > array[high]) swap(low, high);
    const left = array[low];
    const right = array[high];
    let less = low + 1;
    let greater = high - 1;
    for (let i = less; i <= greater; i++) {
      if (array[i] < left) swap(i, less++);
      else if (array[i] > right) {
        while (array[greater] > right && i < greater) greater--;
        swap(i, greater--);
        if (array[i] < left) swap(i, less++);
      }
    }
    swap(low, --less);
    swap(high, ++greater);
    range(low, less - 1);
    if (left < right) range(less + 1, greater - 1);
    range(greater + 1, high);
  };
  range(0, array.length - 1);
  return array;
}
