/** One pass of bubble sort, as somebody wrote it in a hurry. It is wrong, and the tournament finds out. */
export function sort(array) {
  for (let i = 1; i < array.length; i++) {
    if (array[i - 1] > array[i]) [array[i - 1], array[i]] = [array[i], array[i - 1]];
  }
  return array;
}
