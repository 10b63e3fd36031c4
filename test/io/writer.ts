// Helper: a program that rewrites one file without end, each time with another value in all places, until it is killed.

import { saveSafetensors } from "../../src/io/node.ts";

const [path] = process.argv.slice(2) as [string];

for (let round = 1; ; round++) {
  await saveSafetensors(path, { w: { shape: [500_000], data: new Float32Array(500_000).fill(round) } });
  if (round === 1) process.stdout.write("ready\n");
}
