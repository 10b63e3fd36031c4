// Vector math against double precision: largest error in units in the last place over sweeps of inputs, and IEEE 754 edge cases.

import { expect, test } from "vitest";
import type { FunctionBuilder } from "../../src/kernels/language/builder.ts";
import type { Value } from "../../src/kernels/language/language.ts";
import * as v from "../../src/kernels/language/values.ts";
import { cosh, exp, expm1, sinh, tanh } from "../../src/kernels/math/exponential.ts";
import { log, log1p, pow, powConstant } from "../../src/kernels/math/logarithm.ts";
import { erf, floatMod, intMod, uniform } from "../../src/kernels/math/special.ts";
import { acos, asin, atan, cos, sin, tan } from "../../src/kernels/math/trigonometry.ts";
import { erf as erfDouble, FUNCTIONS, philox } from "../../src/nest/functions.ts";
import { harness, machine, plainMachine } from "./emitter.ts";

type Two = (k: FunctionBuilder, x: Value, y: Value) => Value;

/** Evaluates over arrays of up to 80 000 pairs, as vectors (machine with and without fma) and as scalars. */
function run(write: Two, xs: Float32Array, ys: Float32Array): { how: string; out: Float32Array }[] {
  const { lanes } = machine;
  const n = Math.ceil(xs.length / lanes) * lanes;
  return [
    { how: "vector", target: machine, wide: true },
    { how: "vector without fma", target: plainMachine, wide: true },
    { how: "scalar", target: machine, wide: false },
  ].map(({ how, target, wide }) => {
    const { f32, run: call } = harness(
      (k, p) => {
        k.loop(0, n, wide ? lanes : 1, (i) => {
          const read = (block: number) => v.loadAs(wide ? "vf32" : "f32", "f32", v.at(p, v.mul(i, 4), block * n * 4));
          k.store(v.at(p, v.mul(i, 4), 2 * n * 4), write(k, k.let(read(0)), k.let(read(1))));
        });
      },
      16,
      target,
    );
    f32.set(xs);
    f32.set(ys, n);
    call();
    return { how, out: f32.slice(2 * n, 2 * n + xs.length) };
  });
}

/** Distance in float32 steps between a result and the exact value. */
function ulps(got: number, exact: number): number {
  const want = Math.fround(exact);
  if (Object.is(got, want) || (Number.isNaN(got) && Number.isNaN(want))) return 0;
  if (!Number.isFinite(got) || !Number.isFinite(want)) return Number.POSITIVE_INFINITY;
  const exponent = Math.max(Math.floor(Math.log2(Math.max(Math.abs(exact), 2 ** -126))), -126);
  return Math.abs(got - exact) / 2 ** (exponent - 23);
}

function sweep(low: number, high: number, count = 9000): number[] {
  return Array.from({ length: count }, (_, i) => Math.fround(low + ((high - low) * (i + 0.37)) / count));
}

/** Numbers of either sign over the whole range of single precision, denormals too: so many of every exponent, and the ends of each. */
function everywhere(perExponent = 24): number[] {
  const bits = new Uint32Array(1);
  const float = new Float32Array(bits.buffer);
  const all: number[] = [];
  let state = 99;
  for (let exponent = 0; exponent < 255; exponent++)
    for (let n = 0; n < perExponent; n++) {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      bits[0] = ((exponent << 23) | (n === 0 ? 0 : n === 1 ? 0x7fffff : state >>> 9)) >>> 0;
      all.push(float[0] as number, -(float[0] as number));
    }
  return all;
}

const edges = [0, -0, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN, 1, -1, 1e-40, -1e-40, 3e38, -3e38];

