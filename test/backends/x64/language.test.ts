// Every operation of the kernel language as machine code against a plain model, and the structure around it under register pressure.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { MachineName } from "../../../src/backends/x64/runtime/cpu.ts";
import type { FunctionBuilder } from "../../../src/kernels/language/builder.ts";
import { MEMORY_BYTES, type OperationName, type OperationRule, operations, type Value } from "../../../src/kernels/language/language.ts";
import * as v from "../../../src/kernels/language/values.ts";
import { harness, here, machineOf } from "./harness.ts";

const f = Math.fround;
const floats = [
  0,
  -0,
  1,
  -1,
  1.5,
  2.5,
  -2.5,
  0.49999997,
  -0.5,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  Number.NEGATIVE_INFINITY,
  3e9,
  -3e9,
  1e-40,
  -1e-40,
  2147483520,
  3.4e38,
  8388609.5,
  7,
  0.1,
  -123.456,
].map(f);
const ints = [
  0,
  1,
  -1,
  2,
  3,
  7,
  -7,
  31,
  32,
  255,
  256,
  65535,
  1 << 30,
  2147483647,
  -2147483648,
  -2147483647,
  12345,
  -99999,
  0x55555555,
  -0x55555556,
];

type Element = "f32" | "i32" | "bool";
type Model = (...args: number[]) => number;

const min = (a: number, b: number) => (Number.isNaN(a) || Number.isNaN(b) ? Number.NaN : Math.min(a, b));
const max = (a: number, b: number) => (Number.isNaN(a) || Number.isNaN(b) ? Number.NaN : Math.max(a, b));
const nearest = (x: number) => (Math.abs(x) >= 2 ** 23 ? x : x < 0 ? -evenRound(-x) : evenRound(x));
const evenRound = (x: number) => {
  const low = Math.floor(x);
  const rest = x - low;
  return rest > 0.5 || (rest === 0.5 && low % 2 === 1) ? low + 1 : low;
};
const toInt = (x: number) => (Number.isNaN(x) ? 0 : Math.max(-2147483648, Math.min(2147483647, Math.trunc(x))) | 0);
const words = new DataView(new ArrayBuffer(4));
const bitsToFloat = (x: number) => {
  words.setInt32(0, x);
  return words.getFloat32(0);
};
const bitsToInt = (x: number) => {
  words.setFloat32(0, x);
  return words.getInt32(0);
};

