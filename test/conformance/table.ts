// The conformance table: for every entry of the catalogue the shapes it is tried on, where its inputs lie, and how exact it must be.

import type { Case, Domain, Input, Tolerance } from "./support.ts";

export interface Spec {
  readonly cases: readonly Case[];
  /** Of the forward result in float32 against float64. */
  readonly forward: Tolerance;
  /** Of gradients in float32 against float64, relative to the root mean square too. Default 64 ulp. */
  readonly gradient?: Tolerance;
  /** No gradient flows to any input. */
  readonly constant?: boolean;
  /** Inputs (all broadcast together) are also given NaN, ±∞, ±0, huge and tiny numbers: pointwise ops. */
  readonly special?: boolean;
  /** Largest finite number among those, and one over the smallest: beyond it single precision has no answer (angles, x³, remainders). */
  readonly largest?: number;
  /** Also tried with int32, uint8 and bool in place of floats: pointwise ops and reductions. */
  readonly integers?: boolean;
}

type Shape = readonly number[];
type Attributes = Case["attributes"];

const any: Domain = { low: -3, high: 3 };
const aside = (...avoid: number[]): Domain => ({ low: -3, high: 3, avoid });
const between = (low: number, high: number, ...avoid: number[]): Domain => ({ low, high, avoid });
const distinct: Domain = { low: -3, high: 3, distinct: true };
const onGrid = (grid: number): Domain => ({ low: -3, high: 3, grid });
const ids = (count: number): Domain => ({ low: 0, high: count, whole: true });

const real = (shape: Shape, domain: Domain = any): Input => ({ shape, dtype: "float", domain });
const whole = (shape: Shape, count: number): Input => ({ shape, dtype: "int32", domain: ids(count) });
const truth = (shape: Shape): Input => ({ shape, dtype: "bool", domain: ids(2) });

/** Shapes, and the axes that are normalized over. */
const NORMALIZED = [
  [[7], [0]],
  [[3, 5], [1]],
  [
    [2, 3, 4],
    [1, 2],
  ],
  [[9, 131], [1]],
  [[2, 64], [1]],
] as const;

const text = (shape: Shape): string => `[${shape.join(",")}]`;
const one = (label: string, inputs: Readonly<Record<string, Input>>, attributes: Attributes = {}, resultShape?: Shape): Case => ({
  label,
  inputs,
  attributes,
  ...(resultShape ? { resultShape } : {}),
});

/** Scalar, empty, one, odd, a whole vector, loops with tails. */
const SHAPES: readonly Shape[] = [[], [0], [2, 0, 3], [1], [7], [3, 5], [4, 16], [2, 3, 4, 5], [1031], [9, 131]];
/** Outer, resampled and inner extent; the new extent, and how many elements each output reads. */
const RESAMPLED = [
  [1, 1, 1, 1, 1],
  [2, 3, 1, 5, 2],
  [3, 5, 4, 3, 3],
  [1, 4, 131, 9, 2],
  [9, 7, 1, 131, 4],
  [0, 3, 2, 2, 2],
] as const;
const BROADCASTS: readonly (readonly [Shape, Shape])[] = [
  [[], []],
  [[0], [0]],
  [[2, 0], [1]],
  [[1], [1]],
  [[7], [7]],
  [[3, 5], [5]],
  [
    [4, 1],
    [1, 3],
  ],
  [[], [6]],
  [[6], []],
  [
    [2, 3, 4],
    [3, 1],
  ],
  [[1031], [1031]],
  [[9, 131], [131]],
  [
    [131, 9],
    [131, 1],
  ],
  [[5, 37], [1]],
];

const unary = (
  domain: Domain = any,
  forward: Tolerance = { ulp: 4 },
  more: Partial<Spec> & { attributes?: Attributes; input?: string } = {},
): Spec => {
  const { attributes = {}, input = "x", ...rest } = more;
  return {
    cases: SHAPES.map((shape) => one(text(shape), { [input]: real(shape, domain) }, attributes)),
    forward,
    special: true,
    integers: true,
    ...rest,
  };
};

const binary = (
  names: readonly [string, string],
  a: Domain = any,
  b: Domain = any,
  forward: Tolerance = { ulp: 1 },
  more: Partial<Spec> & { attributes?: Attributes } = {},
): Spec => {
  const { attributes = {}, ...rest } = more;
  return {
    cases: BROADCASTS.map(([left, right]) =>
      one(`${text(left)} ${text(right)}`, { [names[0]]: real(left, a), [names[1]]: real(right, b) }, attributes),
    ),
    forward,
    special: true,
    integers: true,
    ...rest,
  };
};
const ab = ["a", "b"] as const;
const xt = ["x", "t"] as const;

