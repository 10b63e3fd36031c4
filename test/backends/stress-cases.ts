// Helper: random formulas of every kind with random shapes, or one of their gradients.

import type { Formula } from "../../src/formula/ast.ts";
import { normalize } from "../../src/formula/bind/normalize.ts";
import { deriveGradient, gradientName } from "../../src/formula/gradient/derive.ts";
import { parseFormula } from "../../src/formula/parse.ts";
import { evaluateProgram } from "../../src/nest/evaluate.ts";
import type { DType } from "../../src/nest/nest.ts";
import { convolution, convolutionTranspose, einsum } from "../../src/ops/contractions.ts";
import { embedding, gatherAlong, scatterAdd, take } from "../../src/ops/gathers.ts";
import { broadcastTo, concatenate, pad, slice, transpose } from "../../src/ops/moves.ts";
import { averagePool, maxPool } from "../../src/ops/pooling.ts";
import { type Attributes, programOf, type Tensor, tensor } from "../kernels/conformance.ts";
import type { Source } from "../kernels/source.ts";

export interface Case {
  readonly formula: Formula;
  readonly inputs: Readonly<Record<string, Tensor>>;
  readonly attributes: Attributes;
}

type Draw = (source: Source) => Case;

/** Small whole numbers: sums and products of them are exact in float32. */
function whole(shape: readonly number[], dtype: DType, source: Source): Tensor {
  const made = tensor(shape, dtype, undefined, 1 + source.below(1000));
  return dtype === "float32" ? { ...made, data: made.data.map((x) => Math.round(x * 7)) } : made;
}

/** Around the vectors' and tiles' edges, rarely nothing. */
const edges = [15, 16, 17, 18, 31, 32, 33, 47, 48, 49, 63, 64, 65, 100];

function extent(source: Source): number {
  const kind = source.below(40);
  if (kind === 0) return 0;
  return kind < 28 ? 1 + source.below(9) : source.pick(edges);
}

/** Halves the largest until the product is at most `most`. */
function shapeOf(rank: number, source: Source, most = 2500): number[] {
  const shape = Array.from({ length: rank }, () => extent(source));
  while (shape.reduce((product, one) => product * one, 1) > most) {
    const largest = shape.indexOf(Math.max(...shape));
    shape[largest] = Math.ceil(shape[largest]! / 2);
  }
  return shape;
}

const dtypeOf = (source: Source): DType => source.pick(["float32", "float32", "float32", "int32", "uint8"]);

/** The case itself, or (a formula of floats) one of its gradients. */
function orGradient(source: Source, given: Case): Case {
  const names = given.formula.inputs.filter((name) => given.inputs[name]!.dtype === "float32");
  if (names.length === 0 || source.chance(2)) return given;
  const name = source.pick(names);
  const target = given.formula.statements.at(-1)!.target;
  // Of several statements each has a gradient of its own.
  if (normalize(given.formula).statements.some((statement) => statement.target !== target)) return given;
  const { program, arrays, params } = programOf(given.formula, given.inputs, given.attributes);
  const { dtype, shape } = program.buffers[program.result]!;
  if (dtype !== "float32") return given;
  const gradients = deriveGradient(given.formula, name);
  if (gradients.length === 0) return given;
  const output: Tensor = { dtype, shape, data: evaluateProgram(program, arrays, params) };
  return {
    formula: source.pick(gradients),
    inputs: { ...given.inputs, [target]: output, [gradientName(target)]: whole(shape, "float32", source) },
    attributes: { ...given.attributes, resultShape: given.inputs[name]!.shape },
  };
}

const unary = [
  "y = 1 / (1 + exp(-x))",
  "y = max(x, 0)",
  "y = tanh(x) * 2",
  "y = x * x * x - 1",
  "y = float(x > 0)",
  "y = select(x >= 1, x, 0 - x)",
];
const binary = ["y = a + b", "y = a * b - a", "y = max(a, b)", "y = select(a < b, a, b * 2)", "y = a / (1 + b * b)", "y = a == b"];
const ternary = ["y = a * b + c", "y = select(a > b, b, c)", "y = (a - b) * c"];

const map: Draw = (source) => {
  const formula = parseFormula(source.pick([...unary, ...binary, ...ternary]));
  const shape = shapeOf(source.below(5), source, 4000);
  const dtype = dtypeOf(source);
  const inputs = formula.inputs.map((name, position) => {
    const broadcast = position > 0 && source.chance(2);
    const own = broadcast ? shape.map((one) => (source.chance(2) ? 1 : one)).slice(source.below(shape.length + 1)) : shape;
    return [name, whole(own, source.chance(4) ? dtypeOf(source) : dtype, source)] as const;
  });
  return orGradient(source, { formula, inputs: Object.fromEntries(inputs), attributes: {} });
};