/** What each operation gives, by its first argument's element. */
const models: Partial<Record<OperationName, Partial<Record<Element, Model>>>> = {
  add: { f32: (a, b) => f(a! + b!), i32: (a, b) => (a! + b!) | 0 },
  sub: { f32: (a, b) => f(a! - b!), i32: (a, b) => (a! - b!) | 0 },
  mul: { f32: (a, b) => f(a! * b!), i32: (a, b) => Math.imul(a!, b!) },
  div: { f32: (a, b) => f(a! / b!) },
  min: { f32: min as Model, i32: Math.min },
  max: { f32: max as Model, i32: Math.max },
  pmin: { f32: (a, b) => (b! < a! ? b! : a!) },
  pmax: { f32: (a, b) => (a! < b! ? b! : a!) },
  neg: { f32: (a) => -a!, i32: (a) => -a! | 0 },
  abs: { f32: (a) => Math.abs(a!), i32: (a) => Math.abs(a!) | 0 },
  sqrt: { f32: (a) => f(Math.sqrt(a!)) },
  floor: { f32: (a) => Math.floor(a!) },
  ceil: { f32: (a) => Math.ceil(a!) },
  trunc: { f32: (a) => Math.trunc(a!) },
  nearest: { f32: nearest as Model },
  mulHighUnsigned: { i32: (a, b) => Number((BigInt(a! >>> 0) * BigInt(b! >>> 0)) >> 32n) | 0 },
  and: { i32: (a, b) => a! & b!, bool: (a, b) => a! & b! },
  or: { i32: (a, b) => a! | b!, bool: (a, b) => a! | b! },
  xor: { i32: (a, b) => a! ^ b!, bool: (a, b) => a! ^ b! },
  andNot: { i32: (a, b) => a! & ~b!, bool: (a, b) => a! & ~b! & 1 },
  not: { i32: (a) => ~a!, bool: (a) => 1 - a! },
  eq: { f32: (a, b) => Number(a === b), i32: (a, b) => Number(a === b) },
  ne: { f32: (a, b) => Number(a !== b), i32: (a, b) => Number(a !== b) },
  lt: { f32: (a, b) => Number(a! < b!), i32: (a, b) => Number(a! < b!) },
  le: { f32: (a, b) => Number(a! <= b!), i32: (a, b) => Number(a! <= b!) },
  gt: { f32: (a, b) => Number(a! > b!), i32: (a, b) => Number(a! > b!) },
  ge: { f32: (a, b) => Number(a! >= b!), i32: (a, b) => Number(a! >= b!) },
  ltUnsigned: { i32: (a, b) => Number(a! >>> 0 < b! >>> 0) },
  geUnsigned: { i32: (a, b) => Number(a! >>> 0 >= b! >>> 0) },
  convertToFloat: { i32: (a) => f(a!), bool: (a) => a! },
  convertToInt: { f32: toInt as Model, bool: (a) => a! },
  bitsToFloat: { i32: bitsToFloat as Model },
  bitsToInt: { f32: bitsToInt as Model },
};
const scalarModels: Partial<Record<OperationName, Model>> = {
  divide: (a, b) => Math.trunc(a! / b!) | 0,
  remainder: (a, b) => (a! % b!) | 0,
  divideUnsigned: (a, b) => Math.floor((a! >>> 0) / (b! >>> 0)) | 0,
  remainderUnsigned: (a, b) => ((a! >>> 0) % (b! >>> 0)) | 0,
};
/** Checked in tests of their own. */
const apart = [
  "fma",
  "shiftLeft",
  "shiftRight",
  "shiftRightLogical",
  "select",
  "any",
  "all",
  "splat",
  "extract",
  "replace",
  "shuffle",
  "lookup",
  "reduceAdd",
  "reduceMul",
  "reduceMin",
  "reduceMax",
  "advance",
];

it("the model covers every operation", () => {
  expect([...Object.keys(models), ...Object.keys(scalarModels), ...apart].sort()).toEqual(Object.keys(operations).sort());
});

const same = (a: number, b: number): boolean => Object.is(a, b) || (Number.isNaN(a) && Number.isNaN(b));

