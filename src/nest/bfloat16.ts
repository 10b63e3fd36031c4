// bfloat16, the upper 16 bits of a float32: the same range, 8 bits of precision, rounded to nearest even.

const float = new Float32Array(1);
const bits = new Uint32Array(float.buffer);

/**
 * The nearest bfloat16. Subnormal numbers are kept, NaN stays NaN, and what is nearer to 2¹²⁸ than to the largest
 * number becomes infinite.
 */
export function roundToBfloat16(value: number): number {
  float[0] = value;
  bits[0] = roundedBits(bits[0]!) << 16;
  return float[0];
}

/** Writes numbers as bfloat16 words. */
export function encodeBfloat16(numbers: ArrayLike<number>, words: Uint16Array): void {
  for (let n = 0; n < words.length; n++) {
    float[0] = numbers[n]!;
    words[n] = roundedBits(bits[0]!);
  }
}

/** The numbers that bfloat16 words stand for. */
export function decodeBfloat16(words: ArrayLike<number>): Float32Array<ArrayBuffer> {
  const decoded = new Uint32Array(words.length);
  for (let n = 0; n < words.length; n++) decoded[n] = words[n]! << 16;
  return new Float32Array(decoded.buffer);
}

/**
 * The upper half of a float32's bits, rounded by the lower half; a NaN gets its quiet bit, since rounding could carry
 * it away.
 */
function roundedBits(whole: number): number {
  if ((whole & 0x7fffffff) > 0x7f800000) return (whole >>> 16) | 0x40;
  return (whole + 0x7fff + ((whole >>> 16) & 1)) >>> 16;
}
