/** Insertion sort that finds its place by halving. Simple, stable and slow: somebody has to come last. */
export function sort(array) {
  for (let i = 1; i < array.length; i++) {
    const value = array[i];
    let low = 0;
    let high = i;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (array[middle] <= value) low = middle + 1;
      else high = middle;
    }
    for (let j = i; j > low; j--) array[j] = array[j - 1];
    array[low] = value;
  }
  return array;
}