const REDUCTIONS: readonly (readonly [Shape, Shape])[] = [
  [[], []],
  [[1], [0]],
  [[7], [0]],
  [[5, 7], [0]],
  [[5, 7], [1]],
  [
    [5, 7],
    [0, 1],
  ],
  [[3, 5], []],
  [
    [3, 4, 5],
    [0, 2],
  ],
  [[3, 4, 5], [1]],
  [
    [2, 3, 4, 5],
    [1, 3],
  ],
  [[3, 1031], [1]],
  [[1031, 3], [0]],
  [
    [9, 131],
    [0, 1],
  ],
  [[17, 64], [1]],
  [[64, 17], [0]],
];
const EMPTY_REDUCTIONS: readonly (readonly [Shape, Shape])[] = [
  [[0, 3], [1]],
  [[0, 3], [0]],
  [
    [2, 0],
    [0, 1],
  ],
];
const reduction = (
  domain: Domain,
  forward: Tolerance,
  more: Partial<Spec> & {
    attributes?: Attributes;
    empty?: boolean;
    extra?: (shape: Shape, axes: Shape) => Readonly<Record<string, Input>>;
    atLeast?: number;
  } = {},
): Spec => {
  const { attributes = {}, empty = true, extra = () => ({}), atLeast = 0, ...rest } = more;
  const pairs = (empty ? [...REDUCTIONS, ...EMPTY_REDUCTIONS] : REDUCTIONS).filter(
    ([shape, axes]) => axes.reduce((total, d) => total * (shape[d] as number), 1) >= atLeast,
  );
  return {
    cases: pairs.map(([shape, axes]) =>
      one(`${text(shape)} over ${text(axes)}`, { x: real(shape, domain), ...extra(shape, axes) }, { ...attributes, axes }),
    ),
    forward,
    ...rest,
  };
};

const products: Tolerance = { ulp: 8, terms: true };

interface Window {
  readonly x: Shape;
  readonly kernel: Shape;
  readonly stride?: number;
  readonly padding?: number;
  readonly dilation?: number;
  readonly out: number;
  readonly groups?: number;
  /** Spatial shape of the result where it is not the default: the far side is padded more. */
  readonly to?: Shape;
  readonly extra?: number;
}

const perDimension = (name: string, dims: number, value: number): Record<string, number> =>
  Object.fromEntries(Array.from({ length: dims }, (_, d) => [`${name}${d}`, value]));
const windowAttributes = (dims: number, { stride = 1, padding = 0, dilation = 1 }: Partial<Window>): Record<string, number> => ({
  ...perDimension("stride", dims, stride),
  ...perDimension("dilation", dims, dilation),
  ...perDimension("padding", dims, padding),
});

/** Pointwise, kernel = input, strides that do and do not divide, padding up to the kernel, dilation, asymmetry, batches of none and many channels. */
function windows(dims: number): Window[] {
  const all = (size: number): number[] => Array.from({ length: dims }, () => size);
  const mixed = (...sizes: number[]): number[] => sizes.slice(0, dims);
  const list: Window[] = [
    { x: [1, 1, ...mixed(5, 4, 3)], kernel: all(1), out: 1 },
    { x: [2, 3, ...mixed(5, 4, 3)], kernel: mixed(3, 2, 2), out: 4 },
    { x: [1, 2, ...mixed(4, 3, 2)], kernel: mixed(4, 3, 2), out: 3 },
    { x: [2, 2, ...mixed(6, 5, 4)], kernel: mixed(3, 3, 2), padding: 1, out: 3 },
    { x: [1, 2, ...mixed(7, 5, 4)], kernel: mixed(3, 2, 2), stride: 2, out: 2 },
    { x: [1, 2, ...mixed(7, 6, 5)], kernel: mixed(3, 3, 3), stride: 2, padding: 1, out: 2 },
    { x: [1, 2, ...mixed(8, 7, 4)], kernel: mixed(2, 2, 1), stride: 3, out: 2 },
    { x: [1, 2, ...mixed(7, 6, 5)], kernel: mixed(3, 2, 2), dilation: 2, padding: 2, out: 2 },
    { x: [1, 1, ...mixed(8, 7, 6)], kernel: mixed(3, 3, 2), dilation: 2, stride: 2, padding: 1, out: 2 },
    { x: [1, 1, ...mixed(3, 3, 2)], kernel: mixed(3, 2, 2), padding: 3, out: 2 },
    { x: [1, 2, ...mixed(5, 6, 4)], kernel: mixed(2, 4, 2), out: 2, to: mixed(5, 6, 4) },
    { x: [0, 2, ...mixed(5, 4, 3)], kernel: mixed(2, 2, 2), out: 3 },
  ];
  if (dims === 1)
    list.push({ x: [2, 5, 67], kernel: [5], padding: 2, out: 19 }, { x: [1, 8, 131], kernel: [4], stride: 2, padding: 1, out: 9 });
  if (dims === 2)
    list.push(
      { x: [2, 7, 9, 11], kernel: [3, 3], padding: 1, out: 9 },
      { x: [1, 9, 10, 10], kernel: [5, 5], stride: 2, padding: 2, out: 17 },
      { x: [1, 3, 18, 23], kernel: [3, 3], out: 8 },
    );
  if (dims === 3) list.push({ x: [1, 3, 5, 6, 7], kernel: [3, 3, 3], padding: 1, out: 5 });
  return list;
}

const windowLabel = ({ x, kernel, stride = 1, padding = 0, dilation = 1, to }: Window): string =>
  `x ${text(x)} kernel ${text(kernel)} stride ${stride} padding ${padding} dilation ${dilation}${to ? ` to ${text(to)}` : ""}`;

