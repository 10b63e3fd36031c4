// The list of all ops by name, each with its file and a small example; families by representatives.

import type { DType } from "../nest/nest.ts";
import * as activations from "./activations.ts";
import * as arithmetic from "./arithmetic.ts";
import * as attention from "./attention.ts";
import * as contractions from "./contractions.ts";
import * as gathers from "./gathers.ts";
import * as losses from "./losses.ts";
import * as moves from "./moves.ts";
import * as normalizations from "./normalizations.ts";
import type { Op } from "./op.ts";
import * as pooling from "./pooling.ts";
import * as random from "./random.ts";
import * as reductions from "./reductions.ts";
import * as resampling from "./resampling.ts";
import * as statistics from "./statistics.ts";
import * as updates from "./updates.ts";

/** Numbers in row-major order under a shape. */
export interface ExampleTensor {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly data: readonly number[];
}

/** Everything one application of the op needs. */
export interface OpExample {
  /** By input name, in the order of the formula's inputs. */
  readonly inputs: Readonly<Record<string, ExampleTensor>>;
  readonly attributes: Readonly<Record<string, number | readonly number[]>>;
  /** Where the op cannot infer the shape of its result. */
  readonly resultShape?: readonly number[];
}

/** One row of the catalogue, with inputs to try it on. */
export interface CatalogueEntry {
  /** Unique: the op's name, with a suffix for further members of a family ("conv2dGrouped"). */
  readonly name: string;
  readonly op: Op;
  /** Where the row stands, from the root of the repository. */
  readonly file: string;
  /** What the file exports it as: the op, or the family that makes it. */
  readonly exported: string;
  readonly example: OpExample;
}

type Module = Readonly<Record<string, unknown>>;
type OpNames<Of extends Module> = { [Name in keyof Of]: Of[Name] extends Op ? Name : never }[keyof Of] & string;
type FamilyNames<Of extends Module> = { [Name in keyof Of]: Of[Name] extends (...key: never[]) => Op ? Name : never }[keyof Of] & string;
type Inputs = Readonly<Record<string, ExampleTensor>>;
type Row = readonly [inputs: Inputs, attributes?: OpExample["attributes"], resultShape?: readonly number[]];
type Member = readonly [name: string, op: Op, ...row: Row];

const floats = (shape: readonly number[], ...data: readonly number[]): ExampleTensor => ({ dtype: "float32", shape, data });
const integers = (shape: readonly number[], ...data: readonly number[]): ExampleTensor => ({ dtype: "int32", shape, data });
const booleans = (shape: readonly number[], ...data: readonly number[]): ExampleTensor => ({ dtype: "bool", shape, data });
/** The whole numbers from 1, as many as the shape holds. */
const counting = (...shape: readonly number[]): ExampleTensor =>
  floats(shape, ...Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, n) => n + 1));

const line = { x: floats([5], -2, -0.5, 0, 1, 3) };
const positive = { x: floats([4], 0.25, 1, 2, 9) };
const unit = { x: floats([4], -0.9, -0.5, 0, 0.5) };
const pair = { a: floats([3], 3, -1, 2), b: floats([3], 2, 4, 2) };
const logic = { a: booleans([4], 0, 0, 1, 1), b: booleans([4], 0, 1, 0, 1) };
const matrix = { x: floats([2, 3], 1, 5, 2, -3, 0.5, 4) };
const scores = { x: floats([2, 3], 2, 1, 0.1, 0.5, -1, 3) };
const image = { x: floats([1, 1, 4, 4], 1, 3, 2, 0, 5, 4, 7, 1, 2, 8, 6, 3, 0, 1, 9, 4) };
const unfinished = { x: floats([2, 3], 1, 0, 2, -3, Number.POSITIVE_INFINITY, Number.NaN) };
const ROWS = { axes: [1] };
const reduced: Row = [matrix, ROWS];
/** Stride 1, dilation 1, no padding in every dimension. */
const plain = (dims: number, changes: Readonly<Record<string, number>> = {}): Record<string, number> => ({
  ...Object.fromEntries(
    Array.from(
      { length: dims },
      (_, d) =>
        [
          [`stride${d}`, 1],
          [`dilation${d}`, 1],
          [`padding${d}`, 0],
        ] as const,
    ).flat(),
  ),
  ...changes,
});
const windows = (dims: number): Record<string, number> => ({
  ...plain(dims),
  ...Object.fromEntries(
    Array.from(
      { length: dims },
      (_, d) =>
        [
          [`kernel${d}`, 2],
          [`stride${d}`, 2],
        ] as const,
    ).flat(),
  ),
});
const edge = floats([1, 1, 2, 2], 1, 0, -1, 2);
const moments = { m: floats([2], 0.02, -0.04), s: floats([2], 0.01, 0.02) };
const weights = { w: floats([2], 0.5, -1), g: floats([2], 0.2, -0.4) };

