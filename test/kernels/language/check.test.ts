// The rewriting that checks accesses, run as WebAssembly: claims that a buffer is shorter than the kernel believes are found out.

import { describe, expect, test } from "vitest";
import { features, wasmMachine } from "../../../src/backends/wasm/features.ts";
import { compileModule } from "../../../src/backends/wasm/module.ts";
import { ModuleBuilder } from "../../../src/kernels/language/builder.ts";
import { checkAccesses, REPORT_WORDS } from "../../../src/kernels/language/check.ts";
import { printModule } from "../../../src/kernels/language/print.ts";
import * as v from "../../../src/kernels/language/values.ts";
import { lowerNest } from "../../../src/kernels/lower.ts";
import { programOf, tensor } from "../conformance.ts";

const machine = wasmMachine();
const reportsAt = 256;
const seven = 0x07070707;

interface Outcome {
  /** "in1 reads 3 … 6": the buffer and elements of the report; "" without one. */
  readonly report: string;
  /** Buffers behind whose claimed end something was written. */
  readonly overrun: readonly string[];
  readonly result: Float32Array;
}

/** Runs a formula of one nest over memory full of sevens, with `bytes` of a buffer said to be missing at its end. */
function run(formula: string, inputs: Parameters<typeof programOf>[1], shortened?: { buffer: string; bytes: number }): Outcome {
  const { program, arrays } = programOf(formula, inputs);
  const module = new ModuleBuilder("test", machine);
  const lowered = lowerNest(program.operations[0]!.nest, module);
  const built = module.build();
  const claimed = Object.entries(built.regions.get(lowered.entry)!).map(([name, region]) => {
    const missing = shortened?.buffer === name ? shortened.bytes : 0;
    return [name, { ...region, bytes: region.bytes - missing }] as const;
  });
  let end = 1024;
  const places = claimed.map(([, { bytes }]) => {
    const place = end;
    end += Math.ceil(bytes / 64) * 64 + 4096;
    return place;
  });
  const memory = new WebAssembly.Memory({ initial: Math.ceil(end / 65536) + 1 });
  const words = new Int32Array(memory.buffer).fill(seven);
  words.fill(0, reportsAt / 4, reportsAt / 4 + REPORT_WORDS);
  arrays.forEach((values, number) => {
    new Float32Array(memory.buffer).set(values as Float32Array, places[number]! / 4);
  });
  const checked = checkAccesses({ ...built, regions: new Map([[lowered.entry, Object.fromEntries(claimed)]]) }, machine, {
    op: "constant",
    type: "pointer",
    value: reportsAt,
  });
  const options = { relaxedFma: machine.fma !== "separate" && features().relaxedFma };
  const { exports } = new WebAssembly.Instance(compileModule(checked.module, options), { env: { memory } });
  (exports[lowered.entry] as (...args: number[]) => void)(...places, 0, lowered.slices);
  const overrun = claimed.flatMap(([name, { bytes }], number) => {
    if (arrays[number] !== undefined) return [];
    const behind = words.subarray((places[number]! + bytes) / 4, (places[number]! + bytes) / 4 + 1024);
    return behind.every((word) => word === seven) ? [] : [name];
  });
  const [region, offset, bytes] = [...words.subarray(reportsAt / 4, reportsAt / 4 + REPORT_WORDS)] as [number, number, number];
  const last = (offset + Math.abs(bytes)) / 4 - 1;
  const report = region === 0 ? "" : `${checked.regions[region - 1]!.buffer} ${bytes < 0 ? "writes" : "reads"} ${offset / 4} … ${last}`;
  const out = claimed.findIndex(([name]) => name === "out");
  return { report, overrun, result: new Float32Array(memory.buffer, places[out]!, claimed[out]![1].bytes / 4).slice() };
}

const a = tensor([33, 70]);
const b = tensor([70, 45], "float32", undefined, 2);
const product = "y[i, j] = sum[k](a[i, k] * b[k, j])";

