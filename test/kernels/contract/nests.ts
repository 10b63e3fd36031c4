// Helper: random sums of products, as fast-check arbitraries.

import fc from "fast-check";
import type { AffineIndex, Axis, Load, Nest, Scalar } from "../../../src/nest/nest.ts";

type Role = "batch" | "m" | "n" | "k";

interface Dimension {
  readonly index: AffineIndex;
  readonly extent: number;
}

const product = (a: Scalar, b: Scalar): Scalar => ({ kind: "call", fn: "mul", args: [a, b], type: "float" });

/** Extents that cross tile and vector edges, now and then 0. */
const extent = fc.oneof(
  { weight: 10, arbitrary: fc.integer({ min: 1, max: 11 }) },
  { weight: 2, arbitrary: fc.integer({ min: 12, max: 40 }) },
  { weight: 1, arbitrary: fc.constant(0) },
);

const axisList = (role: Role, most: number) =>
  fc.array(
    extent.map((count) => ({ role, count })),
    { maxLength: most },
  );

function plain(axis: number, axes: readonly Axis[], flip: boolean): Dimension {
  const count = axes[axis]!.extent;
  const index: AffineIndex = {
    kind: "affine",
    terms: [{ axis, coefficient: flip ? -1 : 1 }],
    offset: flip ? count - 1 : 0,
    divisor: 1,
    checked: count === 0,
  };
  return { index, extent: count };
}

interface Window {
  readonly stride: number;
  readonly dilation: number;
  readonly offset: number;
  readonly divisor: number;
  readonly extent: number;
}

const window: fc.Arbitrary<Window> = fc.record({
  stride: fc.integer({ min: 1, max: 3 }),
  dilation: fc.constantFrom(1, 1, 2, -1, -2),
  offset: fc.integer({ min: -3, max: 6 }),
  divisor: fc.constantFrom(1, 1, 1, 2, 3),
  extent: fc.integer({ min: 1, max: 14 }),
});

function windowed(free: number, reduced: number, w: Window): Dimension {
  const terms = [
    { axis: free, coefficient: w.stride },
    { axis: reduced, coefficient: w.dilation },
  ];
  return { index: { kind: "affine", terms, offset: w.offset, divisor: w.divisor, checked: true }, extent: w.extent };
}

/** Any order of the list, decided by numbers. */
function permuted<T>(list: readonly T[], keys: readonly number[]): T[] {
  return list
    .map((item, position) => ({ item, key: keys[position % keys.length]! + position * 1e-6 }))
    .sort((a, b) => a.key - b.key)
    .map(({ item }) => item);
}

export interface RandomNest {
  readonly nest: Nest;
  readonly params: readonly number[];
}

export const contraction: fc.Arbitrary<RandomNest> = fc
  .record({
    batch: axisList("batch", 2),
    m: axisList("m", 2),
    n: axisList("n", 2),
    k: axisList("k", 2),
    windows: fc.array(window, { minLength: 2, maxLength: 2 }),
    /** Which dimensions of which side become windows over a summed axis. */
    windowed: fc.array(fc.boolean(), { minLength: 2, maxLength: 2 }),
    flips: fc.array(fc.boolean(), { minLength: 5, maxLength: 5 }),
    keys: fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 12, maxLength: 12 }),
    swapped: fc.boolean(),
    scale: fc.constantFrom("none", "constant", "param", "neg"),
    epilogue: fc.constantFrom("none", "none", "relu", "bias", "residual", "position"),
  })
  .map((r): RandomNest => {
    const free = permuted([...r.batch, ...r.m, ...r.n], r.keys);
    const all = [...free, ...r.k];
    const axes: Axis[] = all.map(({ role, count }, position) => ({ name: `${role}${position}`, extent: count }));
    if (r.k.length === 0) axes.push({ name: "once", extent: 1 });
    const of = (role: Role) => all.flatMap((axis, position) => (axis.role === role ? [position] : []));
    const side = (role: "m" | "n", which: number): Dimension[] => {
      const own = of(role);
      const summed = of("k");
      const dimensions = of("batch").map((axis) => plain(axis, axes, r.flips[which]!));
      if (r.windowed[which]! && own.length > 0 && summed.length > 0) {
        dimensions.push(windowed(own[0]!, summed[0]!, r.windows[which]!));
        own.shift();
        summed.shift();
      }
      dimensions.push(...[...own, ...summed].map((axis) => plain(axis, axes, r.flips[2 + which]!)));
      return permuted(dimensions, r.keys.slice(3 * which + 1));
    };
    const operands: { dtype: "float32"; shape: number[] }[] = [];
    const load = (dimensions: readonly Dimension[]): Load => {
      const operand = operands.push({ dtype: "float32", shape: dimensions.map((dimension) => dimension.extent) }) - 1;
      return { kind: "load", operand, index: dimensions.map((dimension) => dimension.index), fill: 0, type: "float" };
    };
    const [left, right] = [load(side("m", 0)), load(side("n", 1))];
    let body = r.swapped ? product(right, left) : product(left, right);
    if (r.scale === "constant") body = product({ kind: "constant", value: -1.5, type: "float" }, body);
    if (r.scale === "param") body = product(body, { kind: "param", param: 0, type: "float" });
    if (r.scale === "neg") body = { kind: "call", fn: "neg", args: [body], type: "float" };
    const out = permuted(
      free.map((_, axis) => plain(axis, axes, r.flips[4]!)),
      r.keys.slice(5),
    );
    const sum: Scalar = { kind: "accumulator", type: "float" };
    const added = (value: Scalar): Scalar => ({ kind: "call", fn: "add", args: [sum, value], type: "float" });
    let epilogue: Scalar | undefined;
    if (r.epilogue === "relu")
      epilogue = { kind: "call", fn: "max", args: [sum, { kind: "constant", value: 0.25, type: "float" }], type: "float" };
    if (r.epilogue === "bias") epilogue = added(load(out.filter((_, d) => r.keys[d % 12]! < 0.5)));
    if (r.epilogue === "residual") epilogue = added(load(permuted(out, r.keys.slice(2))));
    if (r.epilogue === "position") {
      const index: AffineIndex = {
        kind: "affine",
        terms: free.map((_, axis) => ({ axis, coefficient: axis + 1 })),
        offset: 3,
        divisor: 1,
        checked: false,
      };
      epilogue = added({ kind: "call", fn: "float", args: [{ kind: "position", index, type: "int" }], type: "float" });
    }
    const nest: Nest = {
      name: "random contraction",
      operands,
      params: [{ name: "alpha", type: "float" }],
      axes,
      free: free.length,
      reducer: "sum",
      body,
      epilogue,
      output: {
        dtype: "float32",
        shape: out.map((dimension) => dimension.extent),
        index: out.map((dimension) => dimension.index),
        accumulate: false,
      },
    };
    return { nest, params: [0.5] };
  })
  // The reference takes its time.
  .filter(({ nest }) => nest.axes.reduce((steps, axis) => steps * axis.extent, 1) <= 50_000);

/** Small integers: sums are exact in float32, whatever their order. */
export function integers(length: number, seed: number): Float32Array {
  let state = (seed * 2654435761 + 12345) >>> 0;
  return Float32Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state >>> 28) - 7;
  });
}
