/**
 * Radix sort of floating-point numbers: their bits, turned so that they order like unsigned integers, are counted 16
 * at a time from the least to the most significant.
 */
export function sort(array) {
  const { length } = array;
  const bits = new BigUint64Array(Float64Array.from(array).buffer);
  const keys = new Uint32Array(2 * length);
  for (let i = 0; i < length; i++) {
    const turned = bits[i] >> 63n ? ~bits[i] : bits[i] ^ (1n << 63n);
    keys[2 * i] = Number(turned & 0xffffffffn);
    keys[2 * i + 1] = Number((turned >> 32n) & 0xffffffffn);
  }
  let order = Uint32Array.from({ length }, (_, i) => i);
  let next = new Uint32Array(length);
  for (let pass = 0; pass < 4; pass++) {
    const word = pass >> 1;
    const shift = 16 * (pass & 1);
    const counts = new Uint32Array(65537);
    for (let i = 0; i < length; i++) counts[((keys[2 * i + word] >>> shift) & 0xffff) + 1]++;
    for (let digit = 1; digit < counts.length; digit++) counts[digit] += counts[digit - 1];
    for (let i = 0; i < length; i++) next[counts[(keys[2 * order[i] + word] >>> shift) & 0xffff]++] = order[i];
    [order, next] = [next, order];
  }
  return Array.from(order, (i) => array[i]);
}
