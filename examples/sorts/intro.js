/** Introsort: quicksort that changes to heapsort when it gets too deep, and to insertion sort when a range is short. */
const SHORT = 16;

export function sort(array) {
  introsort(array, 0, array.length - 1, 2 * Math.floor(Math.log2(array.length || 1)));
  return array;
}

function introsort(array, low, high, depth) {
  while (high - low > SHORT) {
    if (depth-- === 0) {
      heapsort(array, low, high);
      return;
    }
    const pivot = array[(low + high) >> 1];
    let i = low;
    let j = high;
    while (i <= j) {
      while (array[i] < pivot) i++;
      while (array[j] > pivot) j--;
      if (i <= j) {
        const kept = array[i];
        array[i++] = array[j];
        array[j--] = kept;
      }
    }
    introsort(array, i, high, depth);
    high = j;
  }
  for (let i = low + 1; i <= high; i++) {
    const value = array[i];
    let j = i - 1;
    for (; j >= low && array[j] > value; j--) array[j + 1] = array[j];
    array[j + 1] = value;
  }
}

function heapsort(array, low, high) {
  const size = high - low + 1;
  const sink = (at, end) => {
    const value = array[low + at];
    for (let child = 2 * at + 1; child < end; child = 2 * at + 1) {
      if (child + 1 < end && array[low + child + 1] > array[low + child]) child++;
      if (array[low + child] <= value) break;
      array[low + at] = array[low + child];
      at = child;
    }
    array[low + at] = value;
  };
  for (let i = (size >> 1) - 1; i >= 0; i--) sink(i, size);
  for (let end = size - 1; end > 0; end--) {
    [array[low], array[low + end]] = [array[low + end], array[low]];
    sink(0, end);
  }
}