describe("accesses", () => {
  test("inside are not reported and do what they did", () => {
    const map = run("y = x + 1", { x: tensor([50]) });
    expect(map).toMatchObject({ report: "", overrun: [] });
    expect(map.result).toEqual((tensor([50]).data as Float32Array).map((x) => x + 1));
    expect(run(product, { a, b })).toMatchObject({ report: "", overrun: [] });
  });

  test("out of an output are reported and not done", () => {
    expect(run("y = x + 1", { x: tensor([50]) }, { buffer: "out", bytes: 40 })).toMatchObject({
      report: "out writes 40 … 43",
      overrun: [],
    });
    const result = run(product, { a, b }, { buffer: "out", bytes: 4 });
    expect(result.report).toMatch(/^out writes 14\d\d … 1484$/);
    expect(result.overrun).toEqual([]);
  });

  test("out of an operand by more than may be read past an end are reported", () => {
    expect(run("y = x + 1", { x: tensor([500]) }, { buffer: "in0", bytes: 1000 }).report).toBe("in0 reads 280 … 283");
    expect(run(product, { a, b }, { buffer: "in1", bytes: 1000 }).report).toMatch(/^in1 reads 29\d\d … /);
    expect(run(product, { a, b }, { buffer: "in0", bytes: 4000 }).report).toMatch(/^in0 reads 1\d\d\d … /);
  });

  test("out of the scratch are reported: a kernel that asks for too little", () => {
    const result = run(product, { a, b }, { buffer: "scratch", bytes: 512 });
    expect(result.report).toMatch(/^scratch writes /);
    expect(result.overrun).toEqual([]);
  });
});

test("what no entry calls stays as it is, and pointers carry offset, length and number of their buffer", () => {
  const module = new ModuleBuilder("test", machine);
  const entry = module.define("kernel", { out: "pointer", n: "i32" }, (k, { out, n }) => {
    const p = k.let(v.advance(out, n), "p");
    k.store(v.at(p, undefined, 4), v.load(v.at(out)));
  });
  module.define(
    "main",
    { p: "pointer" },
    (k, { p }) => {
      k.store(v.at(p), v.f32(1));
      k.call(entry, [p, 8]);
    },
    true,
  );
  module.confine(entry, { out: { kernel: "kernel", bytes: 64, elementBytes: 4 } });
  const before = module.build();
  const { module: after, regions } = checkAccesses(before, machine, { op: "constant", type: "pointer", value: reportsAt });
  expect(regions).toEqual([{ kernel: "kernel", bytes: 64, elementBytes: 4, buffer: "out" }]);
  expect(after.functions.map(({ name }) => name)).toEqual(["out_of_range", "kernel/checked", "kernel", "main"]);
  expect(after.functions.find(({ name }) => name === "main")).toBe(before.functions.find(({ name }) => name === "main"));
  expect(printModule({ ...after, functions: after.functions.slice(1, 3) })).toMatchInlineSnapshot(`
    "module test
    function kernel/checked(out: pointer, n: i32, out_offset: i32, out_bytes: i32, out_region: i32) {
      p2_offset = add(out_offset, n)
      p2_bytes = out_bytes
      p2_region = out_region
      p2 = advance(out, n)
      c9 = 0
      c10 = out_offset
      if ltUnsigned(add(c10, 128), max(sub(add(out_bytes, 257), 4), 0)) {
        c9 = f32:f32[out]
      } else {
        out_of_range(out_region, c10, 4)
      }
      c11 = add(p2_offset, 4)
      if ltUnsigned(c11, max(sub(add(p2_bytes, 1), 4), 0)) {
        f32[p2 + 4] = c9
      } else {
        out_of_range(p2_region, c11, neg(4))
      }
    }
    function kernel(out: pointer, n: i32) {
      kernel/checked(out, n, 0, 64, 0)
    }"
  `);
});
