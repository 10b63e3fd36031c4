// The kernel language on WebAssembly: every operation against JavaScript, control flow, partial stores, transposes, listings.

import { expect, test } from "vitest";
import { ModuleBuilder } from "../../../src/kernels/language/builder.ts";
import type { OperationName, Value } from "../../../src/kernels/language/language.ts";
import { operations } from "../../../src/kernels/language/language.ts";
import { printModule } from "../../../src/kernels/language/print.ts";
import * as v from "../../../src/kernels/language/values.ts";
import { base, harness, machine } from "../emitter.ts";

const floats = [0, -0, 1.5, -2.5, 3.7, -1e-40, 1e10, Number.POSITIVE_INFINITY, Number.NaN, 0.1, 2.5, -0.5];
const ints = [0, 1, -1, 7, -13, 2147483647, -2147483648, 65537, 123456789, -987654321, 31, 2];
const f = Math.fround;

type Two<T> = (a: number, b: number) => T;
const nanMin: Two<number> = (a, b) => Math.min(a, b);
const high: Two<number> = (a, b) => Number((BigInt(a >>> 0) * BigInt(b >>> 0)) >> 32n) | 0;

const floatResults: Partial<Record<OperationName, Two<number | boolean>>> = {
  add: (a, b) => f(a + b),
  sub: (a, b) => f(a - b),
  mul: (a, b) => f(a * b),
  div: (a, b) => f(a / b),
  min: nanMin,
  max: (a, b) => Math.max(a, b),
  pmin: (a, b) => (b < a ? b : a),
  pmax: (a, b) => (a < b ? b : a),
  neg: (a) => -a,
  abs: (a) => Math.abs(a),
  sqrt: (a) => f(Math.sqrt(a)),
  floor: Math.floor,
  ceil: Math.ceil,
  trunc: Math.trunc,
  nearest: (a) => (Math.abs(a % 1) === 0.5 ? 2 * Math.round(a / 2) : Math.round(a)),
  eq: (a, b) => a === b,
  ne: (a, b) => a !== b,
  lt: (a, b) => a < b,
  le: (a, b) => a <= b,
  gt: (a, b) => a > b,
  ge: (a, b) => a >= b,
};

const intResults: Partial<Record<OperationName, Two<number | boolean>>> = {
  add: (a, b) => (a + b) | 0,
  sub: (a, b) => (a - b) | 0,
  mul: Math.imul,
  min: Math.min,
  max: Math.max,
  neg: (a) => -a | 0,
  abs: (a) => Math.abs(a) | 0,
  mulHighUnsigned: high,
  and: (a, b) => a & b,
  or: (a, b) => a | b,
  xor: (a, b) => a ^ b,
  andNot: (a, b) => a & ~b,
  not: (a) => ~a,
  eq: (a, b) => a === b,
  ne: (a, b) => a !== b,
  lt: (a, b) => a < b,
  le: (a, b) => a <= b,
  gt: (a, b) => a > b,
  ge: (a, b) => a >= b,
  ltUnsigned: (a, b) => a >>> 0 < b >>> 0,
  geUnsigned: (a, b) => a >>> 0 >= b >>> 0,
};