/** What comes nearest to multiples of π/2 (Muller, "Elementary Functions", 3rd edition, section 11.1), small and large angles. */
const angles = [
  ...[...sweep(-10, 10), ...sweep(-1e5, 1e5), ...sweep(9e4, 3e5, 2000), ...everywhere(60)],
  ...[
    16367173 * 2 ** 72,
    -16367173 * 2 ** 72,
    1e5,
    100000.01,
    1e6,
    1e7,
    2 ** 24,
    3.4028234663852886e38,
    1.5707963267948966,
    8388608 * Math.PI,
  ],
];

/** 4/π · 2¹²⁰⁰ as an integer, by Machin's formula. */
const fourOverPi = (() => {
  const one = 1n << 1300n;
  const arctangent = (n: bigint): bigint => {
    let [sum, term] = [0n, one / n];
    for (let i = 1n; term !== 0n; i += 2n, term /= n * n) sum += i % 4n === 1n ? term / i : -term / i;
    return sum;
  };
  return (1n << 2500n) / (4n * arctangent(5n) - arctangent(239n));
})();

/** even(r) for an even q of |x| = q·π/2 + r, else odd(r); reduced exactly, so that double precision is enough for the rest. */
function turned(x: number, even: (r: number) => number, odd: (r: number) => number): number {
  if (!Number.isFinite(x)) return Number.NaN;
  if (Math.abs(x) < 0.75) return even(x);
  const exponent = Math.floor(Math.log2(Math.abs(x))) - 60;
  const whole = BigInt(Math.abs(x) / 2 ** exponent);
  // Half of 4/π is quarter turns of x, with 1200 bits behind the point.
  const shift = BigInt(exponent);
  const turns = shift >= 0n ? ((whole * fourOverPi) << shift) >> 1n : ((whole * fourOverPi) >> -shift) >> 1n;
  const q = (turns + (1n << 1199n)) >> 1200n;
  const rest = Number((turns - (q << 1200n)) >> 1080n) / 2 ** 120;
  const r = (rest * Math.PI) / 2;
  const quarter = Number(q % 4n);
  const value = quarter % 2 === 0 ? even(r) : odd(r);
  const isTurned = quarter >= 2 && even !== Math.tan;
  const isOdd = even(-0.5) < 0;
  return isTurned !== (isOdd && x < 0) ? -value : value;
}

const functions: [string, (k: FunctionBuilder, x: Value) => Value, (x: number) => number, number[], number][] = [
  [
    "exp",
    exp,
    Math.exp,
    [...sweep(-104.5, 89), ...sweep(-88, -86, 2000), -103.97207, -103.98, -104, -200, ...sweep(-1, 1), ...everywhere()],
    1.5,
  ],
  ["expm1", expm1, Math.expm1, [...sweep(-20, 88.7), ...sweep(-1, 1), ...everywhere()], 2],
  ["log", log, Math.log, [...sweep(0, 10), ...sweep(0.9, 1.1), ...everywhere()], 2],
  ["log1p", log1p, Math.log1p, [...sweep(-0.999, 10), ...sweep(-0.1, 0.1), ...everywhere()], 2],
  ["sin", sin, (x) => turned(x, Math.sin, Math.cos), angles, 2],
  ["cos", cos, (x) => turned(x, Math.cos, (r) => -Math.sin(r)), angles, 2],
  ["tan", tan, (x) => turned(x, Math.tan, (r) => -1 / Math.tan(r)), angles, 4],
  ["asin", asin, Math.asin, [...sweep(-1, 1), ...everywhere()], 2],
  ["acos", acos, Math.acos, [...sweep(-1, 1), ...everywhere()], 2],
  ["atan", atan, Math.atan, [...sweep(-10, 10), ...everywhere()], 2],
  ["sinh", sinh, Math.sinh, [...sweep(-5, 5), ...sweep(-89.4, 89.4), ...everywhere()], 4],
  ["cosh", cosh, Math.cosh, [...sweep(-5, 5), ...sweep(-89.4, 89.4), ...everywhere()], 4],
  ["tanh", tanh, Math.tanh, [...sweep(-12, 12), ...sweep(-1, 1), ...everywhere()], 2],
  ["erf", erf, erfDouble, [...sweep(-5, 5), ...sweep(-1, 1), ...everywhere()], 2],
];

