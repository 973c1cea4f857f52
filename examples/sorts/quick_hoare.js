/** Quicksort with Hoare's partition: two fingers that walk towards each other. */
export function sort(array) {
  const range = (low, high) => {
    while (low < high) {
      const pivot = array[(low + high) >> 1];
      let i = low - 1;
      let j = high + 1;
      for (;;) {
        do i++;
        while (array[i] < pivot);
        do j--;
        while (array[j] > pivot);
        if (i >= j) break;
        [array[i], array[j]] = [array[j], array[i]];
      }
      if (j - low < high - j) {
        range(low, j);
        low = j + 1;
      } else {
        range(j + 1, high);
        high = j;
      }
    }
  };
  range(0, array.length - 1);
  return array;
}