for (const [element, results, inputs] of [
  ["f32", floatResults, floats],
  ["i32", intResults, ints],
] as const) {
  for (const [op, expected] of Object.entries(results) as [OperationName, Two<number | boolean>][]) {
    test(`${op} of ${element}, scalar and vector`, () => {
      const arity = operations[op].arity;
      const gives = operations[op].result;
      const n = inputs.length * inputs.length;
      const compute = (a: Value, b: Value) => {
        const value = v.operation(op, arity === 1 ? [a] : [a, b]);
        return gives === "bool" ? v.convertToInt(value) : value;
      };
      const place = (block: number, i: Value, p: Value) => v.at(p, v.mul(i, 4), block * n * 4);
      const type = element === "f32" ? "f32" : "i32";
      const { f32, i32, run } = harness((k, p) => {
        k.loop(0, n, 1, (i) => {
          k.store(place(2, i, p), compute(v.loadAs(type, type, place(0, i, p)), v.loadAs(type, type, place(1, i, p))));
        });
        k.loop(0, n, 4, (i) => {
          const read = (block: number) => v.loadAs(`v${type}`, type, place(block, i, p));
          k.store(place(3, i, p), compute(read(0), read(1)));
        });
      });
      const data = element === "f32" ? f32 : i32;
      for (let i = 0; i < n; i++) {
        data[i] = inputs[i % inputs.length]!;
        data[n + i] = inputs[Math.floor(i / inputs.length)]!;
      }
      run();
      const out = gives === "bool" ? i32 : data;
      for (let i = 0; i < n; i++) {
        const want = Number(expected(data[i]!, data[n + i]!));
        expect([op, data[i], data[n + i], out[2 * n + i]]).toEqual([op, data[i], data[n + i], want]);
        expect([op, data[i], data[n + i], out[3 * n + i]]).toEqual([op, data[i], data[n + i], want]);
      }
    });
  }
}

test("shifts, division, conversions, bit casts", () => {
  const { i32, f32, run } = harness((k, p) => {
    const x = v.loadAs("i32", "i32", v.at(p));
    const vector = v.loadAs("vi32", "i32", v.at(p));
    const scalars = [
      v.shiftLeft(x, 3),
      v.shiftRight(x, 1),
      v.shiftRightLogical(x, 1),
      v.operation("divide", [x, 7]),
      v.operation("remainder", [x, 7]),
    ];
    scalars.forEach((value, i) => {
      k.store(v.at(p, undefined, 64 + 4 * i), value);
    });
    k.store(v.at(p, undefined, 128), v.shiftRightLogical(vector, 1));
    k.store(v.at(p, undefined, 144), v.convertToFloat(vector));
    k.store(v.at(p, undefined, 160), v.convertToInt(v.loadVector(v.at(p, undefined, 16))));
    k.store(v.at(p, undefined, 176), v.bitsToFloat(v.bitsToInt(v.loadVector(v.at(p, undefined, 16)))));
    k.store(v.at(p, undefined, 192), v.convertToFloat(v.gt(vector, 0)));
    k.store(v.at(p, undefined, 208), v.convertToInt(v.splat(v.gt(x, -1000))));
  });
  i32.set([-100, 5, 2147483647, -7]);
  f32.set([3.9, -3.9, 3e10, Number.NaN], 4);
  run();
  expect([...i32.subarray(16, 21)]).toEqual([-800, -50, 2147483598, -14, -2]);
  expect([...i32.subarray(32, 36)]).toEqual([-100 >>> 1, 2, 1073741823, -7 >>> 1]);
  expect([...f32.subarray(36, 40)]).toEqual([-100, 5, f(2147483647), -7]);
  expect([...i32.subarray(40, 44)]).toEqual([3, -3, 2147483647, 0]);
  expect([...f32.subarray(44, 47)]).toEqual([f(3.9), f(-3.9), f(3e10)]);
  expect([...f32.subarray(48, 52)]).toEqual([0, 1, 1, 0]);
  expect([...i32.subarray(52, 56)]).toEqual([1, 1, 1, 1]);
});

test("a transpose of lanes × lanes, shuffle, extract, replace, horizontal reductions", () => {
  const { f32, run } = harness((k, p) => {
    const rows = [0, 1, 2, 3].map((row) => v.loadVector(v.at(p, undefined, row * 16)));
    k.transpose(rows).forEach((column, i) => {
      k.store(v.at(p, undefined, 64 + 16 * i), column);
    });
    const first = k.let(v.loadVector(v.at(p)));
    k.store(v.at(p, undefined, 128), v.shuffle(first, first, [3, 2, 1, 0]));
    k.store(v.at(p, undefined, 144), v.replace(first, 2, v.extract(first, 3)));
    const reduced = ["reduceAdd", "reduceMul", "reduceMin", "reduceMax"] as const;
    reduced.forEach((op, i) => {
      k.store(v.at(p, undefined, 160 + 4 * i), v.operation(op, [v.loadVector(v.at(p, undefined, 16))]));
    });
  });
  for (let i = 0; i < 16; i++) f32[i] = i + 1;
  run();
  expect([...f32.subarray(16, 32)]).toEqual([1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15, 4, 8, 12, 16]);
  expect([...f32.subarray(32, 40)]).toEqual([4, 3, 2, 1, 1, 2, 4, 4]);
  expect([...f32.subarray(40, 44)]).toEqual([26, 5 * 6 * 7 * 8, 5, 8]);
});

