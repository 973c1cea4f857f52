/** Quicksort in three parts (less, equal, greater): quick on arrays with many equal elements. */
export function sort(array) {
  const range = (low, high) => {
    while (low < high) {
      const pivot = array[(low + high) >> 1];
      let less = low;
      let at = low;
      let greater = high;
      while (at <= greater) {
        const value = array[at];
        if (value < pivot) {
          array[at++] = array[less];
          array[less++] = value;
        } else if (value > pivot) {
          array[at] = array[greater];
          array[greater--] = value;
        } else at++;
      }
      if (less - low < high - greater) {
        range(low, less - 1);
        low = greater + 1;
      } else {
        range(greater + 1, high);
        high = less - 1;
      }
    }
  };
  range(0, array.length - 1);
  return array;
}