const entries: readonly CatalogueEntry[] = [
  ...listed("arithmetic", arithmetic, {
    add: [pair],
    sub: [pair],
    mul: [pair],
    div: [pair],
    mod: [{ a: floats([3], 7, -7, 5.5), b: floats([3], 3, 3, -2) }],
    pow: [{ a: floats([3], 3, 2, 9), b: floats([3], 2, -1, 0.5) }],
    minimum: [pair],
    maximum: [pair],
    neg: [line],
    abs: [line],
    sign: [line],
    square: [line],
    sqrt: [positive],
    rsqrt: [positive],
    reciprocal: [positive],
    exp: [line],
    expm1: [line],
    log: [positive],
    log1p: [positive],
    log2: [positive],
    sin: [line],
    cos: [line],
    tan: [unit],
    asin: [unit],
    acos: [unit],
    atan: [line],
    sinh: [line],
    cosh: [line],
    erf: [line],
    floor: [line],
    ceil: [line],
    round: [{ x: floats([5], -1.5, -0.5, 0.5, 1.5, 2.5) }],
    trunc: [line],
    clip: [line, { low: -1, high: 1 }],
    less: [pair],
    lessEqual: [pair],
    greater: [pair],
    greaterEqual: [pair],
    equal: [pair],
    notEqual: [pair],
    logicalAnd: [logic],
    logicalOr: [logic],
    logicalNot: [{ x: booleans([2], 0, 1) }],
    isNaN_: [{ x: floats([3], 1, Number.NaN, Number.POSITIVE_INFINITY) }],
    isFinite_: [{ x: floats([3], 1, Number.NaN, Number.POSITIVE_INFINITY) }],
    select: [{ condition: booleans([3], 1, 0, 1), a: floats([3], 1, 2, 3), b: floats([3], 10, 20, 30) }],
    toFloat: [{ x: integers([3], 1, -2, 3) }],
    toInt: [{ x: floats([4], 1.9, -1.9, 0.5, 3) }],
    toBool: [{ x: floats([3], 0, 2, -0.5) }],
  }),
  ...listed("attention", attention, {
    causalMask: [{}, { extent: 3 }],
    maskedSoftmax: [{ ...scores, mask: booleans([2, 3], 1, 1, 0, 1, 0, 1) }, ROWS],
  }),
  ...listed("activations", activations, {
    sigmoid: [line],
    tanh: [line],
    relu: [line],
    leakyRelu: [line],
    relu6: [{ x: floats([4], -1, 2, 5, 8) }],
    elu: [line],
    selu: [line],
    gelu: [line],
    geluTanh: [line],
    silu: [line],
    softplus: [line],
    softsign: [line],
    logSigmoid: [line],
    hardtanh: [line],
    hardSigmoid: [line],
    hardSwish: [line],
    mish: [line],
    prelu: [{ ...line, slope: floats([], 0.25) }],
    softmax: [scores, ROWS],
    logSoftmax: [scores, ROWS],
  }),
  ...listed("reductions", reductions, {
    sum: reduced,
    mean: reduced,
    prod: reduced,
    max: reduced,
    min: reduced,
    argmax: reduced,
    argmin: reduced,
    variance: [matrix, { ...ROWS, correction: 0 }],
    std: [matrix, { ...ROWS, correction: 0 }],
    norm: reduced,
    logSumExp: [scores, ROWS],
  }),
  ...listed("statistics", statistics, {
    finiteSum: [{ ...unfinished, shift: floats([], 1) }, ROWS],
    finiteSquares: [{ ...unfinished, shift: floats([], 1) }, ROWS],
    finiteMin: [unfinished, ROWS],
    finiteMax: [unfinished, ROWS],
    countZeros: [unfinished, ROWS],
    countNaN: [unfinished, ROWS],
    countFinite: [unfinished, ROWS],
    countOutside: [unfinished, { ...ROWS, low: -1, high: 1 }],
    histogram: [{ x: floats([6], 0, 0.5, 1.5, 2, 2.5, 4), low: floats([], 0), scale: floats([], 1) }, { bins: 4 }],
  }),
  ...listed(
    "contractions",
    contractions,
    {
      matmul: [{ a: floats([2, 3], 1, 2, 3, 4, 5, 6), b: floats([3, 2], 1, 0, 0, 1, 2, -1) }],
      linear: [{ x: floats([1, 3], 2, 3, 1), w: floats([2, 3], 3, 1, 2, -2, -3, -1) }],
      linearBias: [{ x: floats([1, 3], 2, 3, 1), w: floats([2, 3], 3, 1, 2, -2, -3, -1), b: floats([2], 1, -1) }],
    },
    {
      einsum: [
        ["einsum", contractions.einsum("bij,bjk->bik"), { x0: counting(1, 2, 3), x1: floats([1, 3, 2], 1, 0, 0, 1, 1, 1) }],
        ["einsumTrace", contractions.einsum("ii->"), { x0: counting(3, 3) }],
        ["einsumOuter", contractions.einsum("i,j->ij"), { x0: counting(2), x1: counting(3) }],
        ["einsumEllipsis", contractions.einsum("...ij,kj->...ik"), { x0: counting(1, 2, 2), x1: counting(2, 2) }],
      ],
      convolution: [
        [
          "conv1d",
          contractions.convolution(1, false, false),
          { x: floats([1, 1, 5], 1, 2, 3, 4, 5), w: floats([1, 1, 3], 1, 0, -1) },
          plain(1, { padding0: 1 }),
        ],
        ["conv2d", contractions.convolution(2, false, false), { ...image, w: edge }, plain(2)],
        [
          "conv3d",
          contractions.convolution(3, false, false),
          { x: counting(1, 1, 2, 3, 3), w: floats([1, 1, 2, 2, 2], 1, 0, 0, -1, 0, 1, -1, 0) },
          plain(3),
        ],
        [
          "conv1dBias",
          contractions.convolution(1, true, false),
          { x: floats([1, 1, 5], 1, 2, 3, 4, 5), w: floats([2, 1, 2], 1, -1, 1, 1), b: floats([2], 1, -1) },
          plain(1),
        ],
        [
          "conv2dBias",
          contractions.convolution(2, true, false),
          { ...image, w: edge, b: floats([1], 1) },
          plain(2, { stride0: 2, stride1: 2 }),
        ],
        [
          "conv3dBias",
          contractions.convolution(3, true, false),
          { x: counting(1, 1, 2, 2, 2), w: floats([1, 1, 1, 2, 2], 1, 0, 0, -1), b: floats([1], 0.5) },
          plain(3),
        ],
        [
          "conv2dGrouped",
          contractions.convolution(2, false, true),
          { x: counting(1, 2, 1, 3, 3), w: floats([2, 1, 1, 2, 2], 1, 0, 0, -1, 1, 1, 1, 1) },
          plain(2),
        ],
        [
          "conv1dGroupedBias",
          contractions.convolution(1, true, true),
          { x: counting(1, 2, 1, 4), w: floats([2, 1, 1, 2], 1, -1, 1, 1), b: floats([2, 1], 0.5, -0.5) },
          plain(1),
        ],
      ],
      convolutionTranspose: [
        [
          "convTranspose1d",
          contractions.convolutionTranspose(1, false, false),
          { x: floats([1, 1, 3], 1, 2, 3), w: floats([1, 1, 2], 1, 10) },
          plain(1, { stride0: 2 }),
          [1, 1, 6],
        ],
        [
          "convTranspose2d",
          contractions.convolutionTranspose(2, false, false),
          { x: counting(1, 1, 2, 2), w: edge },
          plain(2),
          [1, 1, 3, 3],
        ],
        [
          "convTranspose3d",
          contractions.convolutionTranspose(3, false, false),
          { x: counting(1, 1, 1, 2, 2), w: floats([1, 1, 1, 2, 2], 1, 0, 0, -1) },
          plain(3),
          [1, 1, 1, 3, 3],
        ],
        [
          "convTranspose2dBias",
          contractions.convolutionTranspose(2, true, false),
          { x: counting(1, 1, 2, 2), w: edge, b: floats([1], 1) },
          plain(2, { stride0: 2, stride1: 2 }),
          [1, 1, 4, 4],
        ],
        [
          "convTranspose1dGrouped",
          contractions.convolutionTranspose(1, false, true),
          { x: counting(1, 2, 1, 3), w: floats([2, 1, 1, 2], 1, 10, 1, -1) },
          plain(1),
          [1, 2, 1, 4],
        ],
      ],
    },
  ),
  ...listed(
    "pooling",
    pooling,
    {},
    {
      maxPool: [
        ["maxPool1d", pooling.maxPool(1), { x: floats([1, 1, 4], 1, 3, 2, 0) }, windows(1)],
        ["maxPool2d", pooling.maxPool(2), image, windows(2)],
        ["maxPool3d", pooling.maxPool(3), { x: counting(1, 1, 2, 2, 4) }, windows(3)],
      ],
      averagePool: [
        ["averagePool1d", pooling.averagePool(1, true), { x: floats([1, 1, 4], 1, 3, 2, 0) }, windows(1)],
        ["averagePool2d", pooling.averagePool(2, true), image, windows(2)],
        ["averagePool3d", pooling.averagePool(3, true), { x: counting(1, 1, 2, 2, 4) }, windows(3)],
        ["averagePool2dInside", pooling.averagePool(2, false), image, { ...windows(2), padding0: 1, padding1: 1 }],
      ],
    },
  ),
  ...listed("normalizations", normalizations, {
    normalize: [{ x: floats([3], 1, 4, 7), mean: floats([], 4), variance: floats([], 6), weight: floats([], 1), bias: floats([], 0) }],
    layerNorm: [{ ...matrix, weight: floats([3], 1, 1, 2), bias: floats([3], 0, 0, 1) }, ROWS],
    rmsNorm: [{ ...matrix, weight: floats([3], 1, 1, 2) }, ROWS],
    localResponseNorm: [{ x: counting(1, 3, 2) }, { size: 3, before: 1, channels: 3, alpha: 1 }],
  }),
  ...listed("losses", losses, {
    squaredError: [{ x: floats([3], 1, 2, 3), t: floats([3], 1, 0, 5) }],
    absoluteError: [{ x: floats([3], 1, 2, 3), t: floats([3], 1, 0, 5) }],
    huber: [{ x: floats([3], 1, 2.5, 3), t: floats([3], 1, 2, 5) }, { delta: 1 }],
    crossEntropy: [{ ...scores, t: integers([2], 0, 2) }],
    crossEntropyProbabilities: [{ t: floats([2, 3], 1, 0, 0, 0.1, 0.1, 0.8), ...scores }],
    binaryCrossEntropyLogits: [{ x: floats([3], 2, -1, 0), t: floats([3], 1, 0, 1) }],
    binaryCrossEntropy: [{ x: floats([3], 0.9, 0.2, 0.5), t: floats([3], 1, 0, 1) }],
    negativeLogLikelihood: [{ x: floats([2, 3], -0.5, -1.5, -1.7, -2, -0.2, -3), t: integers([2], 0, 1) }],
  }),
  ...listed(
    "moves",
    moves,
    {
      reshape: [{ x: counting(2, 3) }, {}, [3, 2]],
      broadcastTo: [{ x: counting(3) }, {}, [2, 3]],
      copy: [{ x: counting(3) }],
    },
    {
      transpose: [
        ["transpose", moves.transpose([1, 0]), { x: counting(2, 3) }],
        ["transposeCycle", moves.transpose([2, 0, 1]), { x: counting(2, 1, 3) }],
      ],
      slice: [["slice", moves.slice(2), { x: counting(3, 4) }, { start0: 0, step0: 2, extent0: 2, start1: 3, step1: -1, extent1: 3 }]],
      pad: [["pad", moves.pad(1), { x: counting(3) }, { low0: 1, extent0: 6, value: 0 }]],
      concatenate: [
        ["concatenate", moves.concatenate(2, 0, 2), { x0: counting(1, 2), x1: counting(2, 2) }, { offset0: 0, offset1: 1 }, [3, 2]],
      ],
    },
  ),
  ...listed(
    "gathers",
    gathers,
    {
      embedding: [{ w: counting(3, 2), ids: integers([2], 2, 0) }],
      oneHot: [{ ids: integers([3], 2, 0, 1) }, { classes: 3 }],
    },
    {
      gatherAlong: [["gather", gathers.gatherAlong(2, 1), { x: counting(2, 3), ids: integers([2, 2], 2, 0, 1, 1) }]],
      take: [["take", gathers.take(2, 0), { x: counting(3, 2), ids: integers([2], 2, 0) }]],
      scatterAdd: [["scatterAdd", gathers.scatterAdd(2, 0), { x: counting(3, 2), ids: integers([3], 1, 0, 1) }, {}, [2, 2]]],
    },
  ),
  ...listed("resampling", resampling, {
    resample: [
      { x: counting(1, 3, 1), ids: integers([4, 2], 0, 0, 0, 1, 1, 2, 2, 2), w: floats([4, 2], 0.5, 0.5, 0.5, 0.5, 0.25, 0.75, 1, 0) },
    ],
    resampleMax: [{ x: floats([1, 4, 1], 3, 1, 4, 2), ids: integers([2, 3], 0, 1, -1, 1, 2, 3) }],
  }),
  ...listed("random", random, {
    uniform: [{}, { seed: 1, stream: 1 }, [4]],
    normal: [{}, { seed: 1, stream: 1 }, [4]],
    bernoulli: [{}, { seed: 1, stream: 1 }, [4]],
    integers: [{}, { seed: 1, stream: 1, low: 0, span: 10 }, [4]],
    manyIntegers: [{}, { seed: 1, stream: 1, low: 0, coarse: 300, fine: 17 }, [4]],
    dropout: [{ x: counting(4) }, { seed: 1, stream: 1, keep: 0.5 }],
    channelDropout: [{ x: counting(1, 3, 2) }, { seed: 1, stream: 1, keep: 0.5 }],
    alphaDropout: [{ x: counting(4) }, { seed: 1, stream: 1, keep: 0.5 }],
  }),
  ...listed("updates", updates, {
    sgd: [weights, { rate: 0.1 }],
    sgdDecay: [weights, { rate: 0.1, decay: 0.01 }],
    sgdVelocity: [{ v: floats([2], 0.1, 0), g: weights.g, w: weights.w }, { momentum: 0.9 }],
    sgdMomentum: [{ w: weights.w, v: floats([2], 0.1, -0.2) }, { rate: 0.1 }],
    sgdNesterov: [
      { ...weights, v: floats([2], 0.1, -0.2) },
      { rate: 0.1, momentum: 0.9 },
    ],
    adamFirst: [{ m: floats([2], 0.1, 0), g: weights.g, w: weights.w }],
    adamSecond: [{ s: floats([2], 0.01, 0.02), g: weights.g, w: weights.w }],
    adamStep: [
      { w: weights.w, m: floats([2], 0.02, -0.04), s: floats([2], 0.01, 0.02) },
      { rate: 0.1, correction1: 0.1, correction2: 0.001 },
    ],
    squaresSum: [{ s: moments.s, ...weights }],
    rmsDirection: [{ ...weights, s: moments.s }],
    rmsVariance: [{ v: moments.s, ...weights, m: moments.m }],
    adaDeltaDirection: [{ a: floats([2], 0.1, 0.2), s: moments.s, ...weights }],
    adamaxNorm: [{ u: floats([2], 0.1, 0.5), ...weights }],
    adamaxStep: [
      { w: weights.w, m: moments.m, u: floats([2], 0.1, 0.5) },
      { rate: 0.1, correction1: 0.1 },
    ],
    nAdamStep: [
      { ...weights, ...moments },
      { now: 0.05, next: 0.1, correction2: 0.001 },
    ],
    rAdamStep: [
      { w: weights.w, ...moments },
      { rectified: 0.1, plain: 0 },
    ],
    lionStep: [{ ...weights, m: moments.m }, { rate: 0.1 }],
    larsVelocity: [{ v: moments.m, t: floats([], 0.5), ...weights }, { rate: 0.1 }],
    lambDirection: [
      { w: weights.w, ...moments },
      { correction1: 0.1, correction2: 0.001 },
    ],
    scaledStep: [{ w: weights.w, t: floats([], 0.5), v: moments.m }, { rate: 0.1 }],
  }),
];

