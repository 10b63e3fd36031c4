// The wasm backend itself: memory that grows, errors that say what to do, the cache of compiled programs, cost of tiny programs.

import { expect, test } from "vitest";
import { features, wasmMachine } from "../../src/backends/wasm/features.ts";
import { createWasmBackend } from "../../src/backends/wasm/wasm.ts";
import { bind } from "../../src/formula/bind/bind.ts";
import { parseFormula } from "../../src/formula/parse.ts";
import { BackendError } from "../../src/util/errors.ts";
import { compileProgram } from "./program.ts";

const program = (formula: string, shape: readonly number[], dtype: "float32" | "float64" = "float32") => {
  const parsed = parseFormula(formula);
  return bind(parsed, { name: "test", inputs: Object.fromEntries(parsed.inputs.map((name) => [name, { dtype, shape }])) });
};

test("says in one sentence what it is", () => {
  const { name, description } = createWasmBackend();
  expect(name).toBe("wasm");
  expect(description).toMatch(/^wasm: .*SIMD.* (one thread|\d+ threads)/);
  expect(description).not.toContain("\n");
});

test("needs SIMD, in one sentence with what to try", () => {
  expect(() => wasmMachine({ simd: false, relaxedFma: false, fused: false })).toThrow(BackendError);
  expect(() => wasmMachine({ simd: false, relaxedFma: false, fused: false })).toThrow(/needs WebAssembly SIMD.*\n {2}try: /);
  expect(wasmMachine({ simd: true, relaxedFma: false, fused: false }).fma).toBe("separate");
  expect(features().simd).toBe(true);
});

test("float64 is refused with a sentence", () => {
  expect(() => compileProgram(createWasmBackend(), program("y = x + 1", [3], "float64"))).toThrow(
    /float64 tensors are computed on the reference backend only/,
  );
});

test("tensors above 2 GiB and programs above 4 GiB are refused before anything is allocated", () => {
  const backend = createWasmBackend();
  expect(() => compileProgram(backend, program("y = x + 1", [2 ** 29]))).toThrow(
    /"test": a tensor of shape \[536870912\] is 2.0 GiB; one tensor may have up to 2 GiB/,
  );
  expect(() => compileProgram(backend, program("y = a + b + c", [400_000_000]))).toThrow(/WebAssembly memory holds 4.0 GiB/);
});

test("memory grows with the program, and programs compiled before still run", () => {
  const backend = createWasmBackend();
  const small = compileProgram(backend, program("y = x * 2", [3]));
  expect([...small.run([Float32Array.of(1, 2, 3)], [])]).toEqual([2, 4, 6]);
  const large = compileProgram(backend, program("y = x * 2 + 1", [3_000_000]));
  const result = large.run([new Float32Array(3_000_000).fill(4)], []);
  expect(result.every((x) => x === 9)).toBe(true);
  expect([...small.run([Float32Array.of(4, 5, 6)], [])]).toEqual([8, 10, 12]);
});

test("results belong to the caller: a later run does not change them", () => {
  const executable = compileProgram(createWasmBackend(), program("y = x + 1", [40]));
  const first = executable.run([new Float32Array(40).fill(1)], []);
  executable.run([new Float32Array(40).fill(7)], []);
  expect(first.every((x) => x === 2)).toBe(true);
});

test("equal programs share code, dropped ones are compiled again when they are needed", () => {
  const backend = createWasmBackend();
  const early = compileProgram(backend, program("y = x * 3", [2]));
  for (let n = 1; n <= 520; n++) compileProgram(backend, program("y = x + 1", [n]));
  expect([...early.run([Float32Array.of(1, 2)], [])]).toEqual([3, 6]);
});

test("the listing shows buffers, loops and kernels", () => {
  const listing = compileProgram(createWasmBackend(), program("y = x * x", [100])).listing();
  expect(listing).toContain("operation 0: test, buffers 0 → 1");
  expect(listing).toContain("vector along");
  expect(listing).toContain("export function main(");
});

test("the same inputs give the same bits before and after the engine optimizes", () => {
  const executable = compileProgram(createWasmBackend(), program("y = exp(x) * sin(x) + x / 3", [1000]));
  const input = Float32Array.from({ length: 1000 }, (_, i) => Math.sin(i) * 3);
  const first = executable.run([input], []);
  for (let i = 0; i < 3000; i++) executable.run([input], []);
  expect(executable.run([input], [])).toEqual(first);
});
