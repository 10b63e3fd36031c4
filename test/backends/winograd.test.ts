// KASANE_WINOGRAD=0: convolutions are summed as they are defined, and a NaN stays in the windows it lies in.

import { afterEach, describe, expect, it } from "vitest";
import type { Backend } from "../../src/backends/backend.ts";
import { createWasmBackend } from "../../src/backends/wasm/wasm.ts";
import { createX64Backend } from "../../src/backends/x64/x64.ts";
import { bind } from "../../src/formula/bind/bind.ts";
import { parseFormula } from "../../src/formula/parse.ts";
import { compileProgram } from "./program.ts";
import { here } from "./x64/harness.ts";

const [batch, channels, size] = [2, 32, 16];
const program = bind(parseFormula("y[n, o, i, j] = sum[c, p, q](x[n, c, i + p - 1, j + q - 1] * w[o, c, p, q])"), {
  name: "convolution",
  inputs: {
    x: { dtype: "float32", shape: [batch, channels, size, size] },
    w: { dtype: "float32", shape: [channels, channels, 3, 3] },
  },
  resultShape: [batch, channels, size, size],
});
const x = new Float32Array(batch * channels * size * size).fill(1);
x[8 * size + 9] = Number.NaN;
const w = new Float32Array(channels * channels * 9).fill(1);
const spoilt = (backend: Backend) => [...compileProgram(backend, program).run([x, w], [])].filter(Number.isNaN).length;

const backends: [string, () => Backend][] = [
  ["wasm", () => createWasmBackend()],
  ...here.map((name): [string, () => Backend] => [name, () => createX64Backend(name)]),
];

describe.each(backends)("%s", (_, create) => {
  const before = process.env.KASANE_WINOGRAD;
  afterEach(() => {
    if (before === undefined) delete process.env.KASANE_WINOGRAD;
    else process.env.KASANE_WINOGRAD = before;
  });

  it("is switched by KASANE_WINOGRAD, and says so", () => {
    delete process.env.KASANE_WINOGRAD;
    expect(spoilt(create())).toBeGreaterThan(9 * channels);
    process.env.KASANE_WINOGRAD = "0";
    const plain = create();
    expect(spoilt(plain)).toBe(9 * channels);
    expect(plain.description).toContain("KASANE_WINOGRAD=0");
  });
});