/** Every op, in the order of the files. */
export const catalogue: readonly CatalogueEntry[] = entries;

/** The entry of this name, or the first whose export has it ("convolution"). */
export function findOp(name: string): CatalogueEntry | undefined {
  return catalogue.find((entry) => entry.name === name) ?? catalogue.find((entry) => entry.exported === name);
}

/**
 * Entries of one file; the compiler asks for an example of every op and for members of every family the file exports.
 */
function listed<Of extends Module>(
  file: string,
  module: Of,
  ops: { readonly [Name in OpNames<Of>]: Row },
  ...families: [FamilyNames<Of>] extends [never] ? [] : [{ readonly [Name in FamilyNames<Of>]: readonly Member[] }]
): CatalogueEntry[] {
  const place = `src/ops/${file}.ts`;
  const entry = (name: string, op: Op, exported: string, [inputs, attributes = {}, resultShape]: Row): CatalogueEntry => {
    const ordered = Object.fromEntries(op.formula.inputs.map((input) => [input, inputs[input]!]));
    return {
      name,
      op,
      file: place,
      exported,
      example: { inputs: ordered, attributes, resultShape },
    };
  };
  const single = Object.entries<Row>(ops).map(([exported, row]) => {
    const op = module[exported] as Op;
    return entry(op.name, op, exported, row);
  });
  const members = Object.entries<readonly Member[]>(families[0] ?? {}).flatMap(([exported, list]) =>
    list.map(([name, op, ...row]) => entry(name, op, exported, row)),
  );
  return [...single, ...members];
}
