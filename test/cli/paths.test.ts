// What a word on the command line may be: an op first, a run, and code only where it is plainly a path.

import { existsSync } from "node:fs";
import { cp, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Outcome, runCommand } from "./command.ts";

let cwd = "";
const kasane = (line: string | readonly string[]): Promise<Outcome> => runCommand(cwd, line);
const hasRun = (): boolean => existsSync(join(cwd, "executed"));

beforeAll(async () => {
  cwd = await mkdtemp(join(tmpdir(), "kasane-paths-"));
  const code = `require("node:fs").writeFileSync(${JSON.stringify(join(cwd, "executed"))}, ""); module.exports = { default: () => 3 };`;
  for (const name of ["conv2d", "Conv2D", "tanh.txt", "training", "code.cjs", "run.json"]) await writeFile(join(cwd, name), code);
  await mkdir(join(cwd, "empty"));
  await mkdir(join(cwd, "softmax"));
  expect((await kasane("train xor --samples 50 --epochs 1 --out relu")).code).toBe(0);
  await cp(join(cwd, "relu"), join(cwd, "shown"), { recursive: true });
});
afterAll(() => rm(cwd, { recursive: true }));

const commands = ["explain", "doctor", "lr-find", "graph", "compile", "profile", "check-gradients", "summary", "predict --sample 0"];

describe("code", () => {
  it.each(commands)("is not run by %s from a file that only has a name", async (command) => {
    for (const name of ["conv2d", "Conv2D", "training", "tanh.txt", "run.json"]) {
      const { code, err } = await kasane(`${command} ${name}`);
      const isOp = command === "explain" && name.toLowerCase() === "conv2d";
      expect({ name, hasRun: hasRun(), isDone: code === 0 }).toEqual({ name, hasRun: false, isDone: isOp });
      expect(err).not.toContain("inside kasane");
    }
  });

  it("is run from what is plainly a path, as the hint says", async () => {
    expect((await kasane("compile training")).err).toContain(
      "training is a file whose name does not say that it is a module; it was not run\n  try: ./training",
    );
    for (const name of ["./training", "code.cjs", "empty/../conv2d"]) {
      await kasane(`graph ${name}`);
      expect({ name, hasRun: hasRun() }).toEqual({ name, hasRun: true });
      await rm(join(cwd, "executed"));
    }
  });
});

describe("an op", () => {
  it.each(["conv2d", "relu", "softmax", "RELU"])("is explained although a file or folder is called %s", async (name) => {
    const { code, out } = await kasane(`explain ${name}`);
    expect(code).toBe(0);
    expect(out).toMatch(new RegExp(`^${name}  \\(`, "i"));
  });

  it("gives way to a path", async () => {
    expect((await kasane("explain ./relu --depth 0")).out).toMatch(/ of mean = /);
    expect((await kasane("explain shown --depth 0")).out).toMatch(/ of mean = /);
    expect((await kasane("explain ./softmax")).err).toContain("softmax is not a run");
    expect((await kasane("explain relu.js")).err).toContain("relu.js is not there");
  });
});
