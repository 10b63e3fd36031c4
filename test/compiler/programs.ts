// Random functions of tensors for tests of the compiler: a list of numbers, read as instructions over a pool of tensors.

import type { Tensor } from "../../src/index.ts";
import * as k from "../../src/index.ts";
import { crossEntropy } from "../../src/nn/index.ts";
import { numbersOf } from "./support.ts";

/** Parameters and other tensors from outside, which a program reads and assigns. */
export interface State {
  readonly weights: readonly Tensor[];
  readonly cells: readonly Tensor[];
}

export type Arguments = readonly [x: Tensor, image: Tensor, ids: Tensor, mask: Tensor, empty: Tensor];

/** One instruction: which, and numbers to choose operands and options by. */
export type Instruction = readonly [kind: number, a: number, b: number, c: number];

export function makeState(): State {
  const floats = (shape: readonly number[], salt: number): Tensor =>
    k.fromData(numbersOf({ dtype: "float32", shape }, salt), shape, "float32");
  return {
    weights: [
      k.parameter(floats([3, 4], 1)),
      k.parameter(floats([4], 2)),
      k.parameter(floats([2, 2, 3, 3], 3)),
      k.parameter(floats([], 4)),
    ],
    cells: [floats([3, 4], 5), floats([3, 4], 6), floats([4, 4], 7), k.fromData(Int32Array.of(5, 6, 7), [3], "int32")],
  };
}

export function makeArguments(call: number): Arguments {
  const make = (shape: readonly number[], dtype: k.DType, salt: number): Tensor =>
    k.fromData(numbersOf({ dtype, shape }, salt + 10 * call), shape, dtype);
  return [
    make([3, 4], "float32", 11),
    make([2, 2, 5, 5], "float32", 12),
    make([3], "int32", 13),
    make([3, 4], "bool", 14),
    make([0, 4], "float32", 15),
  ];
}

/** Where a program stands: the tensors it may use, by type. */
interface Pool {
  readonly floats: Tensor[];
  readonly ints: Tensor[];
  readonly bools: Tensor[];
  readonly state: State;
  readonly args: Arguments;
}

type Rule = (pool: Pool, a: number, b: number, c: number) => void;

/** Runs the program; `log` tells which instructions could be done. */
export function runProgram(program: readonly Instruction[], state: State, args: Arguments, log: string[]): Tensor[] {
  const pool: Pool = {
    floats: [args[0], args[1], ...state.weights, ...state.cells.slice(0, 3), args[4]],
    ints: [args[2], state.cells[3] as Tensor],
    bools: [args[3]],
    state,
    args,
  };
  for (const weight of state.weights) weight.zeroGrad();
  for (const [kind, a, b, c] of program) {
    const [name, rule] = RULES[kind % RULES.length] as readonly [string, Rule];
    try {
      rule(pool, a, b, c);
      log.push(name);
    } catch (error) {
      if (!(error instanceof k.KasaneError) || /^(compile|assign):/.test(error.message)) throw error;
      log.push(`${name}: ${error.name}`);
    }
  }
  const last = (tensors: Tensor[], count: number): Tensor[] => tensors.slice(-count);
  const [kind = 0, a = 0] = program[0] ?? [];
  const outside = [state.weights[kind % 4] as Tensor, state.cells[a % 4] as Tensor, args[a % 5] as Tensor];
  return [...last(pool.floats, 4), ...last(pool.ints, 1), ...last(pool.bools, 1), ...outside];
}

const pick = <T>(list: readonly T[], number: number): T => list[(list.length - 1 - (number % list.length)) % list.length] as T;
const axisOf = (x: Tensor, number: number): number => number % Math.max(1, x.rank);
/** Values stay small, whatever the program. */
const tame = (x: Tensor): Tensor => (x.size > 0 ? k.tanh(x) : x);
/** Another tensor that broadcasts with x; a number from it where it does not fit. */
const fitting = (pool: Pool, x: Tensor, number: number): Tensor => {
  const other = pick(pool.floats, number);
  const fits = other.shape.every((extent, d) => {
    const mine = x.shape[d + x.rank - other.rank];
    return mine === undefined || extent === 1 || mine === 1 || extent === mine;
  });
  return fits && other.size <= 400 ? other : other.sum();
};
const small = (x: Tensor): Tensor => (x.size > 400 ? x.sum(0) : x);