const reduce: Draw = (source) => {
  const text = source.pick([
    "y = sum[@axes](x)",
    "y = mean[@axes](x)",
    "y = max[@axes](x)",
    "y = min[@axes](x)",
    "y = argmax[@axes](x)",
    "y = argmin[@axes](x)",
    "y = sum[@axes](x * x) + 1",
    "m = max[@axes](x); y = exp(x - m) / sum[@axes](exp(x - m))",
    "m = mean[@axes](x); y = sum[@axes]((x - m) ^ 2) / count[@axes]",
  ]);
  const shape = shapeOf(1 + source.below(4), source);
  if (source.chance(4)) shape[source.below(shape.length)] = source.pick([130, 257, 300]);
  const axes = shape.map((_, axis) => axis).filter(() => source.chance(2));
  const whole_ = whole(shape, text.includes("exp") ? "float32" : dtypeOf(source), source);
  const given: Case = {
    formula: parseFormula(text),
    inputs: { x: whole_ },
    attributes: { lists: { axes: axes.length > 0 ? axes : [source.below(shape.length)] } },
  };
  return orGradient(source, given);
};

/** Every axis in both operands (batch), one of them, or both but not the result (summed), in any order. */
const product: Draw = (source) => {
  const roles = ["m", "n", "k", ...Array.from({ length: source.below(3) }, () => source.pick(["batch", "m", "n", "k"]))];
  const axes = roles.map((role, number) => ({ role, letter: "abcdef"[number]! }));
  const shape = shapeOf(axes.length, source, 30_000);
  const shuffled = (wanted: readonly string[]) => {
    const letters = axes.filter(({ role }) => wanted.includes(role)).map(({ letter }) => letter);
    for (let i = letters.length - 1; i > 0; i--) {
      const j = source.below(i + 1);
      [letters[i], letters[j]] = [letters[j]!, letters[i]!];
    }
    return letters.join("");
  };
  const [left, right, out] = [shuffled(["batch", "m", "k"]), shuffled(["batch", "n", "k"]), shuffled(["batch", "m", "n"])];
  const shapeFor = (letters: string) => [...letters].map((letter) => shape[axes.findIndex((axis) => axis.letter === letter)]!);
  const { formula } = einsum(`${left},${right}->${out}`);
  const inputs = { x0: whole(shapeFor(left), "float32", source), x1: whole(shapeFor(right), "float32", source) };
  return orGradient(source, { formula, inputs, attributes: {} });
};

const linear: Draw = (source) => {
  const [rows, columns, depth] = shapeOf(3, source, 30_000) as [number, number, number];
  const formula = parseFormula(
    source.pick([
      "y[..., o] = sum[i](x[..., i] * w[o, i]) + b[o]",
      "y[..., o] = max(sum[i](x[..., i] * w[o, i]) + b[o], 0)",
      "y[..., o] = 1 / (1 + exp(0.01 * sum[i](x[..., i] * w[o, i])))",
    ]),
  );
  const inputs = {
    x: whole([...(source.chance(3) ? [] : [rows]), depth], "float32", source),
    w: whole([columns, depth], "float32", source),
    b: whole([columns], "float32", source),
  };
  return orGradient(source, { formula, inputs, attributes: {} });
};

/** Sizes of a window per dimension, and extents of an input that holds at least one of them. */
function windows(dims: number, source: Source) {
  const range = Array.from({ length: dims }, (_, d) => d);
  const kernel = range.map(() => 1 + source.below(4));
  const dilation = range.map(() => (source.chance(4) ? 2 : 1));
  const padding = range.map((d) => source.below(kernel[d]!));
  const stride = range.map(() => source.pick([1, 1, 2, 3]));
  const least = range.map((d) => Math.max(1, (kernel[d]! - 1) * dilation[d]! + 1 - 2 * padding[d]!));
  const input = range.map((d) => least[d]! + (dims === 1 ? source.pick([0, 3, 17, 40, 66]) : source.pick([0, 1, 4, 9, 15])));
  const named = (name: string, list: readonly number[]) => list.map((value, d) => [`${name}${d}`, value] as const);
  const sizes = Object.fromEntries([...named("stride", stride), ...named("dilation", dilation), ...named("padding", padding)]);
  return { kernel, input, sizes, kernelSizes: Object.fromEntries(named("kernel", kernel)) };
}

const convolve: Draw = (source) => {
  const dims = 1 + source.below(2);
  const [bias, grouped] = [source.chance(2), source.chance(4)];
  const { kernel, input, sizes } = windows(dims, source);
  const [batch, inputs, outputs, groups] = [1 + source.below(3), 1 + source.below(6), 1 + source.below(9), 1 + source.below(3)];
  const group = grouped ? [groups] : [];
  if (source.chance(4)) {
    const { formula } = convolutionTranspose(dims, bias, grouped);
    const resultShape = [batch, ...group, outputs, ...input.map((one, d) => (one - 1) * sizes[`stride${d}`]! + kernel[d]!)];
    const named = {
      x: whole([batch, ...group, inputs, ...input], "float32", source),
      w: whole([...group, inputs, outputs, ...kernel], "float32", source),
      b: whole([...group, outputs], "float32", source),
    };
    return { formula, inputs: named, attributes: { sizes, resultShape } };
  }
  const { formula } = convolution(dims, bias, grouped);
  const named = {
    x: whole([batch, ...group, inputs, ...input], "float32", source),
    w: whole([...group, outputs, inputs, ...kernel], "float32", source),
    b: whole([...group, outputs], "float32", source),
  };
  return orGradient(source, { formula, inputs: named, attributes: { sizes } });
};

