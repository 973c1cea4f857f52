/** Shellsort with Ciura's gaps, continued by a factor of 2.25. */
export function sort(array) {
  const gaps = [1, 4, 10, 23, 57, 132, 301, 701];
  while (gaps.at(-1) * 2.25 < array.length) gaps.push(Math.floor(gaps.at(-1) * 2.25));
  for (const gap of gaps.reverse()) {
    for (let i = gap; i < array.length; i++) {
      const value = array[i];
      let j = i;
      for (; j >= gap && array[j - gap] > value; j -= gap) array[j] = array[j - gap];
      array[j] = value;
    }
  }
  return array;
}