describe.each(here)("%s", (name: MachineName) => {
  const machine = machineOf(name);
  const { lanes } = machine;
  const room = 4096;

  /** All pairs of inputs, as whole vectors. */
  const pairs = (list: readonly number[]) => {
    const all = list.flatMap((a) => list.map((b) => [a, b] as const));
    while (all.length % 16 !== 0) all.push(all[0]!);
    return all;
  };

  /** Runs one expression over pairs of numbers, as a scalar or as vectors, with operands in registers, in memory or constant. */
  function evaluate(
    element: Element,
    list: readonly (readonly [number, number])[],
    wide: boolean,
    write: (k: FunctionBuilder, a: Value, b: Value) => Value,
    where: "registers" | "memory",
  ) {
    const memory = element === "f32" ? "f32" : "i32";
    const step = list.length * 4;
    let integer = true;
    const { f32, i32, run } = harness(
      (k, p) => {
        k.loop(0, list.length, wide ? lanes : 1, (i) => {
          const read = (block: number): Value => {
            const place = v.at(p, v.mul(i, 4), block * step);
            const raw = v.loadAs(wide ? (memory === "f32" ? "vf32" : "vi32") : memory, memory, place);
            if (element === "bool") return k.let(v.ne(raw, 0));
            return where === "memory" ? raw : k.let(raw);
          };
          const result = write(k, read(0), read(1));
          integer = v.elementType(result.type) !== "f32";
          k.store(v.at(p, v.mul(i, 4), 2 * step), v.elementType(result.type) === "bool" ? v.convertToInt(result) : result);
        });
      },
      machine,
      Math.max(room, 3 * step + 256),
    );
    const input = memory === "f32" ? f32 : i32;
    list.forEach(([a, b], i) => {
      input[i] = a;
      input[list.length + i] = b;
    });
    run();
    return [...(integer ? i32 : f32).subarray(2 * list.length, 3 * list.length)];
  }

  const rules: Readonly<Record<OperationName, OperationRule>> = operations;
  for (const op of Object.keys(models) as OperationName[]) {
    it(op, () => {
      const { arity } = rules[op];
      for (const [element, model] of Object.entries(models[op]!) as [Element, Model][]) {
        const list = pairs(element === "f32" ? floats : element === "i32" ? ints : [0, 1]);
        for (const wide of [false, true]) {
          for (const where of ["registers", "memory"] as const) {
            const got = evaluate(element, list, wide, (_, a, b) => v.operation(op, arity === 1 ? [a] : [a, b]), where);
            const wrong = list.flatMap(([a, b], i) =>
              same(got[i]!, model(a, b)) ? [] : [`${op}(${a}, ${b}) = ${got[i]}, not ${model(a, b)}`],
            );
            expect(wrong.slice(0, 3), `${element}, ${wide ? "vector" : "scalar"}, ${where}`).toEqual([]);
          }
          // One argument constant.
          if (arity === 1 || element === "bool") continue;
          for (const fixed of element === "f32" ? [0, -0, 1, 2.5, -3] : [0, 1, 2, -1, 100, 255, -2147483648]) {
            for (const left of [false, true]) {
              const got = evaluate(element, list, wide, (_, a) => v.operation(op, left ? [fixed, a] : [a, fixed]), "registers");
              const wrong = list.flatMap(([a], i) => {
                const want = left ? model(fixed, a) : model(a, fixed);
                return same(got[i]!, want)
                  ? []
                  : [`${op} of ${a} and the constant ${fixed}${left ? " first" : ""} = ${got[i]}, not ${want}`];
              });
              expect(wrong.slice(0, 3)).toEqual([]);
            }
          }
        }
      }
    });
  }

  it.each(Object.keys(scalarModels) as OperationName[])("%s", (op) => {
    const list = pairs(ints).filter(([a, b]) => b !== 0 && !(a === -2147483648 && b === -1));
    const got = evaluate("i32", list, false, (_, a, b) => v.operation(op, [a, b]), "registers");
    expect(got).toEqual(list.map(([a, b]) => scalarModels[op]!(a, b)));
  });

  it("fma rounds once, in every form", () => {
    const list = pairs(floats.filter((x) => Number.isFinite(x) && Math.abs(x) < 1e6 && (x === 0 || Math.abs(x) > 1e-6)));
    const forms: [(k: FunctionBuilder, a: Value, b: Value) => Value, Model][] = [
      [(_, a, b) => v.fma(a, b, a), (a, b) => f(a! * b! + a!)],
      [(_, a, b) => v.fma(a, b, 0.25), (a, b) => f(a! * b! + 0.25)],
      [(_, a, b) => v.fma(a, 3, b), (a, b) => f(a! * 3 + b!)],
      [(_, a, b) => v.fma(v.add(a, 1), b, 0.5), (a, b) => f(f(a! + 1) * b! + 0.5)],
      [(_, a, b) => v.fma(a, b, v.add(a, b)), (a, b) => f(a! * b! + f(a! + b!))],
      [
        (k, a, b) => {
          const sum = k.let(b);
          k.set(sum, v.fma(a, a, sum));
          return sum;
        },
        (a, b) => f(a! * a! + b!),
      ],
      [
        (k, a, b) => {
          const sum = k.let(b);
          k.set(sum, v.fma(sum, a, a));
          return sum;
        },
        (a, b) => f(b! * a! + a!),
      ],
      [
        (k, a, b) => {
          const sum = k.let(b);
          k.set(sum, v.fma(sum, sum, sum));
          return v.add(sum, v.mul(a, 0));
        },
        (_, b) => f(b! * b! + b!),
      ],
    ];
    for (const [write, model] of forms) {
      for (const wide of [false, true]) {
        for (const where of ["registers", "memory"] as const) {
          const got = evaluate("f32", list, wide, write, where);
          list.forEach(([a, b], i) =>
            expect(Math.abs(got[i]! - model(a, b)), `${write} ${a} ${b}`).toBeLessThanOrEqual(Math.abs(model(a, b)) * 2 ** -23),
          );
        }
      }
    }
    const exact = evaluate("f32", pairs([1 + 2 ** -12]), true, (_, a, b) => v.fma(a, b, -1 - 2 ** -11), "registers");
    expect(exact[0]).toBe(2 ** -24);
  });

  it("a hint may point anywhere and changes nothing", () => {
    const { f32, run } = harness((k, p) => {
      k.prefetch(v.at(p));
      for (const hint of ["prefetch", "prefetchForWriting"] as const) k[hint](v.at(v.advance(p, 1 << 30), v.i32(-4), 64));
      k.store(v.at(p, undefined, 4), v.load(v.at(p)));
    }, machine);
    f32.set([7, 8, 9]);
    run();
    expect([...f32.subarray(0, 3)]).toEqual([7, 7, 9]);
  });

  it("look-ups take the table's lane that the low bits of each index say", () => {
    const list = pairs(ints);
    const table = Array.from({ length: lanes }, (_, lane) => 100 - lane);
    for (const where of ["registers", "memory"] as const) {
      const constant = evaluate("i32", list, true, (_, a) => v.lookup(v.laneConstants(table), a), where);
      expect(constant).toEqual(list.map(([a]) => table[a & (lanes - 1)]));
      const floats = evaluate("i32", list, true, (_, a) => v.convertToInt(v.lookup(v.laneFloats(table), a)), where);
      expect(floats).toEqual(constant);
      const loaded = evaluate("i32", list, true, (_, a, b) => v.lookup(b, a), where);
      expect(loaded).toEqual(list.map(([a], i) => list[i - (i % lanes) + (a & (lanes - 1))]![1]));
    }
  });

  it("shifts by constants and by variables", () => {
    const list = pairs(ints);
    const shifts = {
      shiftLeft: (a: number, n: number) => a << n,
      shiftRight: (a: number, n: number) => a >> n,
      shiftRightLogical: (a: number, n: number) => (a >>> n) | 0,
    } as const;
    for (const [op, model] of Object.entries(shifts) as [OperationName, (a: number, n: number) => number][]) {
      for (const wide of [false, true]) {
        for (const n of [0, 1, 5, 31]) {
          for (const variable of [false, true]) {
            const got = evaluate("i32", list, wide, (k, a) => v.operation(op, [a, variable ? k.let(v.i32(n)) : n]), "registers");
            expect(got, `${op} by ${n}`).toEqual(list.map(([a]) => model(a, n)));
          }
        }
      }
    }
  });

  it("select of every type, by scalars and by lanes", () => {
    for (const element of ["f32", "i32"] as const) {
      const list = pairs(element === "f32" ? floats : ints);
      for (const wide of [false, true]) {
        for (const where of ["registers", "memory"] as const) {
          const choose = (write: (a: Value, b: Value) => Value, model: Model) => {
            const got = evaluate(element, list, wide, (_, a, b) => write(a, b), where);
            const wrong = list.filter(([a, b], i) => !same(got[i]!, model(a, b)));
            expect(wrong.slice(0, 3), `${element} ${wide} ${where}`).toEqual([]);
          };
          choose(
            (a, b) => v.select(v.lt(a, b), a, b),
            (a, b) => (a! < b! ? a! : b!),
          );
          choose(
            (a, b) => v.select(v.ge(a, b), a, 0),
            (a, b) => (a! >= b! ? a! : 0),
          );
          choose(
            (a, b) => v.select(v.and(v.gt(a, 0), v.lt(b, 2)), 7, b),
            (a, b) => (a! > 0 && b! < 2 ? 7 : b!),
          );
          choose(
            (a, b) => v.convertToInt(v.select(v.lt(a, b), v.gt(a, 0), v.ne(b, 1))),
            (a, b) => Number(a! < b! ? a! > 0 : b! !== 1),
          );
        }
      }
    }
  });

  it("any and all, as values and as conditions", () => {
    for (let bits = 0; bits < 3; bits++) {
      const { i32, run } = harness((k, p) => {
        const mask = k.let(v.ne(v.loadAs("vi32", "i32", v.at(p)), 0));
        (["any", "all"] as const).forEach((op, i) => {
          k.store(v.at(p, undefined, 256 + 4 * i), v.convertToInt(v.operation(op, [mask])));
          k.if(
            v.operation(op, [mask]),
            () => k.store(v.at(p, undefined, 264 + 4 * i), v.i32(1)),
            () => k.store(v.at(p, undefined, 264 + 4 * i), v.i32(0)),
          );
          k.if(
            v.not(v.operation(op, [mask])),
            () => k.store(v.at(p, undefined, 272 + 4 * i), v.i32(1)),
            () => k.store(v.at(p, undefined, 272 + 4 * i), v.i32(0)),
          );
        });
      }, machine);
      for (let lane = 0; lane < lanes; lane++) i32[lane] = bits === 2 || (bits === 1 && lane === lanes - 1) ? 5 : 0;
      run();
      const [any, all] = [Number(bits > 0), Number(bits === 2)];
      expect([...i32.subarray(64, 70)]).toEqual([any, all, any, all, 1 - any, 1 - all]);
    }
  });

  it("lanes: shuffles, extraction, replacement, splats, reductions, transposes", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(2 * lanes - 1), { minLength: lanes, maxLength: lanes }), (sources) => {
        const { f32, run } = harness((k, p) => {
          const [a, b] = [v.loadVector(v.at(p)), v.loadVector(v.at(p, undefined, 64))];
          k.store(v.at(p, undefined, 128), v.shuffle(k.let(a), k.let(b), sources));
          const one = k.let(a);
          k.store(v.at(p, undefined, 192), v.shuffle(one, one, sources));
        }, machine);
        for (let i = 0; i < 16; i++) [f32[i], f32[16 + i]] = [i + 1, 100 + i];
        run();
        const whole = [...f32.subarray(0, lanes), ...f32.subarray(16, 16 + lanes)];
        expect([...f32.subarray(32, 32 + lanes)]).toEqual(sources.map((source) => whole[source]));
        expect([...f32.subarray(48, 48 + lanes)]).toEqual(sources.map((source) => (source % lanes) + 1));
      }),
      { numRuns: 40 },
    );
    for (const element of ["f32", "i32"] as const) {
      const { f32, i32, run } = harness((k, p) => {
        const vector = k.let(v.loadAs(element === "f32" ? "vf32" : "vi32", element, v.at(p)));
        for (let lane = 0; lane < lanes; lane++) {
          k.store(v.at(p, undefined, 256 + 4 * lane), v.extract(vector, lane));
          k.store(v.at(p, undefined, 512 + 64 * lane), v.replace(vector, lane, v.extract(vector, (lane + 1) % lanes)));
        }
        (["reduceAdd", "reduceMul", "reduceMin", "reduceMax"] as const).forEach((op, i) =>
          k.store(v.at(p, undefined, 2048 + 4 * i), v.operation(op, [vector])),
        );
        k.store(v.at(p, undefined, 2112), v.splat(k.let(v.extract(vector, 3))));
      }, machine);
      const data = element === "f32" ? f32 : i32;
      const values = Array.from({ length: lanes }, (_, lane) => ((lane * 5) % 7) - 3 || 2);
      values.forEach((value, lane) => {
        data[lane] = value;
      });
      run();
      expect([...data.subarray(64, 64 + lanes)]).toEqual(values);
      for (let lane = 0; lane < lanes; lane++)
        expect([...data.subarray(128 + 16 * lane, 128 + 16 * lane + lanes)]).toEqual(
          values.map((value, i) => (i === lane ? values[(lane + 1) % lanes] : value)),
        );
      expect([...data.subarray(512, 516)]).toEqual([
        values.reduce((a, b) => a + b),
        values.reduce((a, b) => a * b),
        Math.min(...values),
        Math.max(...values),
      ]);
      expect([...data.subarray(528, 528 + lanes)]).toEqual(new Array(lanes).fill(values[3]));
    }
    const { f32, run } = harness((k, p) => {
      const rows = Array.from({ length: lanes }, (_, row) => v.loadVector(v.at(p, undefined, row * lanes * 4)));
      k.transpose(rows).forEach((column, i) => k.store(v.at(p, undefined, 2048 + lanes * 4 * i), column));
    }, machine);
    for (let i = 0; i < lanes * lanes; i++) f32[i] = i;
    run();
    for (let i = 0; i < lanes * lanes; i++) expect(f32[512 + i]).toBe((i % lanes) * lanes + Math.floor(i / lanes));
  });

  it("reductions keep NaN and the sign of zero", () => {
    const { f32, run } = harness((k, p) => {
      (["reduceMin", "reduceMax"] as const).forEach((op, i) => {
        k.store(v.at(p, undefined, 256 + 4 * i), v.operation(op, [k.let(v.loadVector(v.at(p)))]));
        k.store(v.at(p, undefined, 264 + 4 * i), v.operation(op, [k.let(v.loadVector(v.at(p, undefined, 64)))]));
      });
    }, machine);
    for (let lane = 0; lane < lanes; lane++) [f32[lane], f32[16 + lane]] = [lane === 5 ? Number.NaN : lane, lane % 3 === 0 ? 0 : -0];
    run();
    expect([...f32.subarray(64, 68)]).toEqual([Number.NaN, Number.NaN, -0, 0]);
  });

  it("partial stores write exactly the first lanes, of floats, words and bytes, for constant and variable counts", () => {
    for (const memory of ["f32", "i32", "u16", "u8"] as const) {
      for (let count = 0; count <= lanes; count++) {
        const { i32, f32, u8, run } = harness((k, p, n) => {
          const values = Array.from({ length: lanes }, (_, lane) => lane + 257);
          const vector = memory === "f32" ? v.laneFloats(values) : v.laneConstants(values);
          k.storePartial(v.at(p, undefined, 128), vector, n, memory);
          k.storePartial(v.at(p, undefined, 512), vector, v.i32(count), memory);
        }, machine);
        u8.subarray(0, 1024).fill(0);
        run(count);
        const data = { f32, i32, u16: new Uint16Array(u8.buffer, u8.byteOffset, 512), u8 }[memory];
        const size = MEMORY_BYTES[memory];
        const want = Array.from({ length: lanes + 4 }, (_, lane) => (lane < count ? (memory === "u8" ? lane + 1 : lane + 257) : 0));
        expect([...data.subarray(128 / size, 128 / size + lanes + 4)]).toEqual(want);
        expect([...data.subarray(512 / size, 512 / size + lanes + 4)]).toEqual(want);
        expect([...u8.subarray(120, 128), ...u8.subarray(504, 512)]).toEqual(new Array(16).fill(0));
      }
    }
  });

  it("words of 16 bits widen when loaded and truncate when stored", () => {
    const { u8, i32, run } = harness((k, p) => {
      const words = k.let(v.loadAs("vi32", "u16", v.at(p, undefined, 2)));
      k.store(v.at(p, undefined, 64), words);
      k.store(v.at(p, undefined, 128), v.add(words, 65000), "u16");
      k.store(v.at(p, undefined, 192), v.loadSplat(v.at(p, undefined, 4), "u16"));
      k.store(v.at(p, undefined, 256), v.sub(v.loadAs("i32", "u16", v.at(p, undefined, 4)), 65536), "u16");
    }, machine);
    const u16 = new Uint16Array(u8.buffer, u8.byteOffset, 512);
    for (let i = 0; i <= lanes; i++) u16[i] = i * 4001;
    run();
    const words = Array.from({ length: lanes }, (_, i) => (i + 1) * 4001);
    expect([...i32.subarray(16, 16 + lanes)]).toEqual(words);
    expect([...u16.subarray(64, 64 + lanes)]).toEqual(words.map((x) => (x + 65000) & 65535));
    expect([...i32.subarray(48, 48 + lanes)]).toEqual(new Array(lanes).fill(8002));
    expect(u16[128]).toBe(8002);
  });

  it("bytes widen when loaded and truncate when stored", () => {
    const { u8, i32, run } = harness((k, p) => {
      const bytes = k.let(v.loadAs("vi32", "u8", v.at(p)));
      k.store(v.at(p, undefined, 64), bytes);
      k.store(v.at(p, undefined, 128), v.add(bytes, 250), "u8");
      k.store(v.at(p, undefined, 192), v.loadSplat(v.at(p, undefined, 1), "u8"));
      k.store(v.at(p, undefined, 256), v.loadAs("i32", "u8", v.at(p, undefined, 1)), "u8");
    }, machine);
    for (let i = 0; i < lanes; i++) u8[i] = i * 17;
    run();
    const bytes = Array.from({ length: lanes }, (_, i) => i * 17);
    expect([...i32.subarray(16, 16 + lanes)]).toEqual(bytes);
    expect([...u8.subarray(128, 128 + lanes)]).toEqual(bytes.map((x) => (x + 250) & 255));
    expect([...i32.subarray(48, 48 + lanes)]).toEqual(new Array(lanes).fill(17));
    expect(u8[256]).toBe(17);
  });

  it("negative indices, large offsets, scaled counters and pointer arithmetic reach the right place", () => {
    const { i32, run } = harness(
      (k, p, n) => {
        const middle = k.let(v.advance(p, 512));
        k.loop(-4, 4, 1, (i) => k.store(v.at(middle, v.shiftLeft(i, 2)), v.add(i, 100)));
        k.loop(v.sub(n, 10), n, 2, (i) => k.store(v.at(middle, v.mul(i, 4), 256), i));
        k.store(v.at(v.advance(v.advance(p, v.mul(n, 4)), 4), v.add(n, 4), -8), v.i32(77));
        k.store(v.at(v.advance(p, 100000)), v.i32(78));
      },
      machine,
      200000,
    );
    run(8);
    expect([...i32.subarray(124, 132)]).toEqual([96, 97, 98, 99, 100, 101, 102, 103]);
    expect([190, 192, 194, 196, 198].map((at) => i32[at])).toEqual([-2, 0, 2, 4, 6]);
    expect(i32[(32 + 4 + 12 - 8) / 4]).toBe(77);
    expect(i32[25000]).toBe(78);
  });

  it("many live values survive loops, branches and calls", () => {
    const counts = { vectors: 45, numbers: 24, floats: 20, masks: 10 };
    const { f32, i32, run } = harness((k, p, n, module) => {
      const scramble = module.define("scramble", { x: "vf32", y: "f32", i: "i32", m: "mask" }, (inner, { x, y, i, m }) => {
        const all = Array.from({ length: 40 }, (_, j) => inner.let(v.add(x, j)));
        const sum = inner.let(all.reduce<Value>((a, b) => v.add(a, b), v.constant("vf32", 0)));
        return inner.let(v.select(m, v.add(sum, v.convertToFloat(v.splat(i))), v.splat(y)));
      });
      const flip = module.define("flip", { m: "mask" }, (_, { m }) => v.not(m));
      const half = module.define("half", { y: "f32" }, (_, { y }) => v.mul(y, 0.5));
      const vectors = Array.from({ length: counts.vectors }, (_, j) => k.let(v.add(v.loadVector(v.at(p)), j)));
      const numbers = Array.from({ length: counts.numbers }, (_, j) => k.let(v.add(n, j)));
      const singles = Array.from({ length: counts.floats }, (_, j) => k.let(v.add(v.load(v.at(p, undefined, 4)), j)));
      const masks = Array.from({ length: counts.masks }, (_, j) => k.let(v.lt(v.loadVector(v.at(p)), j)));
      k.loop(0, n, 1, (i) => {
        vectors.forEach((x, j) => k.set(x, v.fma(x, 0.5, v.splat(singles[j % counts.floats]!))));
        numbers.forEach((x, j) => k.set(x, v.add(v.xor(x, i), v.mul(numbers[(j + 1) % counts.numbers]!, 3))));
        k.if(
          v.eq(v.and(i, 1), 1),
          () => {
            const result = k.call(scramble, [vectors[3]!, singles[2]!, numbers[1]!, masks[4]!])!;
            k.set(vectors[0]!, v.mul(result, 0.001));
            k.set(masks[1]!, k.call(flip, [masks[1]!])!);
            k.set(singles[0]!, k.call(half, [singles[0]!])!);
          },
          () => masks.forEach((x, j) => k.set(x, v.xor(x, masks[(j + 1) % counts.masks]!))),
        );
      });
      vectors.forEach((x, j) => k.store(v.at(p, undefined, 1024 + 64 * j), x));
      numbers.forEach((x, j) => k.store(v.at(p, undefined, 8192 + 4 * j), x));
      singles.forEach((x, j) => k.store(v.at(p, undefined, 9216 + 4 * j), x));
      masks.forEach((x, j) => k.store(v.at(p, undefined, 10240 + 64 * j), v.convertToInt(x)));
      return k.let(numbers.reduce<Value>((a, b) => v.xor(a, b), v.i32(0)));
    }, machine);
    const start = Array.from({ length: lanes }, (_, lane) => lane * 0.75 - 1);
    f32.set(start);
    const n = 7;
    const got = run(n);
    const vectors = Array.from({ length: counts.vectors }, (_, j) => start.map((x) => f(x + j)));
    const numbers = Array.from({ length: counts.numbers }, (_, j) => n + j);
    const singles = Array.from({ length: counts.floats }, (_, j) => f(start[1]! + j));
    const masks = Array.from({ length: counts.masks }, (_, j) => start.map((x) => x < j));
    for (let i = 0; i < n; i++) {
      vectors.forEach((x, j) => {
        vectors[j] = x.map((y) => f(y * 0.5 + singles[j % counts.floats]!));
      });
      numbers.forEach((x, j) => {
        numbers[j] = ((x ^ i) + Math.imul(numbers[(j + 1) % counts.numbers]!, 3)) | 0;
      });
      if (i % 2 === 1) {
        vectors[0] = vectors[3]!.map((x, lane) => {
          let sum = 0;
          for (let j = 0; j < 40; j++) sum = f(sum + f(x + j));
          return f((masks[4]![lane] ? f(sum + f(numbers[1]!)) : singles[2]!) * f(0.001));
        });
        masks[1] = masks[1]!.map((x) => !x);
        singles[0] = f(singles[0]! * 0.5);
      } else
        masks.forEach((x, j) => {
          masks[j] = x.map((y, lane) => y !== masks[(j + 1) % counts.masks]![lane]);
        });
    }
    vectors.forEach((x, j) => expect([...f32.subarray(256 + 16 * j, 256 + 16 * j + lanes)], `vector ${j}`).toEqual(x));
    expect([...i32.subarray(2048, 2048 + counts.numbers)]).toEqual(numbers);
    expect([...f32.subarray(2304, 2304 + counts.floats)]).toEqual(singles);
    masks.forEach((x, j) => expect([...i32.subarray(2560 + 16 * j, 2560 + 16 * j + lanes)]).toEqual(x.map(Number)));
    expect(got).toBe(numbers.reduce((a, b) => a ^ b, 0));
  });

  it("while loops and nested conditions", () => {
    const { run } = harness((k, _, n) => {
      const [x, steps] = [k.let(n), k.let(v.i32(0))];
      k.while(v.and(v.ne(x, 1), v.lt(steps, 1000)), () => {
        k.if(
          v.or(v.eq(v.and(x, 1), 0), v.lt(x, 0)),
          () => k.set(x, v.shiftRight(x, 1)),
          () => k.set(x, v.add(v.mul(x, 3), 1)),
        );
        k.set(steps, v.add(steps, 1));
      });
      return steps;
    }, machine);
    expect([1, 2, 7, 27].map((n) => run(n))).toEqual([0, 1, 16, 111]);
  });
});
