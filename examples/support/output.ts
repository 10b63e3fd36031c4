// Where examples put their results: pictures as PNG files and texts, in the folder output/ or the one KASANE_OUTPUT names.

import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { encode } from "fast-png";
import { writeFileAtomic } from "kasane/io/node";

/** Images [count, channels, height, width]: one channel is grey, three are red, green and blue. Values outside [0, 1] are clipped. */
export interface Images {
  readonly shape: readonly number[];
  readonly data: ArrayLike<number>;
}

/** The smallest sizes that run through every line, for tests: KASANE_EXAMPLES=small. */
export const small = process.env.KASANE_EXAMPLES === "small";

/** Every image as `scale` × `scale` blocks of equal pixels, in rows of `columns`, with a line between; prints where it lies. */
export async function savePicture(name: string, images: Images, { columns = 10, scale = 3 } = {}): Promise<void> {
  const [count = 0, channels = 1, height = 0, width = 0] = images.shape;
  const rows = Math.ceil(count / columns);
  const [cellHeight, cellWidth] = [height * scale + 2, width * scale + 2];
  const picture = { width: columns * cellWidth + 2, height: rows * cellHeight + 2, channels };
  const pixels = new Uint8Array(picture.width * picture.height * channels).fill(96);
  for (let n = 0; n < count; n++)
    for (let y = 0; y < height * scale; y++)
      for (let x = 0; x < width * scale; x++)
        for (let c = 0; c < channels; c++) {
          const value = images.data[((n * channels + c) * height + Math.floor(y / scale)) * width + Math.floor(x / scale)] ?? 0;
          const row = Math.floor(n / columns) * cellHeight + y + 2;
          const column = (n % columns) * cellWidth + x + 2;
          pixels[(row * picture.width + column) * channels + c] = Math.round(255 * Math.min(1, Math.max(0, value)));
        }
  await save(`${name}.png`, encode({ ...picture, data: pixels, channels: channels as 1 | 3 }));
}

export async function saveText(name: string, text: string): Promise<void> {
  await save(`${name}.txt`, text);
}

/** The images of several sets one below the other, where set n is row n; sets are cut to the same length. */
export function rowsOf(...sets: readonly Images[]): Images {
  const [first] = sets;
  const sample = (first?.shape.slice(1) ?? []).reduce((a, b) => a * b, 1);
  const count = Math.min(...sets.map(({ shape }) => shape[0] ?? 0));
  const data = new Float32Array(sets.length * count * sample);
  sets.forEach((set, row) => {
    for (let at = 0; at < count * sample; at++) data[row * count * sample + at] = set.data[at] ?? 0;
  });
  return { shape: [sets.length * count, ...(first?.shape.slice(1) ?? [])], data };
}

async function save(file: string, content: Uint8Array | string): Promise<void> {
  const folder = process.env.KASANE_OUTPUT ?? "output";
  await mkdir(folder, { recursive: true });
  await writeFileAtomic(join(folder, file), content);
  console.log(`saved ${join(folder, file)}`);
}
