// The numbers of the workloads, from an integer hash, so that other libraries can be given exactly the same.

function hash(seed: number, count: number): Uint32Array {
  const numbers = new Uint32Array(count);
  const start = Math.imul(seed, 0x85ebca6b);
  for (let n = 0; n < count; n++) {
    let h = (Math.imul(n, 0x9e3779b9) + start) >>> 0;
    h ^= h >>> 16;
    h = Math.imul(h, 0x85ebca6b);
    h ^= h >>> 13;
    h = Math.imul(h, 0xc2b2ae35);
    numbers[n] = (h ^ (h >>> 16)) >>> 0;
  }
  return numbers;
}

/** Numbers in offset ± bound, row by row. */
export function uniformNumbers(seed: number, shape: readonly number[], bound = 1, offset = 0): Float32Array {
  const count = shape.reduce((total, extent) => total * extent, 1);
  return Float32Array.from(hash(seed, count), (h) => ((h >>> 8) / 8388608 - 1) * bound + offset);
}

export function labelNumbers(seed: number, count: number, classes: number): Int32Array {
  return Int32Array.from(hash(seed, count), (h) => h % classes);
}
