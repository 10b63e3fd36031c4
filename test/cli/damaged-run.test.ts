// Every file of a run folder as something else: no command waits, shows a stack, or replaces what is no plain file.

import { execFileSync } from "node:child_process";
import { cp, lstat, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Outcome, runCommand } from "./command.ts";

let cwd = "";
const kasane = (line: string): Promise<Outcome> => runCommand(cwd, line);

beforeAll(async () => {
  cwd = await mkdtemp(join(tmpdir(), "kasane-damaged-"));
  expect((await kasane("train moons --samples 40 --epochs 2 --hidden 4 --out run")).code).toBe(0);
});
afterAll(() => rm(cwd, { recursive: true }));

const files = [
  "config.json",
  "metrics.jsonl",
  "model.safetensors",
  "checkpoint.safetensors",
  "summary.json",
  "summary.txt",
  "training.pid",
];

type Damage = (path: string, bytes: Uint8Array) => unknown;
/** What nobody may replace, or wait for. */
const others: Readonly<Record<string, Damage>> = {
  pipe: (path) => execFileSync("mkfifo", [path]),
  folder: (path) => mkdir(join(path, "inner"), { recursive: true }),
  // Only root makes devices.
  ...(process.getuid?.() === 0 ? { device: (path) => execFileSync("mknod", [path, "c", "1", "5"]) } : {}),
};
const damages: Readonly<Record<string, Damage>> = {
  ...others,
  "link to a device": (path) => symlink("/dev/zero", path),
  "link to itself": (path) => symlink(path, path),
  "empty file": (path) => writeFile(path, ""),
  "half of itself": (path, bytes) => writeFile(path, bytes.subarray(0, bytes.length / 2)),
  "file of noise": (path) =>
    writeFile(
      path,
      Uint8Array.from({ length: 5000 }, (_, i) => (i * i * 31 + i) % 251),
    ),
};
const cases = files.flatMap((file) => Object.keys(damages).map((damage) => [file, damage] as const));

const looks = ["summary", "predict --input 1,2", "explain", "graph", "doctor", "check-gradients", "compile", "profile"];
const trains = ["train --resume changed --epochs 3", "train moons --samples 40 --epochs 1 --hidden 4 --force --out changed"];

async function damageRun(file: string, damage: string): Promise<string> {
  await rm(join(cwd, "changed"), { recursive: true, force: true });
  await cp(join(cwd, "run"), join(cwd, "changed"), { recursive: true });
  const path = join(cwd, "changed", file);
  const bytes = await readFile(path).catch(() => Buffer.from("123\n"));
  await rm(path, { force: true });
  await damages[damage]?.(path, bytes);
  return path;
}

describe.skipIf(process.platform === "win32")("a run", () => {
  it.each(cases)("whose %s is a %s is read, replaced or refused with a sentence", async (file, damage) => {
    const look = looks[cases.findIndex((one) => one[0] === file && one[1] === damage) % looks.length] as string;
    for (const line of [look.replace(/^\S+/, "$& changed"), ...trains]) {
      const path = await damageRun(file, damage);
      const { mode, ino } = await lstat(path);
      const { code, err } = await kasane(line);
      expect({ line, code, isOurs: /inside kasane|\n\s+at |returned E/.test(err) }).toEqual({
        line,
        code: expect.any(Number),
        isOurs: false,
      });
      if (code !== 0) expect(err).toMatch(/^kasane: .*changed/);
      if (!(damage in others)) continue;
      expect(await lstat(path)).toMatchObject({ mode, ino });
      if (line.startsWith("train")) expect(err).toContain(`${file}: it is a ${damage}, a file was expected`);
    }
  });
});