const contraction: Draw = (source) => source.pick([product, linear, convolve, convolve])(source);

const window: Draw = (source) => {
  const dims = 1 + source.below(2);
  const { input, sizes, kernelSizes } = windows(dims, source);
  const { formula } = source.pick([maxPool(dims), maxPool(dims), averagePool(dims, true), averagePool(dims, false)]);
  const x = whole([1 + source.below(2), 1 + source.below(5), ...input], "float32", source);
  return orGradient(source, { formula, inputs: { x }, attributes: { sizes: { ...sizes, ...kernelSizes } } });
};

const move: Draw = (source) => {
  const rank = 1 + source.below(4);
  const shape = shapeOf(rank, source);
  const x = whole(shape, dtypeOf(source), source);
  const perDimension = (name: string, value: (extent: number, d: number) => number) =>
    Object.fromEntries(shape.map((one, d) => [`${name}${d}`, value(one, d)]));
  const kinds: readonly (() => Case)[] = [
    () => {
      const order = shape.map((_, d) => ({ d, key: source.below(100) })).sort((a, b) => a.key - b.key);
      return { formula: transpose(order.map(({ d }) => d)).formula, inputs: { x }, attributes: {} };
    },
    () => {
      const steps = shape.map(() => source.pick([1, 1, 2, -1, 3]));
      const starts = shape.map((one, d) => (steps[d]! < 0 ? Math.max(0, one - 1) : source.below(2)));
      const extents = shape.map((one, d) => Math.max(0, Math.ceil((one - (steps[d]! < 0 ? 0 : starts[d]!)) / Math.abs(steps[d]!))));
      const sizes = {
        ...perDimension("extent", (_, d) => extents[d]!),
        ...perDimension("step", (_, d) => steps[d]!),
        ...perDimension("start", (_, d) => starts[d]!),
      };
      return { formula: slice(rank).formula, inputs: { x }, attributes: { sizes } };
    },
    () => {
      const sizes = {
        ...perDimension("extent", (one) => Math.max(0, one + source.below(7) - 2)),
        ...perDimension("low", () => source.below(5) - 1),
      };
      return { formula: pad(rank).formula, inputs: { x }, attributes: { sizes, params: { value: 3 } } };
    },
    () => {
      const axis = source.below(rank);
      const pieces = Array.from({ length: 1 + source.below(3) }, () => shape.map((one, d) => (d === axis ? source.below(20) : one)));
      let offset = 0;
      const sizes: Record<string, number> = {};
      pieces.forEach((piece, number) => {
        sizes[`offset${number}`] = offset;
        offset += piece[axis]!;
      });
      const inputs = Object.fromEntries(pieces.map((piece, number) => [`x${number}`, whole(piece, x.dtype, source)]));
      return { formula: concatenate(rank, axis, pieces.length).formula, inputs, attributes: { sizes } };
    },
    () => {
      const own = shape.map((one) => (source.chance(2) ? 1 : one)).slice(source.below(rank));
      return { formula: broadcastTo.formula, inputs: { x: whole(own, x.dtype, source) }, attributes: { resultShape: shape } };
    },
  ];
  const made = source.pick(kinds)();
  return made.formula === broadcastTo.formula ? made : orGradient(source, made);
};

/** Positions in a dimension, some of them outside. */
function positions(shape: readonly number[], extent: number, source: Source): Tensor {
  const { data } = tensor(shape, "int32", undefined, 1 + source.below(1000));
  return { dtype: "int32", shape, data: data.map((value) => (((value + 9) * 7) % (extent + 2)) - 1) };
}

const gather: Draw = (source) => {
  const rank = 1 + source.below(3);
  const shape = shapeOf(rank, source, 1500);
  const axis = source.below(rank);
  const count = extent(source);
  const picked = shape.map((one, d) => (d === axis ? count : one));
  const kinds: readonly (() => Case)[] = [
    () => {
      const [rows, width] = shapeOf(2, source) as [number, number];
      const ids = positions(shapeOf(source.below(3), source, 60), rows, source);
      return { formula: embedding.formula, inputs: { w: whole([rows, width], "float32", source), ids }, attributes: {} };
    },
    () => {
      const inputs = { x: whole(shape, "float32", source), ids: positions(picked, shape[axis]!, source) };
      return { formula: gatherAlong(rank, axis).formula, inputs, attributes: {} };
    },
    () => {
      const inputs = { x: whole(shape, "float32", source), ids: positions([count], shape[axis]!, source) };
      return { formula: take(rank, axis).formula, inputs, attributes: {} };
    },
    () => {
      const inputs = { x: whole(picked, "float32", source), ids: positions([count], shape[axis]!, source) };
      return { formula: scatterAdd(rank, axis).formula, inputs, attributes: { resultShape: shape } };
    },
  ];
  const made = source.pick(kinds)();
  return made.attributes.resultShape === undefined ? orGradient(source, made) : made;
};

export const kinds = { map, reduce, contraction, window, move, gather } as const satisfies Record<string, Draw>;