function convolution(dims: number, bias: boolean, groups = 1): Spec {
  return {
    forward: products,
    cases: windows(dims).map((window) => {
      const [batch, channels, ...spatial] = window.x as [number, number, ...number[]];
      const group = groups > 1 ? [groups] : [];
      const inputs = {
        x: real([batch, ...group, channels, ...spatial]),
        w: real([...group, window.out, channels, ...window.kernel]),
        ...(bias ? { b: real([...group, window.out]) } : {}),
      };
      return one(windowLabel(window), inputs, windowAttributes(dims, window), window.to && [batch, ...group, window.out, ...window.to]);
    }),
  };
}

/** Larger than a tile, yet small enough for the reference, which tries every tap at every place. */
function largeTransposed(dims: number): Window[] {
  if (dims === 1) return [{ x: [2, 9, 37], kernel: [4], stride: 2, padding: 1, out: 17 }];
  return dims === 2 ? [{ x: [1, 9, 7, 9], kernel: [3, 3], stride: 2, padding: 1, out: 10 }] : [];
}

function convolutionTranspose(dims: number, bias: boolean, groups = 1): Spec {
  return {
    forward: products,
    cases: [
      ...windows(dims).filter(({ x, to }) => to === undefined && (x[1] as number) <= 3 && (x[x.length - 1] as number) < 12),
      ...largeTransposed(dims),
    ].flatMap((window) => {
      const { kernel, stride = 1, padding = 0, dilation = 1, out } = window;
      const [batch, channels, ...spatial] = window.x as [number, number, ...number[]];
      const group = groups > 1 ? [groups] : [];
      const inputs = {
        x: real([batch, ...group, channels, ...spatial]),
        w: real([...group, channels, out, ...kernel]),
        ...(bias ? { b: real([...group, out]) } : {}),
      };
      return (stride > 1 ? [0, 1] : [0]).flatMap((extra) => {
        const counts = spatial.map((size, d) => (size - 1) * stride - 2 * padding + dilation * ((kernel[d] as number) - 1) + 1 + extra);
        if (counts.some((count) => count < 1)) return [];
        return [one(`${windowLabel(window)} extra ${extra}`, inputs, windowAttributes(dims, window), [batch, ...group, out, ...counts])];
      });
    }),
  };
}

/** Windows of pooling: overlapping, gaps, padding, dilation, one that reaches past the end (ceil mode), kernel = input, kernel 1. */
function pooling(dims: number, domain: Domain, forward: Tolerance): Spec {
  const mixed = (...sizes: number[]): number[] => sizes.slice(0, dims);
  const list: (Partial<Window> & { x: Shape; kernel: Shape })[] = [
    { x: [1, 1, ...mixed(4, 5, 3)], kernel: mixed(1, 1, 1) },
    { x: [2, 3, ...mixed(4, 6, 4)], kernel: mixed(2, 2, 2), stride: 2 },
    { x: [1, 2, ...mixed(4, 5, 3)], kernel: mixed(4, 5, 3) },
    { x: [1, 2, ...mixed(6, 5, 4)], kernel: mixed(3, 3, 2), stride: 1 },
    { x: [1, 2, ...mixed(7, 6, 5)], kernel: mixed(3, 3, 3), stride: 2, padding: 1 },
    { x: [1, 2, ...mixed(8, 9, 5)], kernel: mixed(2, 2, 2), stride: 3 },
    { x: [1, 2, ...mixed(7, 8, 5)], kernel: mixed(3, 2, 2), dilation: 2 },
    { x: [1, 2, ...mixed(5, 5, 5)], kernel: mixed(2, 2, 2), stride: 2, to: mixed(3, 3, 3) },
    { x: [1, 2, ...mixed(5, 7, 5)], kernel: mixed(3, 3, 3), stride: 2, padding: 1, to: mixed(3, 4, 3) },
    { x: [0, 2, ...mixed(4, 4, 4)], kernel: mixed(2, 2, 2), stride: 2 },
  ];
  if (dims === 2) list.push({ x: [2, 5, 18, 35], kernel: [2, 2], stride: 2 }, { x: [1, 3, 17, 33], kernel: [3, 3], stride: 2, padding: 1 });
  if (dims === 1) list.push({ x: [3, 5, 131], kernel: [3], stride: 2, padding: 1 });
  return {
    forward,
    cases: list.map(({ x, kernel, stride = 1, padding = 0, dilation = 1, to }) => {
      const attributes = {
        ...windowAttributes(dims, { stride, padding, dilation }),
        ...Object.fromEntries(kernel.map((size, d) => [`kernel${d}`, size])),
      };
      return one(
        windowLabel({ x, kernel, stride, padding, dilation, out: 1, ...(to ? { to } : {}) }),
        { x: real(x, domain) },
        attributes,
        to && [...x.slice(0, 2), ...to],
      );
    }),
  };
}

