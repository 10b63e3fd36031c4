// Files are damaged at random and given to the command: it does its work or says one sentence, and nothing else.

import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { type Ended, randomFrom, runToEnd } from "./command.ts";

export interface Fuzzing {
  readonly times: number;
  readonly seed: number;
  /** The path of dist/cli/main.js. */
  readonly program: string;
}

export interface FuzzOutcome {
  readonly files: number;
  /** Where the command did its work all the same. */
  readonly taken: number;
  readonly faults: readonly string[];
}

/** What is damaged, and the commands that read it. */
const targets: readonly { readonly file: string; readonly commands: readonly string[] }[] = [
  { file: "run/config.json", commands: ["summary run", "predict run --input 1,2", "train --resume run --epochs 3", "doctor run --fresh"] },
  { file: "run/checkpoint.safetensors", commands: ["train --resume run --epochs 3"] },
  { file: "run/model.safetensors", commands: ["predict run --input 1,2", "explain run", "train --resume run"] },
  { file: "run/metrics.jsonl", commands: ["summary run", "doctor run"] },
  { file: "run/summary.json", commands: ["summary run", "train --resume run"] },
  { file: "run/training.pid", commands: ["train --resume run --epochs 3", "train moons --samples 60 --epochs 1 --out run --force"] },
  { file: "table.csv", commands: ["train --csv table.csv --target kind --epochs 1 --out new", "predict run table.csv"] },
  { file: "mnist/train-images-idx3-ubyte.gz", commands: ["train --mnist mnist --epochs 1 --model linear --out new"] },
  { file: "mnist/train-labels-idx1-ubyte", commands: ["train --mnist mnist --epochs 1 --model linear --out new"] },
];

type Damage = (bytes: Buffer, random: () => number) => Buffer;

const values = ["null", "-1", "1e300", "[]", "{}", '"x"', "true", "[22000,22000]", "1e9", "0.5", '""'];

const damages: readonly Damage[] = [
  (bytes, random) => bytes.subarray(0, Math.floor(random() * bytes.length)),
  (bytes, random) => Buffer.concat([bytes, bytes.subarray(Math.floor(random() * bytes.length))]),
  (bytes, random) => {
    const changed = Buffer.from(bytes);
    for (let n = 0; n <= 8 * random() && changed.length > 0; n++)
      changed[Math.floor(random() * changed.length)] = Math.floor(256 * random());
    return changed;
  },
  // One value of JSON, or one number of a text, becomes another.
  (bytes, random) => {
    const text = bytes.toString("latin1");
    const places = [...text.matchAll(/-?\d+(?:\.\d+)?|"[^"]*"|true|false|null/g)];
    const place = places[Math.floor(random() * places.length)];
    if (place === undefined) return bytes;
    const value = values[Math.floor(random() * values.length)] as string;
    return Buffer.from(text.slice(0, place.index) + value + text.slice(place.index + place[0].length), "latin1");
  },
];

export async function fuzzFiles({ times, seed, program }: Fuzzing): Promise<FuzzOutcome> {
  const home = await mkdtemp(join(tmpdir(), "kasane-fuzz-"));
  const random = randomFrom(seed);
  const faults: string[] = [];
  let taken = 0;
  const pick = <Item>(items: readonly Item[]): Item => items[Math.floor(random() * items.length)] as Item;
  try {
    const whole = join(home, "whole");
    await prepare(program, whole);
    for (let n = 0; n < times; n++) {
      const cwd = join(home, "damaged");
      await cp(whole, cwd, { recursive: true });
      const { file, commands } = pick(targets);
      const path = join(cwd, file);
      await writeFile(path, pick(damages)(await readFile(path), random));
      const command = pick(commands);
      const end = await runToEnd(program, cwd, command.split(" "));
      if (end.code === 0) taken++;
      const fault = faultOf(end);
      if (fault !== undefined) faults.push(`${n} (seed ${seed}): ${command} with a damaged ${file}: ${fault}`);
      await rm(cwd, { recursive: true });
    }
  } finally {
    await rm(home, { recursive: true, force: true });
  }
  return { files: times, taken, faults };
}

/** Ending by a signal is a fault, and so is what only a person who knows the source can read. */
function faultOf({ code, err }: Ended): string | undefined {
  if (code === null || ![0, 1, 2].includes(code)) return `it ended with ${code}: ${err.slice(-500)}`;
  return /inside kasane|an error at|\n\s+at /.test(err) ? err.slice(-500) : undefined;
}

async function prepare(program: string, cwd: string): Promise<void> {
  await mkdir(join(cwd, "mnist"), { recursive: true });
  const rows = Array.from({ length: 40 }, (_, n) => `${n % 7},${(n * 3) % 5},${n % 2 === 0 ? "one" : "two"}`);
  await writeFile(join(cwd, "table.csv"), `x,y,kind\n${rows.join("\n")}\n`);
  const images = Buffer.from(Array.from({ length: 30 * 16 }, (_, n) => (n * 37) % 256));
  await writeFile(join(cwd, "mnist", "train-images-idx3-ubyte.gz"), gzipSync(Buffer.concat([idxHeader(8, [30, 4, 4]), images])));
  await writeFile(
    join(cwd, "mnist", "train-labels-idx1-ubyte"),
    Buffer.concat([idxHeader(8, [30]), Buffer.from(Array.from({ length: 30 }, (_, n) => n % 10))]),
  );
  const { code, err } = await runToEnd(program, cwd, "train moons --samples 60 --epochs 2 --hidden 4 --out run".split(" "));
  if (code !== 0) throw new Error(`the training to damage failed: ${err}`);
  await writeFile(join(cwd, "run", "training.pid"), "999999999\n");
}

function idxHeader(type: number, shape: readonly number[]): Buffer {
  const header = Buffer.alloc(4 + 4 * shape.length);
  header.writeUInt16BE((type << 8) | shape.length, 2);
  for (const [axis, extent] of shape.entries()) header.writeUInt32BE(extent, 4 + 4 * axis);
  return header;
}
