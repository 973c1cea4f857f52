/** Quicksort around the median of three, with insertion sort for short ranges. */
const SHORT = 16;

export function sort(array) {
  const range = (low, high) => {
    while (high - low > SHORT) {
      const pivot = median(array[low], array[(low + high) >> 1], array[high]);
      let i = low;
      let j = high;
      while (i <= j) {
        while (array[i] < pivot) i++;
        while (array[j] > pivot) j--;
        if (i > j) break;
        const kept = array[i];
        array[i++] = array[j];
        array[j--] = kept;
      }
      if (j - low < high - i) {
        range(low, j);
        low = i;
      } else {
        range(i, high);
        high = j;
      }
    }
    for (let i = low + 1; i <= high; i++) {
      const value = array[i];
      let j = i - 1;
      for (; j >= low && array[j] > value; j--) array[j + 1] = array[j];
      array[j + 1] = value;
    }
  };
  range(0, array.length - 1);
  return array;
}

const median = (a, b, c) => (a < b ? (b < c ? b : a < c ? c : a) : a < c ? a : b < c ? c : b);