const sums = (list: readonly (readonly [label: string, inputs: Readonly<Record<string, Input>>])[]): Spec => ({
  forward: products,
  cases: list.map(([label, inputs]) => one(label, inputs)),
});
const MATMULS: readonly (readonly [Shape, Shape])[] = [
  [
    [1, 1],
    [1, 1],
  ],
  [
    [2, 3],
    [3, 4],
  ],
  [
    [1, 5],
    [5, 1],
  ],
  [
    [5, 1],
    [1, 5],
  ],
  [
    [7, 13],
    [13, 5],
  ],
  [
    [2, 0],
    [0, 3],
  ],
  [
    [0, 3],
    [3, 2],
  ],
  [
    [3, 2, 4],
    [3, 4, 5],
  ],
  [
    [2, 1, 3, 4],
    [5, 4, 2],
  ],
  [
    [4, 3],
    [2, 3, 5],
  ],
  [
    [61, 67],
    [67, 71],
  ],
  [
    [4, 300],
    [300, 8],
  ],
  [
    [17, 16],
    [16, 33],
  ],
  [
    [1, 1031],
    [1031, 3],
  ],
  [
    [0, 2, 3],
    [0, 3, 2],
  ],
];
const LINEARS: readonly (readonly [Shape, number])[] = [
  [[3], 2],
  [[1, 1], 1],
  [[2, 3], 4],
  [[5, 7], 3],
  [[0, 3], 2],
  [[2, 3, 5], 4],
  [[1, 131], 1],
  [[33, 65], 17],
  [[64, 20], 10],
];
const weightsOf = (x: Shape, out: number): Record<string, Input> => ({ x: real(x), w: real([out, x[x.length - 1] as number]) });

const step =
  (...inputs: readonly (readonly [name: string, domain: Domain])[]) =>
  (attributes: Attributes, more: Partial<Spec> = {}): Spec => ({
    cases: SHAPES.map((shape) =>
      one(text(shape), Object.fromEntries(inputs.map(([name, domain]) => [name, real(shape, domain)])), attributes),
    ),
    forward: { ulp: 4, floor: 1 },
    special: true,
    ...more,
  });

const compared = (): Spec => binary(ab, { low: -3, high: 3, grid: 0 }, { low: -3, high: 3, grid: 0 }, { ulp: 0 }, { constant: true });
const rounded = (): Spec => unary(aside(-3, -2.5, -2, -1.5, -1, -0.5, 0, 0.5, 1, 1.5, 2, 2.5, 3), { ulp: 0 }, { constant: true });
const drawn = (attributes: Attributes): Spec => ({
  forward: { ulp: 0 },
  constant: true,
  cases: SHAPES.map((shape) => one(text(shape), {}, { seed: 12345, stream: 7, ...attributes }, shape)),
});