for (const [name, write, exact, inputs, limit] of functions) {
  test(`${name} is within ${limit} ulp, and right at the edges`, () => {
    const xs = Float32Array.from([...edges, ...inputs]);
    for (const { how, out } of run((k, x) => write(k, x), xs, xs)) {
      let worst = { error: -1, x: 0, got: 0, want: 0 };
      xs.forEach((x, i) => {
        const got = out[i]!;
        const want = exact(x);
        const error = ulps(got, want);
        if (error > worst.error) worst = { error, x, got, want };
      });
      if (process.env.SHOW_ULP) console.log(name, how, worst.error.toFixed(3), worst.x);
      expect({ name, how, ...worst, within: worst.error <= limit }).toMatchObject({ within: true });
    }
  });
}

test("erf and tanh end at exactly one, and keep infinities and NaN apart", () => {
  for (const [write, end] of [
    [erf, 4],
    [tanh, 9.3125],
  ] as const) {
    const xs = Float32Array.from([end, end + 0.01, 20, 1e30, Number.POSITIVE_INFINITY].flatMap((x) => [x, -x]));
    for (const { how, out } of run((k, x) => write(k, x), xs, xs))
      expect({ how, out: [...out] }).toEqual({ how, out: [...xs].map(Math.sign) });
  }
});

test("pow is within 2 ulp for positive bases over the whole range, and follows IEEE 754 elsewhere", () => {
  const xs: number[] = [];
  const ys: number[] = [];
  let state = 12345;
  const random = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  for (let i = 0; i < 12000; i++) {
    const x = Math.fround(i % 2 === 0 ? 2 ** (random() * 40 - 20) : 0.5 + random());
    const reach = 125 / Math.max(Math.abs(Math.log2(x)), 1e-3);
    xs.push(x);
    ys.push(Math.fround((random() * 2 - 1) * reach));
  }
  // Any base with an exponent that leaves a number, denormal results too.
  for (const x of everywhere(20)) {
    const base = Math.abs(x);
    const reach = 149 / Math.max(Math.abs(Math.log2(base)), 1e-3);
    xs.push(base);
    ys.push(Math.fround((random() * 2 - 1) * Math.min(reach, 1e30)));
  }
  const special = [
    0,
    -0,
    1,
    -1,
    2,
    -2,
    0.5,
    -0.5,
    3,
    -3,
    1e30,
    -1e30,
    1e-40,
    Number.POSITIVE_INFINITY,
    Number.NEGATIVE_INFINITY,
    Number.NaN,
  ];
  for (const x of special) {
    for (const y of special) {
      // ECMAScript differs from IEEE 754 for (±1)^±∞; either is accepted.
      if (Math.abs(x) === 1 && !Number.isFinite(y)) continue;
      xs.push(Math.fround(x));
      ys.push(Math.fround(y));
    }
  }
  for (const { how, out } of run(pow, Float32Array.from(xs), Float32Array.from(ys))) {
    let worst = { error: -1, x: 0, y: 0, got: 0, want: 0 };
    xs.forEach((x, i) => {
      const want = FUNCTIONS.pow.evaluate(x, ys[i]!, 0, 0);
      const error = ulps(out[i]!, want);
      if (error > worst.error) worst = { error, x, y: ys[i]!, got: out[i]!, want };
    });
    if (process.env.SHOW_ULP) console.log("pow", how, worst);
    expect({ how, ...worst, within: worst.error <= 2 }).toMatchObject({ within: true });
  }
});