const add = (pool: Pool, ...tensors: Tensor[]): void => {
  for (const tensor of tensors) pool.floats.push(small(tensor));
};

const UNARY: readonly ((x: Tensor) => Tensor)[] = [
  (x) => x.tanh(),
  (x) => x.sigmoid(),
  (x) => x.neg(),
  (x) => x.square().mul(0.5),
  (x) => tame(x).exp(),
  (x) => x.abs(),
  k.softplus,
  k.gelu,
  (x) => x.square().add(1).sqrt(),
  (x) => x.sin(),
  (x) => k.relu(x.add(0.137)),
  (x) => tame(x).mul(0.5).add(1).log(),
  (x) => x.clip(-0.713, 0.611),
  (x) => k.elu(x.sub(0.0713)),
];
const BINARY: readonly ((a: Tensor, b: Tensor) => Tensor)[] = [
  (a, b) => a.add(b),
  (a, b) => a.sub(b),
  (a, b) => tame(a).mul(b),
  (a, b) => a.div(b.square().add(1)),
  (a, b) => a.maximum(b.add(0.0517)),
  (a, b) => a.minimum(b.sub(0.0931)),
  (a, b) => a.square().add(0.5).pow(tame(b)),
];

const RULES: readonly (readonly [string, Rule])[] = [
  ["unary", (pool, a, b) => add(pool, pick(UNARY, b)(pick(pool.floats, a)))],
  ["unary", (pool, a, b) => add(pool, pick(UNARY, b)(pick(pool.floats, a)))],
  ["binary", (pool, a, b, c) => add(pool, pick(BINARY, c)(pick(pool.floats, a), fitting(pool, pick(pool.floats, a), b)))],
  ["binary", (pool, a, b, c) => add(pool, pick(BINARY, c)(pick(pool.floats, a), fitting(pool, pick(pool.floats, a), b)))],
  [
    "number",
    (pool, a, b, c) => add(pool, pick(BINARY, c)(pick(pool.floats, a), k.tensor(b / 7) as Tensor), pick(pool.floats, a).mul(b / 16)),
  ],
  [
    "reduce",
    (pool, a, b, c) => {
      const x = pick(pool.floats, a);
      const axes = b % 3 === 0 ? undefined : axisOf(x, b);
      const keepDims = { keepDims: c % 2 === 0 };
      const reduced = [
        () => x.sum(axes, keepDims),
        () => x.mean(axes, keepDims),
        () => x.max(axes, keepDims),
        () => x.variance(axes, keepDims),
        () => x.logSumExp(axes, keepDims),
        () => tame(x).add(0.3).prod(axes, keepDims),
        () => x.min(axes, keepDims),
      ];
      add(pool, (reduced[c % reduced.length] as () => Tensor)());
    },
  ],
  ["argmax", (pool, a, b) => void pool.ints.push(b % 2 ? pool.args[0].argmax(a % 2) : pool.args[1].argmin(a % 4))],
  [
    "matmul",
    (pool, a, b) => {
      const x = pick(pool.floats, a);
      const other = pick(pool.floats, b);
      add(pool, x.matmul(other.rank >= 2 && x.shape.at(-1) === other.shape.at(-2) ? other : x.transpose()).mul(0.3));
    },
  ],
  ["linear", (pool, a) => add(pool, k.linear(pick(pool.floats, a), pool.state.weights[0] as Tensor, pool.args[0].mean(1)))],
  [
    "conv",
    (pool, a, b, c) => {
      const images = pool.floats.filter((x) => x.rank === 4 && x.shape[1] === 2);
      add(pool, k.conv(pick(images, a), pool.state.weights[2] as Tensor, undefined, { stride: 1 + (b % 2), padding: c % 3 }).mul(0.3));
    },
  ],
  [
    "pool",
    (pool, a, b, c) => {
      const x = pick(
        pool.floats.filter((item) => item.rank === 4),
        a,
      );
      add(
        pool,
        b % 2 ? k.maxPool(x, 2, { stride: 1 + (c % 2), padding: c % 3 === 0 ? 1 : 0 }) : k.averagePool(x, 2, { stride: 1 + (c % 2) }),
      );
    },
  ],
  [
    "rows",
    (pool, a, b) => {
      const x = pick(pool.floats, a);
      if (x.rank === 0) return add(pool, x.add(1));
      const width = x.shape.at(-1) as number;
      const rows = [() => x.softmax(), () => x.logSoftmax(), () => k.layerNorm(x, k.full([width], 1.5), k.full([width], 0.25))];
      add(pool, (rows[b % 3] as () => Tensor)());
    },
  ],
  [
    "crossEntropy",
    (pool, a) =>
      add(
        pool,
        crossEntropy(
          pick(
            pool.floats.filter((x) => x.rank === 2 && x.shape[0] === 3 && (x.shape[1] as number) >= 3),
            a,
          ),
          pool.args[2],
        ),
      ),
  ],
  ["reshape", (pool, a) => add(pool, pick(pool.floats, a).reshape([-1]))],
  [
    "transpose",
    (pool, a, b) => {
      const x = pick(pool.floats, a);
      return add(pool, b % 2 === 0 ? x.transpose() : x.transpose(x.shape.map((_, d, all) => (d + b) % all.length)));
    },
  ],
  ["slice", (pool, a, b, c) => add(pool, pick(pool.floats, a).slice([b % 3, null, 1 + (c % 2)]))],
  ["flip", (pool, a, b) => add(pool, pick(pool.floats, a).flip(axisOf(pick(pool.floats, a), b)))],
  ["pad", (pool, a, b, c) => add(pool, pick(pool.floats, a).pad([[b % 3, c % 3]], (b % 5) / 4))],
  [
    "pick",
    (pool, a, b) =>
      add(
        pool,
        pick(pool.floats, a)
          .reshape([-1])
          .slice([b % 3, (b % 3) + 1]),
      ),
  ],
  [
    "concat",
    (pool, a, b, c) => {
      const x = pick(pool.floats, a);
      const other = pick(pool.floats, b);
      add(pool, k.concat([x, other.shape.join() === x.shape.join() ? other : x.neg()], axisOf(x, c)));
    },
  ],
  ["broadcast", (pool, a, b) => add(pool, pick(pool.floats, a).broadcastTo([1 + (b % 3), ...pick(pool.floats, a).shape]))],
  [
    "take",
    (pool, a, b) => {
      const x = pick(pool.floats, a);
      const axis = axisOf(x, b);
      if ((x.shape[axis] ?? 0) >= 3) add(pool, x.take(pool.args[2], axis));
    },
  ],
  [
    "gather",
    (pool, a) =>
      add(
        pool,
        pick(
          pool.floats.filter((x) => x.rank === 2 && (x.shape[0] as number) >= 3),
          a,
        ).gather(pool.args[2].reshape([3, 1]).broadcastTo([3, 4]), 0),
      ),
  ],
  [
    "scatterAdd",
    (pool, a) =>
      add(
        pool,
        k.scatterAdd(
          pick(
            pool.floats.filter((x) => x.shape[0] === 3),
            a,
          ),
          pool.args[2],
          5,
        ),
      ),
  ],
  ["oneHot", (pool) => add(pool, k.oneHot(pool.args[2], 4))],
  ["compare", (pool, a, b) => void pool.bools.push(pick(pool.floats, a).greater(b / 31 - 0.251))],
  ["logic", (pool, a, b) => void pool.bools.push(b % 2 ? pick(pool.bools, a).logicalNot() : pick(pool.bools, a).logicalAnd(pool.args[3]))],
  ["where", (pool, a, b) => add(pool, k.where(pick(pool.bools, a), fitting(pool, pool.args[0], b), 0.25))],
  [
    "ints",
    (pool, a, b) => {
      const n = pick(pool.ints, a);
      pool.ints.push(b % 2 ? n.add(b).mod(7) : n.mul(2).sub(b));
      add(pool, n.to("float32").mul(0.1));
    },
  ],
  ["dropout", (pool, a) => add(pool, k.dropout(pick(pool.floats, a), 0.4))],
  ["uniform", (pool, _, b) => add(pool, k.uniform([3, 4], -1, b % 3))],
  ["detach", (pool, a, b) => add(pool, b % 2 ? pick(pool.floats, a).detach() : pick(pool.floats, a).clone())],
  [
    "backward",
    (pool, a) => {
      const x = pick(
        pool.floats.filter((item) => item.requiresGrad),
        a,
      );
      x.mul(0.5).sum().backward();
      for (const weight of pool.state.weights) if (weight.grad) add(pool, weight.grad);
    },
  ],
  [
    "backward of a part",
    (pool, a, b) => {
      pick(
        pool.floats.filter((item) => item.requiresGrad && item.size > 2),
        a,
      )
        .reshape([-1])
        .slice([b % 3, (b % 3) + 1])
        .backward();
      for (const weight of pool.state.weights) if (weight.grad) add(pool, weight.grad);
    },
  ],
  [
    "learn",
    (pool, a) =>
      k.noGrad(() => {
        for (const weight of pool.state.weights) if (weight.grad) weight.assign(weight.sub(weight.grad.clip(-1, 1).mul(0.03 * (a % 4))));
      }),
  ],
  [
    "assign",
    (pool, a, b) =>
      k.noGrad(() => {
        const cell = pool.state.cells[a % 3] as Tensor;
        cell.assign(
          tame(
            pick(
              pool.floats.filter((x) => x.shape.join() === cell.shape.join()),
              b,
            ),
          ),
        );
      }),
  ],
  [
    "assign as it is",
    (pool, a, b) =>
      k.noGrad(() => {
        const cell = pool.state.cells[a % 3] as Tensor;
        cell.assign(
          pick(
            pool.floats.filter((x) => x.shape.join() === cell.shape.join()),
            b,
          ).detach(),
        );
      }),
  ],
  [
    "swap",
    (pool) =>
      k.noGrad(() => {
        const [one, other] = pool.state.cells as [Tensor, Tensor];
        const before = one.detach();
        one.assign(other.detach());
        other.assign(before);
        add(pool, before);
      }),
  ],
  [
    "momentum",
    (pool, a) =>
      k.noGrad(() => {
        const [v, w] = pool.state.cells as [Tensor, Tensor];
        const step = pick(
          pool.floats.filter((x) => x.shape.join() === "3,4"),
          a,
        );
        v.assign(v.mul(0.9).add(tame(step)));
        w.assign(w.sub(v.mul(0.1)));
      }),
  ],
  [
    "move a cell",
    (pool, a, b) =>
      k.noGrad(() => {
        const square = pool.state.cells[2] as Tensor;
        const moved = [
          square.transpose(),
          square.flip(0),
          square.slice([1, null]).pad([
            [0, 1],
            [0, 0],
          ]),
          square.reshape([16]).reshape([4, 4]),
          square.add(square.slice([b % 4, (b % 4) + 1])).mul(0.5),
          square.matmul(square).mul(0.2),
        ];
        square.assign(moved[a % moved.length] as Tensor);
      }),
  ],
  ["count", (pool, a) => k.noGrad(() => (pool.state.cells[3] as Tensor).assign((pool.state.cells[3] as Tensor).add(a % 5)))],
  ["outside", (pool, a) => add(pool, pool.state.cells[a % 3] as Tensor, (pool.state.cells[a % 3] as Tensor).reshape([-1]))],
];

export const KINDS = RULES.length;
