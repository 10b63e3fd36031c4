// kasane compile: what is printed of a compiled function from a file and of a run's training step, and what cannot be shown.

import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ensureBuilt } from "../../scripts/lib/build.mjs";
import { PASSES } from "../../src/compiler/index.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
let cwd = "";

const model = `
import { compile, ones, zeros } from "kasane";
import { crossEntropy, linear, relu, sequential } from "kasane/nn";
import { sgd } from "kasane/optim";

const net = sequential(linear(4, 8), relu, linear(8, 2));
const optimizer = sgd(net.parameters(), { learningRate: 0.1 });
const step = (x, target) => {
  optimizer.zeroGrad();
  const loss = crossEntropy(net(x), target);
  loss.backward();
  optimizer.step();
  return loss;
};
export default compile(step);
`;
const inputs = 'export const inputs = [ones([32, 4]), zeros([32], { dtype: "int32" })];';

beforeAll(async () => {
  await ensureBuilt(root, "library");
  cwd = mkdtempSync(join(tmpdir(), "kasane-compile-"));
  mkdirSync(join(cwd, "node_modules"));
  symlinkSync(root, join(cwd, "node_modules", "kasane"));
  const files = {
    "package.json": '{ "private": true }',
    "model.mjs": model + inputs,
    "uncalled.mjs": model,
    "number.mjs": "export default 3;",
    "wrong.mjs": "export default (;",
  };
  for (const [name, text] of Object.entries(files)) writeFileSync(join(cwd, name), text);
});
afterAll(() => rmSync(cwd, { recursive: true }));

function kasane(line: string, backend = "wasm") {
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(root, "dist/cli/main.js"), ...line.split(" ")], {
    cwd,
    encoding: "utf8",
    env: { ...process.env, NO_COLOR: "1", KASANE_BACKEND: backend },
  });
  return { code: status, out: stdout, err: stderr };
}

describe("kasane compile", () => {
  it("counts kernels and bytes after every pass, and tells the memory", () => {
    const { code, out, err } = kasane("compile model.mjs");
    expect(err).toBe("");
    expect(code).toBe(0);
    const [head, titles, ...rows] = out.split("\n");
    expect(head).toBe("step(float32[32, 4], int32[32])");
    expect(titles).toMatch(/^pass +kernels +bytes written$/);
    const counts = rows.slice(0, 1 + PASSES.length).map((row) => row.trim().split(/ +/));
    expect(counts.map(([name]) => name)).toEqual(["trace", ...PASSES.map(({ name }) => name)]);
    expect(Number(counts.at(-1)?.[1])).toBeLessThan(Number(counts[0]?.[1]));
    const memory = /^memory: ([\d,]+) bytes for temporaries at their peak, ([\d,]+) bytes if none shared room; 232 bytes stay/m.exec(out);
    const [peak, unshared] = [memory?.[1], memory?.[2]].map((text) => Number(text?.replace(",", "")));
    expect(peak).toBeGreaterThan(0);
    expect(unshared).toBeGreaterThan(peak as number);
  });

  it("prints the graph after a pass, and after all of them", () => {
    expect(kasane("compile model.mjs --show trace").out).toMatch(/^after trace: \d+ kernels\nb\d+:float32\[32x8\] = \(sum\(/m);
    expect(kasane("compile model.mjs --show epilogues").out).toMatch(/^b5:float32\[32x8\] = max\(\(sum\(.*\(linearBias \+ relu\)$/m);
    const { out } = kasane("compile model.mjs --show all");
    for (const { name } of PASSES) expect(out).toMatch(new RegExp(`^after ${name}: \\d+ kernels$`, "m"));
  });

  it("prints the kernels and the code, where the backend can", () => {
    expect(kasane("compile model.mjs --show kernels").out).toMatch(/^export function main\(/m);
    expect(kasane("compile model.mjs --show code").out).toContain("the wasm backend has no listing of its code");
    const onX64 = kasane("compile model.mjs --show code", "x64");
    if (onX64.code === 0) expect(onX64.out).toMatch(/^ {2}(vfmadd231ps|vaddps) /m);
    else expect(onX64.err).toContain("cannot run here");
  });

  it("shows the training step of a run", () => {
    expect(kasane("train moons --samples 40 --epochs 1 --out run").code).toBe(0);
    const { code, out } = kasane("compile run --show in-place --json");
    expect(code).toBe(0);
    const { steps } = JSON.parse(out) as { steps: { name: string; inputs: string[]; memory: { peak: number }; shown: string }[] };
    expect(steps).toHaveLength(1);
    expect(steps[0]).toMatchObject({ name: "training step of fit", inputs: ["float32[32, 2]", "int32[32]"] });
    expect(steps[0]?.memory.peak).toBeGreaterThan(0);
    expect(steps[0]?.shown).toContain("linearBias + relu");
  });

  it.each([
    ["model.mjs --show fusee", 2, /^kasane: --show fusee: expected one of trace, constants, .*, code. Did you mean fuse\?$/m],
    ["missing.mjs", 1, /^kasane: missing.mjs is not there\n {2}try: a module whose default export/m],
    [
      "number.mjs",
      1,
      /^kasane: number.mjs: expected a function as default export, or .*; it exports the number 3 as default\n {2}try: export default compile/m,
    ],
    ["uncalled.mjs", 1, /its compiled function was never called, so that its shapes are not known\n {2}try: .*export const inputs = /],
    ["wrong.mjs", 1, /^kasane: wrong.mjs does not load: .*\n {2}try: run it by itself: node wrong.mjs$/m],
  ])("refuses %s with one sentence", (line, code, sentence) => {
    const result = kasane(`compile ${line}`);
    expect(result.err).toMatch(sentence);
    expect(result.code).toBe(code);
    expect(result.out).toBe("");
  });
});