export const table: Readonly<Record<string, Spec>> = {
  add: binary(ab),
  sub: binary(ab),
  mul: binary(ab),
  div: binary(ab, any, aside(0), { ulp: 1 }),
  // Where the quotient is whole the remainder jumps: here it stays between 2.2 and 2.94.
  mod: binary(ab, between(4.2, 4.4), between(1.5, 1.9), { ulp: 4, floor: 4 }, { largest: 1e4 }),
  pow: binary(ab, between(0.2, 3), any, { ulp: 32 }),
  minimum: binary(ab, onGrid(0), onGrid(0.05), { ulp: 0 }),
  maximum: binary(ab, onGrid(0), onGrid(0.05), { ulp: 0 }),
  neg: unary(any, { ulp: 0 }),
  abs: unary(aside(0), { ulp: 0 }),
  sign: unary(aside(0), { ulp: 0 }, { constant: true }),
  square: unary(any, { ulp: 1 }),
  sqrt: unary(between(0.1, 4), { ulp: 1 }),
  rsqrt: unary(between(0.1, 4), { ulp: 2 }),
  reciprocal: unary(aside(0), { ulp: 1 }),
  exp: unary(),
  expm1: unary(),
  log: unary(between(0.1, 4), { ulp: 4 }),
  log1p: unary(between(-0.8, 3)),
  log2: unary(between(0.1, 4)),
  sin: unary(any, { ulp: 4 }),
  cos: unary(any, { ulp: 4, floor: 0.1 }),
  tan: unary(between(-1.3, 1.3), { ulp: 8 }),
  asin: unary(between(-0.9, 0.9)),
  acos: unary(between(-0.9, 0.9)),
  atan: unary(),
  sinh: unary(any, { ulp: 8 }),
  cosh: unary(),
  erf: unary(any, { ulp: 8 }),
  floor: rounded(),
  ceil: rounded(),
  round: rounded(),
  trunc: rounded(),
  clip: unary(aside(-1, 1), { ulp: 0 }, { attributes: { low: -1, high: 1 } }),
  less: compared(),
  lessEqual: compared(),
  greater: compared(),
  greaterEqual: compared(),
  equal: compared(),
  notEqual: compared(),
  logicalAnd: compared(),
  logicalOr: compared(),
  logicalNot: unary({ low: -1, high: 1, grid: 0 }, { ulp: 0 }, { constant: true }),
  isNaN: unary(any, { ulp: 0 }, { constant: true }),
  isFinite: unary(any, { ulp: 0 }, { constant: true }),
  select: {
    forward: { ulp: 0 },
    special: true,
    cases: BROADCASTS.map(([a, b]) => one(`${text(a)} ${text(b)}`, { condition: truth(a), a: real(a), b: real(b) })),
  },
  toFloat: unary(any, { ulp: 0 }),
  toInt: unary(aside(-3, -2, -1, 0, 1, 2, 3), { ulp: 0 }, { constant: true }),
  toBool: unary(aside(0), { ulp: 0 }, { constant: true }),

  sigmoid: unary(),
  tanh: unary(),
  relu: unary(aside(0), { ulp: 0 }),
  leakyRelu: unary(aside(0), { ulp: 1 }, { attributes: { slope: 0.1 } }),
  relu6: unary(between(-3, 9, 0, 6), { ulp: 0 }),
  elu: unary(aside(0), { ulp: 4 }, { attributes: { alpha: 1.5 } }),
  selu: unary(aside(0)),
  gelu: unary(any, { ulp: 8, floor: 1 }),
  geluTanh: unary(any, { ulp: 8, floor: 1 }, { largest: 1e10 }),
  silu: unary(),
  softplus: unary(any, { ulp: 8 }),
  softsign: unary(aside(0), { ulp: 4 }),
  logSigmoid: unary(any, { ulp: 8 }),
  hardtanh: unary(aside(-1, 0.5), { ulp: 0 }, { attributes: { low: -1, high: 0.5 } }),
  hardSigmoid: unary(between(-5, 5, -3, 3), { ulp: 2, floor: 0.5 }),
  hardSwish: unary(between(-5, 5, -3, 3), { ulp: 4, floor: 0.5 }),
  mish: unary(any, { ulp: 8, floor: 0.5 }),
  prelu: binary(["x", "slope"], aside(0)),
  softmax: reduction(any, { ulp: 32 }, { gradient: { ulp: 128 } }),
  logSoftmax: reduction(any, { ulp: 32, floor: 1 }, { gradient: { ulp: 128 } }),

  causalMask: { forward: { ulp: 0 }, constant: true, cases: [0, 1, 5, 33].map((extent) => one(String(extent), {}, { extent })) },
  maskedSoftmax: {
    forward: { ulp: 32 },
    gradient: { ulp: 128 },
    cases: (
      [
        [[7], [7]],
        [
          [3, 5],
          [3, 5],
        ],
        [[4, 33], [33]],
        [
          [2, 3, 4, 17],
          [4, 17],
        ],
        [
          [2, 3, 131],
          [2, 1, 131],
        ],
        [
          [9, 1],
          [9, 1],
        ],
        [[0, 4], [4]],
      ] as const
    ).map(([shape, mask]) => one(`${text(shape)} by ${text(mask)}`, { mask: truth(mask), x: real(shape) }, { axes: [-1] })),
  },

  sum: reduction(any, { ulp: 8, terms: true }, { integers: true }),
  mean: reduction(any, { ulp: 8, terms: true }, { integers: true }),
  prod: reduction(between(0.8, 1.2), { ulp: 2048 }, { gradient: { ulp: 4096 }, integers: true }),
  max: reduction(distinct, { ulp: 0 }, { integers: true }),
  min: reduction(distinct, { ulp: 0 }, { integers: true }),
  argmax: reduction(distinct, { ulp: 0 }, { constant: true, integers: true }),
  argmin: reduction(distinct, { ulp: 0 }, { constant: true, integers: true }),
  variance: reduction(any, { ulp: 64, floor: 1 }, { attributes: { correction: 1 }, atLeast: 2, empty: false }),
  std: reduction(any, { ulp: 64, floor: 1 }, { attributes: { correction: 1 }, atLeast: 2, empty: false }),
  norm: reduction(any, { ulp: 16, terms: true }),
  logSumExp: reduction(any, { ulp: 16, floor: 1 }, { empty: false }),

  finiteSum: reduction(any, { ulp: 8, terms: true }, { extra: () => ({ shift: real([]) }) }),
  finiteSquares: reduction(any, { ulp: 16, terms: true }, { extra: () => ({ shift: real([]) }) }),
  finiteMin: reduction(distinct, { ulp: 0 }),
  finiteMax: reduction(distinct, { ulp: 0 }),
  countZeros: reduction(onGrid(1), { ulp: 0 }, { constant: true }),
  countNaN: reduction(any, { ulp: 0 }, { constant: true }),
  countFinite: reduction(any, { ulp: 0 }, { constant: true }),
  countOutside: reduction(onGrid(0.5), { ulp: 0 }, { constant: true, attributes: { low: -1, high: 1.5 } }),
  histogram: {
    forward: { ulp: 0 },
    constant: true,
    cases: ([[7], [3, 5], [0], [2, 3, 4, 5], [1031], [9, 131]] as const).map((shape) =>
      one(text(shape), { x: real(shape, onGrid(0.25)), low: real([], between(-2, -2)), scale: real([], between(2, 2)) }, { bins: 9 }),
    ),
  },

  matmul: sums(MATMULS.map(([a, b]) => [`${text(a)} ${text(b)}`, { a: real(a), b: real(b) }] as const)),
  linear: sums(LINEARS.map(([x, out]) => [`${text(x)} to ${out}`, weightsOf(x, out)] as const)),
  linearBias: sums(LINEARS.map(([x, out]) => [`${text(x)} to ${out}`, { ...weightsOf(x, out), b: real([out]) }] as const)),
  einsum: sums(
    [
      [1, 1, 1, 1],
      [2, 3, 4, 5],
      [0, 2, 3, 2],
      [3, 17, 9, 13],
      [2, 3, 0, 2],
    ].map(([b, i, j, k]) => [`${b} ${i} ${j} ${k}`, { x0: real([b, i, j] as Shape), x1: real([b, j, k] as Shape) }] as const),
  ),
  einsumTrace: sums([1, 3, 37].map((n) => [`${n}`, { x0: real([n, n]) }] as const)),
  einsumOuter: sums(
    [
      [1, 1],
      [3, 5],
      [37, 41],
      [0, 3],
    ].map(([m, n]) => [`${m} ${n}`, { x0: real([m as number]), x1: real([n as number]) }] as const),
  ),
  einsumEllipsis: sums(
    [
      [
        [2, 3],
        [4, 3],
      ],
      [
        [5, 2, 3],
        [4, 3],
      ],
      [
        [2, 3, 9, 17],
        [33, 17],
      ],
      [
        [0, 2, 3],
        [4, 3],
      ],
    ].map(([a, b]) => [`${text(a as Shape)} ${text(b as Shape)}`, { x0: real(a as Shape), x1: real(b as Shape) }] as const),
  ),
  conv1d: convolution(1, false),
  conv2d: convolution(2, false),
  conv3d: convolution(3, false),
  conv1dBias: convolution(1, true),
  conv2dBias: convolution(2, true),
  conv3dBias: convolution(3, true),
  conv2dGrouped: convolution(2, false, 2),
  conv1dGroupedBias: convolution(1, true, 3),
  convTranspose1d: convolutionTranspose(1, false),
  convTranspose2d: convolutionTranspose(2, false),
  convTranspose3d: convolutionTranspose(3, false),
  convTranspose2dBias: convolutionTranspose(2, true),
  convTranspose1dGrouped: convolutionTranspose(1, false, 2),

  maxPool1d: pooling(1, distinct, { ulp: 0 }),
  maxPool2d: pooling(2, distinct, { ulp: 0 }),
  maxPool3d: pooling(3, distinct, { ulp: 0 }),
  averagePool1d: pooling(1, any, { ulp: 8, floor: 1 }),
  averagePool2d: pooling(2, any, { ulp: 8, floor: 1 }),
  averagePool3d: pooling(3, any, { ulp: 8, floor: 1 }),
  averagePool2dInside: pooling(2, any, { ulp: 8, floor: 1 }),

  normalize: {
    forward: { ulp: 8, floor: 1 },
    cases: [
      [[3], []],
      [[5, 7], [7]],
      [
        [2, 3, 4, 5],
        [3, 1, 1],
      ],
      [[9, 131], [131]],
      [[0, 3], [3]],
    ].map(([x, s]) => {
      const like = real(s as Shape);
      return one(
        `${text(x as Shape)} ${text(s as Shape)}`,
        { x: real(x as Shape), mean: like, variance: real(s as Shape, between(0.2, 2)), weight: like, bias: like },
        { epsilon: 1e-3 },
      );
    }),
  },
  layerNorm: {
    forward: { ulp: 64, floor: 1 },
    gradient: { ulp: 512 },
    cases: NORMALIZED.map(([x, axes]) => {
      const like = real(x.slice(axes[0]));
      return one(`${text(x)} over ${text(axes)}`, { x: real(x), weight: like, bias: like }, { axes, epsilon: 1e-3 });
    }),
  },
  rmsNorm: {
    forward: { ulp: 32, floor: 1 },
    gradient: { ulp: 256 },
    cases: NORMALIZED.map(([x, axes]) =>
      one(`${text(x)} over ${text(axes)}`, { x: real(x), weight: real(x.slice(axes[0])) }, { axes, epsilon: 1e-3 }),
    ),
  },
  localResponseNorm: {
    forward: { ulp: 32, floor: 1 },
    gradient: { ulp: 256 },
    cases: [
      [1, 1, 1, 1],
      [2, 5, 3, 3],
      [1, 7, 4, 2],
      [2, 3, 131, 5],
    ].map(([n, channels, s, size]) =>
      one(
        `${n} ${channels} ${s} by ${size}`,
        { x: real([n as number, channels as number, s as number]) },
        { size: size as number, before: (size as number) >> 1, channels: channels as number, alpha: 0.5, beta: 0.75, bias: 2 },
      ),
    ),
  },

  resample: {
    forward: { ulp: 8, floor: 1, terms: true },
    cases: RESAMPLED.map(([a, extent, s, out, taps]) =>
      one(`${a} ${extent} ${s} to ${out} by ${taps}`, {
        x: real([a, extent, s]),
        ids: whole([out, taps], extent),
        w: real([out, taps]),
      }),
    ),
  },
  resampleMax: {
    forward: { ulp: 0 },
    cases: RESAMPLED.map(([a, extent, s, out, taps]) =>
      one(`${a} ${extent} ${s} to ${out} by ${taps}`, { x: real([a, extent, s], distinct), ids: whole([out, taps], extent) }),
    ),
  },

  squaredError: binary(xt, any, any, { ulp: 4 }),
  absoluteError: binary(xt, onGrid(0), onGrid(0.05), { ulp: 1 }),
  huber: binary(xt, onGrid(0), onGrid(0.05), { ulp: 4 }, { attributes: { delta: 1 } }),
  crossEntropy: {
    forward: { ulp: 32, floor: 1 },
    gradient: { ulp: 256 },
    cases: [
      [1, 1],
      [3, 5],
      [7, 10],
      [0, 3],
      [33, 131],
    ].map(([n, c]) => one(`${n} ${c}`, { x: real([n as number, c as number]), t: whole([n as number], c as number) })),
  },
  crossEntropyProbabilities: {
    forward: { ulp: 64, floor: 4 },
    gradient: { ulp: 256 },
    cases: [
      [1, 1],
      [3, 5],
      [7, 10],
      [0, 3],
      [33, 131],
    ].map(([n, c]) => one(`${n} ${c}`, { x: real([n as number, c as number]), t: real([n as number, c as number], between(0, 1)) })),
  },
  binaryCrossEntropyLogits: binary(xt, aside(0), between(0, 1), { ulp: 8, floor: 1 }),
  binaryCrossEntropy: binary(xt, between(0.1, 0.9), between(0, 1), { ulp: 16, floor: 0.5 }, { special: false }),
  negativeLogLikelihood: {
    forward: { ulp: 0 },
    cases: [
      [1, 1],
      [3, 5],
      [0, 3],
      [33, 131],
    ].map(([n, c]) => one(`${n} ${c}`, { x: real([n as number, c as number]), t: whole([n as number], c as number) })),
  },

  reshape: {
    forward: { ulp: 0 },
    cases: (
      [
        [[], [1, 1]],
        [[6], [2, 3]],
        [
          [2, 3, 4],
          [4, 6],
        ],
        [
          [0, 3],
          [3, 0, 2],
        ],
        [[1031], [1031, 1]],
      ] as const
    ).map(([from, to]) => one(`${text(from)} to ${text(to)}`, { x: real(from) }, {}, to)),
  },
  broadcastTo: {
    forward: { ulp: 0 },
    cases: (
      [
        [[], [3]],
        [[1], [4]],
        [[3], [2, 3]],
        [
          [3, 1],
          [3, 5],
        ],
        [
          [2, 1, 3],
          [4, 2, 5, 3],
        ],
        [
          [1, 131],
          [9, 131],
        ],
        [
          [131, 1],
          [131, 9],
        ],
        [
          [1, 0],
          [2, 0],
        ],
        [[1], [0]],
        [
          [2, 3],
          [2, 3],
        ],
      ] as const
    ).map(([from, to]) => one(`${text(from)} to ${text(to)}`, { x: real(from) }, {}, to)),
  },
  copy: unary(any, { ulp: 0 }),
  transpose: {
    forward: { ulp: 0 },
    cases: [
      [1, 1],
      [2, 3],
      [5, 7],
      [0, 3],
      [1, 131],
      [131, 9],
      [64, 64],
    ].map((shape) => one(text(shape), { x: real(shape) })),
  },
  transposeCycle: {
    forward: { ulp: 0 },
    cases: [
      [1, 1, 1],
      [2, 3, 4],
      [3, 0, 2],
      [7, 9, 17],
    ].map((shape) => one(text(shape), { x: real(shape) })),
  },
  slice: {
    forward: { ulp: 0 },
    cases: (
      [
        [
          [3, 4],
          [0, 2, 2],
          [3, -1, 4],
        ],
        [
          [5, 7],
          [1, 1, 3],
          [0, 3, 3],
        ],
        [
          [5, 7],
          [4, -2, 3],
          [6, -3, 2],
        ],
        [
          [5, 7],
          [2, 1, 0],
          [0, 1, 7],
        ],
        [
          [9, 131],
          [0, 1, 9],
          [1, 1, 129],
        ],
        [
          [40, 33],
          [39, -1, 40],
          [0, 2, 17],
        ],
      ] as const
    ).map(([shape, [start0, step0, extent0], [start1, step1, extent1]]) =>
      one(
        `${text(shape)} from ${start0},${start1} by ${step0},${step1}`,
        { x: real(shape) },
        { start0, step0, extent0, start1, step1, extent1 },
      ),
    ),
  },
  pad: {
    forward: { ulp: 0 },
    cases: [
      [3, 1, 6, 0],
      [3, 0, 3, 5],
      [5, -1, 3, 0],
      [5, -2, 9, 1.5],
      [0, 2, 4, -1],
      [130, 1, 133, 0],
      [1, 0, 1, 0],
    ].map(([size, low0, extent0, value]) =>
      one(
        `${size} low ${low0} to ${extent0}`,
        { x: real([size as number]) },
        { low0: low0 as number, extent0: extent0 as number, value: value as number },
      ),
    ),
  },
  concatenate: {
    forward: { ulp: 0 },
    cases: [
      [1, 2, 1],
      [2, 3, 5],
      [0, 3, 2],
      [3, 0, 2],
      [9, 17, 131],
    ].map(([m, n, columns]) =>
      one(
        `${m} and ${n} rows of ${columns}`,
        { x0: real([m as number, columns as number]), x1: real([n as number, columns as number]) },
        { offset0: 0, offset1: m as number },
        [(m as number) + (n as number), columns as number],
      ),
    ),
  },

  embedding: {
    forward: { ulp: 0 },
    cases: (
      [
        [[3, 2], [2]],
        [
          [5, 7],
          [3, 4],
        ],
        [[5, 7], []],
        [[4, 3], [0]],
        [[11, 33], [50]],
        [[7, 131], [9]],
      ] as const
    ).map(([w, i]) => one(`${text(w)} at ${text(i)}`, { w: real(w), ids: whole(i, w[0]) })),
  },
  oneHot: {
    forward: { ulp: 0 },
    constant: true,
    cases: [[], [3], [2, 3], [0], [33]].map((shape) => one(text(shape), { ids: whole(shape, 5) }, { classes: 5 })),
  },
  gather: {
    forward: { ulp: 0 },
    cases: (
      [
        [
          [2, 3],
          [2, 2],
        ],
        [
          [5, 7],
          [5, 9],
        ],
        [
          [3, 4],
          [3, 0],
        ],
        [
          [9, 131],
          [9, 40],
        ],
      ] as const
    ).map(([x, i]) => one(`${text(x)} at ${text(i)}`, { x: real(x), ids: whole(i, x[1]) })),
  },
  take: {
    forward: { ulp: 0 },
    cases: (
      [
        [[3, 2], 2],
        [[5, 7], 9],
        [[4, 3], 0],
        [[11, 131], 20],
      ] as const
    ).map(([x, count]) => one(`${text(x)} at ${count}`, { x: real(x), ids: whole([count], x[0]) })),
  },
  scatterAdd: {
    forward: { ulp: 8, floor: 4 },
    cases: (
      [
        [[3, 2], 2],
        [[9, 7], 3],
        [[0, 3], 4],
        [[40, 131], 11],
      ] as const
    ).map(([x, count]) => one(`${text(x)} into ${count}`, { ids: whole([x[0]], count), x: real(x) }, {}, [count, x[1]])),
  },

  randomUniform: drawn({}),
  randomNormal: { ...drawn({ mean: 1, deviation: 2 }), forward: { ulp: 16, floor: 2 } },
  randomBernoulli: drawn({ probability: 0.3 }),
  randomInteger: drawn({ low: -4, span: 13 }),
  randomIntegerOfMany: drawn({ low: -4, coarse: 3000, fine: 17 }),
  dropout: { forward: { ulp: 1 }, cases: SHAPES.map((shape) => one(text(shape), { x: real(shape) }, { seed: 5, stream: 3, keep: 0.7 })) },
  channelDropout: {
    forward: { ulp: 1 },
    cases: [
      [1, 1],
      [3, 5],
      [2, 3, 7],
      [4, 16, 3, 5],
      [2, 0, 3],
      [9, 131, 2],
    ].map((shape) => one(text(shape), { x: real(shape) }, { seed: 5, stream: 3, keep: 0.7 })),
  },
  alphaDropout: {
    forward: { ulp: 8, floor: 1 },
    cases: SHAPES.map((shape) => one(text(shape), { x: real(shape) }, { seed: 5, stream: 3, keep: 0.7 })),
  },

  sgd: step(["w", any], ["g", any])({ rate: 0.1 }),
  sgdDecay: step(["w", any], ["g", any])({ rate: 0.1, decay: 0.01 }),
  sgdVelocity: step(["v", any], ["g", any], ["w", any])({ momentum: 0.9, dampening: 0.1, decay: 0.01 }),
  sgdMomentum: step(["w", any], ["v", any])({ rate: 0.1 }),
  sgdNesterov: step(["w", any], ["g", any], ["v", any])({ rate: 0.1, momentum: 0.9, decay: 0.01 }),
  adamFirst: step(["m", any], ["g", any], ["w", any])({ beta1: 0.9, fresh1: 0.1, decay: 0.01 }),
  adamSecond: step(["s", between(0.1, 1)], ["g", any], ["w", any])({ beta2: 0.99, fresh2: 0.01, decay: 0.01 }),
  adamStep: step(
    ["w", any],
    ["m", any],
    ["s", between(0.1, 1)],
  )({ rate: 0.1, shrink: 0.01, correction1: 0.5, correction2: 0.3, epsilon: 1e-8 }),
  squaresSum: step(["s", between(0.1, 1)], ["g", any], ["w", any])({ decay: 0.01 }),
  rmsDirection: step(["g", any], ["w", any], ["s", between(0.1, 1)])({ decay: 0.01, epsilon: 1e-8 }),
  rmsVariance: step(["v", between(0.1, 1)], ["g", any], ["w", any], ["m", any])({ alpha: 0.9, fresh: 0.1, decay: 0.01 }),
  adaDeltaDirection: step(["a", between(0.1, 1)], ["s", between(0.1, 1)], ["g", any], ["w", any])({ decay: 0.01, epsilon: 1e-6 }),
  adamaxNorm: step(["u", between(0.1, 1)], ["g", any], ["w", any])({ beta2: 0.9, decay: 0.013, epsilon: 1e-8 }),
  adamaxStep: step(["w", any], ["m", any], ["u", between(0.1, 1)])({ rate: 0.1, correction1: 0.5 }),
  nAdamStep: step(
    ["w", any],
    ["g", any],
    ["m", any],
    ["s", between(0.1, 1)],
  )({ now: 0.05, next: 0.1, decay: 0.01, correction2: 0.3, epsilon: 1e-8 }),
  rAdamStep: step(["w", any], ["m", any], ["s", between(0.1, 1)])({ rectified: 0.1, plain: 0.05, epsilon: 1e-8 }),
  lionStep: step(["w", any], ["m", between(0.5, 1)], ["g", between(0.5, 1)])({ rate: 0.1, shrink: 0.01, beta1: 0.9, fresh1: 0.1 }),
  larsVelocity: step(["v", any], ["t", any], ["g", any], ["w", any])({ momentum: 0.9, rate: 0.1, decay: 0.01 }),
  lambDirection: step(
    ["m", any],
    ["s", between(0.1, 1)],
    ["w", any],
  )({ correction1: 0.5, correction2: 0.3, epsilon: 1e-6, shrink: 0.01 }, { largest: 1e10 }),
  scaledStep: step(["w", any], ["t", any], ["v", any])({ rate: 0.1, shrink: 0.01 }),
};