test("constant powers are within 2 ulp", () => {
  const xs = Float32Array.from([...sweep(-10, 10, 2000), ...everywhere(4), ...edges]);
  for (const exponent of [0, 1, -1, 0.5, 2, -2, 3, 4, 5, 1.5, -7]) {
    for (const { how, out } of run((k, x) => powConstant(k, x, exponent), xs, xs)) {
      xs.forEach((x, i) => {
        const want = exponent === 0 ? 1 : x ** exponent;
        const near = ulps(out[i]!, want) <= 2;
        expect({ exponent, how, x, got: out[i], want, near }).toMatchObject({ near: true });
      });
    }
  }
});

test("the floored remainder of floats has the sign of the divisor", () => {
  const xs = Float32Array.from([5, -5, 5, -5, 7.5, -0.25, 1e6, 3, 0, -3, 1e20, 2.5, 12345.678, -9.75]);
  const ys = Float32Array.from([3, 3, -3, -3, 2.5, 1, 7, Number.POSITIVE_INFINITY, 2, 3, Number.NaN, -1, 0.1, 0.75]);
  for (const { how, out } of run(floatMod, xs, ys)) {
    xs.forEach((x, i) => {
      const want = FUNCTIONS.mod.evaluate(x, ys[i]!, 0, 0);
      expect({ how, x, y: ys[i], near: ulps(out[i]!, want) <= 1 || Math.abs(out[i]! - want) < 1e-7 }).toMatchObject({ near: true });
    });
  }
});

test("the floored remainder of integers", () => {
  const pairs = [
    [7, 3],
    [-7, 3],
    [7, -3],
    [-7, -3],
    [-2147483648, -1],
    [5, 0],
    [6, 3],
    [-1, 8],
  ] as const;
  // 16 pairs fill the widest machine's vector.
  const block = 64;
  const { i32, run: call } = harness((k, p) => {
    const mod = (type: "i32" | "vi32", i: Value) => {
      const read = (at: number) => v.loadAs(type, "i32", v.at(p, v.mul(i, 4), at));
      return intMod(k, read(0), read(block));
    };
    k.loop(0, 16, 1, (i) => k.store(v.at(p, v.mul(i, 4), 2 * block), mod("i32", i)));
    k.loop(0, 16, machine.lanes, (i) => k.store(v.at(p, v.mul(i, 4), 3 * block), mod("vi32", i)));
    k.store(v.at(p, undefined, 4 * block), intMod(k, v.loadAs("vi32", "i32", v.at(p)), v.i32(4)));
  });
  const twice = [...pairs, ...pairs];
  twice.forEach(([a, b], i) => {
    i32[i] = a;
    i32[16 + i] = b;
  });
  call();
  const want = twice.map(([a, b]) => (b === 0 ? 0 : FUNCTIONS.mod.evaluate(a, b, 0, 0) | 0));
  expect([...i32.subarray(32, 48)]).toEqual(want);
  expect([...i32.subarray(48, 64)]).toEqual(want);
  expect([...i32.subarray(64, 68)]).toEqual([3, 1, 3, 1]);
});

test("uniform equals the reference Philox, as vectors and scalars", () => {
  const { f32, run: call } = harness((k, p) => {
    for (const word of [0, 1]) {
      k.loop(0, 32, machine.lanes, (i) =>
        k.store(v.at(p, v.mul(i, 4), word * 256), uniform(k, v.i32(42), v.i32(-7), v.add(v.laneIndex(machine), i), word)),
      );
      k.loop(0, 32, 1, (i) => k.store(v.at(p, v.mul(i, 4), word * 256 + 128), uniform(k, v.i32(42), v.i32(-7), i, word)));
    }
  });
  call();
  for (const word of [0, 1] as const) {
    const want = Array.from({ length: 32 }, (_, i) => (philox(42, -7, i)[word] >>> 8) * 2 ** -24);
    expect([...f32.subarray(word * 64, word * 64 + 32)]).toEqual(want);
    expect([...f32.subarray(word * 64 + 32, word * 64 + 64)]).toEqual(want);
  }
});