test("a hint may point anywhere and changes nothing", () => {
  const { f32, run } = harness((k, p) => {
    k.prefetch(v.at(p));
    for (const hint of ["prefetch", "prefetchForWriting"] as const) k[hint](v.at(v.advance(p, 1 << 30), v.i32(-4), 64));
    k.store(v.at(p, undefined, 4), v.load(v.at(p)));
  });
  f32.set([7, 8, 9]);
  run();
  expect([...f32.subarray(0, 3)]).toEqual([7, 7, 9]);
});

test("a look-up takes the table's lane that the low bits of each index say", () => {
  const { lanes } = machine;
  const order = Array.from({ length: lanes }, (_, lane) => lane);
  const { f32, i32, run } = harness((k, p) => {
    const place = (row: number) => v.at(p, undefined, row * lanes * 4);
    const indices = k.let(v.loadAs("vi32", "i32", place(0)));
    k.store(place(2), v.lookup(v.laneFloats(order.map((lane) => lane + 0.5)), indices));
    k.store(place(3), v.lookup(v.loadVector(place(1)), indices));
    k.store(place(4), v.lookup(v.laneConstants(order.map((lane) => -lane)), indices));
    k.store(place(5), v.lookup(k.let(v.loadVector(place(1))), v.loadAs("vi32", "i32", place(0))));
  });
  const indices = order.map((lane) => Math.imul(lane + 3, 0x9e3779b1));
  i32.set(indices);
  f32.set(
    order.map((lane) => 100 + lane),
    lanes,
  );
  run();
  const taken = indices.map((index) => ((index % lanes) + lanes) % lanes);
  const row = (n: number, data: Float32Array | Int32Array = f32) => [...data.subarray(n * lanes, (n + 1) * lanes)];
  expect(row(2)).toEqual(taken.map((lane) => lane + 0.5));
  expect(row(3)).toEqual(taken.map((lane) => 100 + lane));
  expect(row(4, i32)).toEqual(taken.map((lane) => -lane | 0));
  expect(row(5)).toEqual(taken.map((lane) => 100 + lane));
});

test("partial stores write exactly the first lanes, of floats, words and bytes, for constant and variable counts", () => {
  for (const memory of ["f32", "u16", "u8"] as const) {
    for (let count = 0; count <= 4; count++) {
      const { f32, u8, run } = harness((k, p, n) => {
        const vector = memory === "f32" ? v.laneFloats([1, 2, 3, 4]) : v.laneConstants([(memory === "u8" ? 256 : 65536) + 1, 2, 3, 4]);
        k.storePartial(v.at(p, undefined, 16), vector, n, memory);
        k.storePartial(v.at(p, undefined, 64), vector, v.i32(count), memory);
      });
      u8.fill(0);
      run(count);
      const data = memory === "f32" ? f32 : memory === "u8" ? u8 : new Uint16Array(u8.buffer, u8.byteOffset, 64);
      const at = memory === "f32" ? 4 : memory === "u8" ? 16 : 8;
      const want = [1, 2, 3, 4, 0, 0].map((x, lane) => (lane < count ? x : 0));
      expect([...data.subarray(at, at + 6)]).toEqual(want);
      expect([...data.subarray(at * 4, at * 4 + 6)]).toEqual(want);
    }
  }
});

test("words of 16 bits widen when loaded and truncate when stored", () => {
  const { u8, i32, run } = harness((k, p) => {
    const words = k.let(v.loadAs("vi32", "u16", v.at(p, undefined, 2)));
    k.store(v.at(p, undefined, 16), words);
    k.store(v.at(p, undefined, 32), v.add(words, 65000), "u16");
    k.store(v.at(p, undefined, 48), v.loadSplat(v.at(p, undefined, 4), "u16"));
    k.store(v.at(p, undefined, 64), v.sub(v.loadAs("i32", "u16", v.at(p, undefined, 4)), 65536), "u16");
  });
  const u16 = new Uint16Array(u8.buffer, u8.byteOffset, 64);
  u16.set([7, 1, 40000, 65535, 4]);
  run();
  expect([...i32.subarray(4, 8)]).toEqual([1, 40000, 65535, 4]);
  expect([...u16.subarray(16, 20)]).toEqual([65001, 39464, 64999, 65004]);
  expect([...i32.subarray(12, 16)]).toEqual([40000, 40000, 40000, 40000]);
  expect(u16[32]).toBe(40000);
});

test("bytes widen when loaded and truncate when stored", () => {
  const { u8, i32, run } = harness((k, p) => {
    const bytes = k.let(v.loadAs("vi32", "u8", v.at(p)));
    k.store(v.at(p, undefined, 16), bytes);
    k.store(v.at(p, undefined, 32), v.add(bytes, 250), "u8");
    k.store(v.at(p, undefined, 48), v.loadSplat(v.at(p, undefined, 1), "u8"));
  });
  u8.set([1, 200, 255, 4]);
  run();
  expect([...i32.subarray(4, 8)]).toEqual([1, 200, 255, 4]);
  expect([...u8.subarray(32, 36)]).toEqual([251, 194, 249, 254]);
  expect([...i32.subarray(12, 16)]).toEqual([200, 200, 200, 200]);
});

test("loops, while, if, calls and many live variables compute right", () => {
  const { run } = harness((k, _, n, module) => {
    const square = module.define("square", { x: "i32" }, (inner, { x }) => inner.let(v.mul(x, x)));
    const total = k.let(v.i32(0));
    k.loop(0, n, 1, (i) => {
      const odd = k.let(v.and(i, 1));
      k.if(
        v.eq(odd, 1),
        () => k.set(total, v.add(total, k.call(square, [i])!)),
        () => {
          const copies = Array.from({ length: 8 }, (_, j) => k.let(v.add(i, j)));
          for (const copy of copies) k.set(total, v.add(total, copy));
        },
      );
    });
    const steps = k.let(v.i32(0));
    k.while(v.gt(total, 1000), () => {
      k.set(total, v.sub(total, 1000));
      k.set(steps, v.add(steps, 1));
    });
    return v.add(v.mul(steps, 10000), total);
  });
  let total = 0;
  for (let i = 0; i < 37; i++) total += i % 2 === 1 ? i * i : 8 * i + 28;
  let steps = 0;
  for (; total > 1000; steps++) total -= 1000;
  expect(run(37)).toBe(steps * 10000 + total);
});

test("type faults are found while writing", () => {
  const module = new ModuleBuilder("faulty", machine);
  expect(() => v.add(v.i32(1), v.f32(1))).toThrow("mixes");
  expect(() => module.define("f", {}, (k) => k.set(k.let(v.i32(1)), v.f32(1)))).toThrow("is i32, set to f32");
  expect(() => module.define("g", {}, (k) => void k.call("nothing", []))).toThrow("before it is defined");
});

test("a module prints as text", () => {
  const module = new ModuleBuilder("printed", machine);
  module.define("copy", { from: "pointer", to: "pointer", n: "i32" }, (k, { from, to, n }) => {
    k.loop(0, v.mul(n, 4), 16, (i) => k.store(v.at(to, i), v.loadVector(v.at(from, i))));
  });
  const text = printModule(module.build());
  expect(text).toContain("function copy(from: pointer, to: pointer, n: i32) {");
  expect(text).toMatch(/for i\d+ = 0 to end\d+ step 16 \{\n {4}f32\[to \+ i\d+\] = vf32:f32\[from \+ i\d+\]/);
  expect(base % 64).toBe(0);
});
