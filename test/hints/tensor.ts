// Advice of tensors, their functions, derivatives and compiled functions.

import { execFile } from "node:child_process";
import { promisify } from "node:util";
import * as kasane from "../../src/index.ts";
import {
  checkpoint,
  compile,
  concat,
  grad,
  jacobian,
  noGrad,
  parameter,
  permutation,
  randomIntegers,
  stack,
  type Tensor,
  tensor,
  valueAndGrad,
  vectorJacobianProduct,
  vmap,
  where,
  zeros,
} from "../../src/index.ts";
import { batchNorm } from "../../src/nn/index.ts";
import { type Advice, advice } from "./advice.ts";

const row = (): Tensor<readonly [number]> => tensor([1, 2, 3]);
const rows = (): Tensor => tensor([[1, 2, 3], [4, 5, 6]]); // biome-ignore format: a matrix
const integers = (): Tensor => tensor([1, 2], { dtype: "int32" });
const weight = (): Tensor<readonly [number]> => parameter(tensor([1, 2, 3]));
const square = (x: Tensor): Tensor => x.square();

const READ_OUTSIDE = "return the tensor and read it outside; choose between values with where(condition, a, b) instead of if";
const halves = (x: Tensor): Tensor => where(x.sum().greater(0), x, x.neg());

/** Another compiled function changes the weight that the result of a first one depends on. */
function changedMeanwhile(when: "before" | "after" | "again" | "clone"): void {
  const w = weight();
  const f = compile((x: Tensor, given?: Tensor) => (given ?? w).mul(x).square().sum());
  const grow = compile(() => noGrad(() => w.assign(w.mul(2))));
  grow();
  const y = when === "clone" ? f(row(), w.clone()) : f(row());
  if (when === "before") y.backward();
  grow();
  if (when === "again") f(row()).backward();
  else if (when !== "before") y.backward();
}

/** Changes a weight whenever it is called. */
function counting(): (x: Tensor) => Tensor {
  const count = weight();
  return (x) => {
    noGrad(() => count.assign(count.add(1)));
    return x.sum();
  };
}

function overflow(): never {
  throw new RangeError("Maximum call stack size exceeded");
}

/** What sending to a worker does to an array. */
function transfer({ buffer }: ArrayBufferView): void {
  structuredClone(buffer, { transfer: [buffer as ArrayBuffer] });
}

export const tensorAdvice: readonly Advice[] = [
  // Making tensors.
  advice(
    "copy with clone(), and keep tensors out of reactive state (markRaw in Vue, ref in Valtio)",
    () => new Proxy(row(), {}).add(1),
    () => row().clone().add(1),
  ),
  advice(
    "transfer a copy: data.slice()",
    () => {
      const x = row().add(1);
      transfer(x.data);
      return x.add(1);
    },
    () => {
      const x = row().add(1);
      transfer(x.data.slice());
      return x.add(1);
    },
  ),
  advice(
    "[2, 3] for two rows and three columns",
    () => zeros(6 as never),
    () => zeros([2, 3]),
  ),
  advice(
    "tensor(data, [2, 3])",
    () => tensor([1, 2, 3, 4, 5, 6], 2 as never),
    () => tensor([1, 2, 3, 4, 5, 6], [2, 3]),
  ),
  advice(
    'convert it first: to("float32")',
    () => parameter(integers()),
    () => parameter(integers().to("float32")),
  ),
  advice(
    'parameter(tensor(numbers, { dtype: "float32" }))',
    () => parameter(new Int32Array(2)),
    () => parameter(tensor(new Int32Array(2), { dtype: "float32" })),
  ),
  advice(
    'tensor(data, shape, { dtype: "int32" }) converts',
    () => kasane.fromData(new Float32Array(2) as never, [2], "int32"),
    () => tensor(new Float32Array(2), [2], { dtype: "int32" }),
  ),
  advice(
    'say which one the tensor has: { dtype: "float32" }',
    () => tensor([new Float64Array(2), new Int32Array(2)]),
    () => tensor([new Float64Array(2), new Int32Array(2)], { dtype: "float32" }),
  ),
  advice(
    "stack([…]) joins tensors",
    () => tensor([row(), row()] as never),
    () => stack([row(), row()]),
  ),
  advice(
    "Number(3n)",
    () => tensor([3n] as never),
    () => tensor([Number(3n)]),
  ),
  advice(
    "make one with tensor([…])",
    () => kasane.exp([1, 2] as never),
    () => kasane.exp(tensor([1, 2])),
  ),
  advice(
    "make a tensor with tensor([…])",
    () => row().add([1, 2, 3] as never),
    () => row().add(tensor([1, 2, 3])),
  ),
  // Shapes and axes.
  advice(
    "sum(1), or sum([0, 1])",
    () => rows().sum("rows" as never),
    () => rows().sum(1),
    () => rows().sum([0, 1]),
  ),
  advice(
    "leave the axis out: a single number has none",
    () => tensor(1).sum(0),
    () => tensor(1).sum(),
  ),
  advice(
    "axes go from -2 to 1",
    () => rows().sum(2),
    () => rows().sum(1),
    () => rows().sum(-2),
  ),
  advice(
    "x.reshape([2, -1])",
    () => rows().reshape(6 as never),
    () => rows().reshape([2, -1]),
  ),
  advice(
    "x.transpose([1, 0])",
    () => rows().transpose(1 as never),
    () => rows().transpose([1, 0]),
  ),
  advice("x.pad([[1, 1], [0, 2]])", () => rows().pad(1 as never), () => rows().pad([[1, 1], [0, 2]])), // biome-ignore format: one call
  advice(
    "x.broadcastTo([2, 3])",
    () => row().broadcastTo(3 as never),
    () => row().broadcastTo([2, 3]),
  ),
  advice("x.split(2), or x.split([1, 3])", () => tensor([1, 2, 3, 4]).split("2" as never), () => tensor([1, 2, 3, 4]).split(2), () => tensor([1, 2, 3, 4]).split([1, 3])), // biome-ignore format: one call
  advice(
    "x.take([0, 2])",
    () => row().take(0 as never),
    () => row().take([0, 2]),
  ),
  advice(
    "concat([a, b])",
    () => concat(row() as never),
    () => concat([row(), row()]),
  ),
  advice(
    "stack([a, b])",
    () => stack(row() as never),
    () => stack([row(), row()]),
  ),
  advice(
    "slice the tensor first where ids cover less of it",
    () => rows().gather(tensor([[0]], { dtype: "int32" }), 1),
    () =>
      rows()
        .slice([0, 1])
        .gather(tensor([[0]], { dtype: "int32" }), 1),
  ),
  advice(
    "reduce it first (sum, mean), or read data",
    () => row().item(),
    () => row().sum().item(),
    () => row().mean().item(),
    () => row().data,
  ),
  advice(
    "weight is [out, in / groups, …kernel]; both channel counts must be multiples of groups",
    () => kasane.conv(zeros([1, 4, 5]), zeros([6, 4, 3]), undefined as never, { groups: 2 } as never),
    () => kasane.conv(zeros([1, 4, 5]), zeros([6, 2, 3]), undefined as never, { groups: 2 } as never),
  ),
  advice(
    "weight is [in, out / groups, …kernel]",
    () => kasane.convTranspose(zeros([1, 4, 5]), zeros([6, 4, 3])),
    () => kasane.convTranspose(zeros([1, 4, 5]), zeros([4, 6, 3])),
  ),
  advice(
    "give a scale that leaves at least one element, and fewer than 2³¹",
    () => kasane.upsample(zeros([1, 1, 3]), { scale: 0.1 }),
    () => kasane.upsample(zeros([1, 1, 3]), { scale: 0.5 }),
  ),
  // Random numbers.
  advice(
    "they must be int32 (high may be one more), and at most 2147483648 apart",
    () => randomIntegers([2], 3, 3),
    () => randomIntegers([2], -(2 ** 30), 2 ** 30),
    () => randomIntegers([2], 0, 2 ** 31),
  ),
  advice(
    "call it before the compiled function and pass the order as a tensor",
    () => compile((x: Tensor) => x.take(permutation(3) as never))(row()),
    () => compile((x: Tensor, order: Tensor) => x.take(order))(row(), tensor(permutation(3))),
  ),
  // Derivatives.
  advice(
    "compute it from a parameter, or from tensor(…, { requiresGrad: true }), outside noGrad()",
    () => noGrad(() => weight().sum()).backward(),
    () => weight().sum().backward(),
    () => tensor([1], { requiresGrad: true }).sum().backward(),
  ),
  advice(
    "call it on a single number (loss.mean().backward()), or pass a gradient of the same shape",
    () => weight().mul(2).backward(),
    () => weight().mul(2).mean().backward(),
    () =>
      weight()
        .mul(2)
        .backward(tensor([1, 1, 1])),
  ),
  advice(
    "backward(), backward(tensor([…])), or with options backward(undefined, { createGraph: true })",
    () =>
      weight()
        .sum()
        .backward({ createGraph: true } as never),
    () => weight().sum().backward(),
    () =>
      weight()
        .mul(2)
        .backward(tensor([1, 1, 1])),
    () => weight().sum().backward(undefined, { createGraph: true }),
  ),
  advice(
    "take the gradients as values: vmap(grad(loss), { inputs: [null, 0] })(weight, x)",
    () => {
      const w = weight();
      return vmap((x: Tensor) => {
        w.mul(x).sum().backward();
        return x;
      })(rows());
    },
    () => vmap(grad((w: Tensor, x: Tensor) => w.mul(x).sum()) as never, { inputs: [null, 0] })(weight(), rows()),
  ),
  advice(
    "arguments count from 0",
    () => grad((x: Tensor) => x.sum(), { argument: 1 })(row()),
    () => grad((x: Tensor) => x.sum(), { argument: 0 })(row()),
  ),
  advice(
    "reduce it (mean, sum), or use jacobian() or vectorJacobianProduct()",
    () => valueAndGrad(square)(row()),
    () => valueAndGrad((x: Tensor) => square(x).mean())(row()),
    () => valueAndGrad((x: Tensor) => square(x).sum())(row()),
    () => jacobian(square)(row()),
    () => vectorJacobianProduct(square)(row(), row()),
  ),
  advice(
    'convert it: to("float32"); or choose another argument',
    () => grad((x: Tensor, y: Tensor) => x.mul(y).sum())(integers(), tensor([1, 2])),
    () => grad((x: Tensor, y: Tensor) => x.mul(y).sum())(integers().to("float32"), tensor([1, 2])),
    () => grad((x: Tensor, y: Tensor) => x.mul(y).sum(), { argument: 1 })(integers(), tensor([1, 2])),
  ),
  advice(
    "assign to the parameter, or use detach()",
    () => weight().mul(2).assign([4, 5, 6]),
    () => weight().assign([4, 5, 6]),
    () => weight().mul(2).detach().assign([4, 5, 6]),
  ),
  advice(
    "call backward() before train() or eval()",
    () => {
      const norm = batchNorm(3);
      const y = checkpoint((x: Tensor) => (norm as unknown as (x: Tensor) => Tensor)(x))(parameter(rows()) as never);
      norm.eval();
      y.sum().backward();
    },
    () => {
      const norm = batchNorm(3);
      const y = checkpoint((x: Tensor) => (norm as unknown as (x: Tensor) => Tensor)(x))(parameter(rows()) as never);
      y.sum().backward();
      norm.eval();
    },
  ),
  // vmap.
  advice(
    READ_OUTSIDE,
    () => vmap((x: Tensor) => (x.sum().item() > 0 ? x : x.neg()))(rows()),
    () => vmap(halves)(rows()),
  ),
  advice(
    "return the new numbers, or put layers that keep statistics into eval mode: net.eval()",
    () => vmap((x: Tensor) => (batchNorm(3) as unknown as (x: Tensor) => Tensor)(x))(zeros([2, 4, 3])),
    () => vmap((x: Tensor) => (batchNorm(3).eval() as unknown as (x: Tensor) => Tensor)(x))(zeros([2, 4, 3])),
    () => vmap((x: Tensor) => x.mean())(zeros([2, 4, 3])),
  ),
  advice(
    "one number stands for all tensors; an array or a record needs an axis for each entry of the result",
    () => vmap((x: Tensor) => ({ a: x, b: x.sum() }), { outputs: { a: 0 } as never })(rows()),
    () => vmap((x: Tensor) => ({ a: x, b: x.sum() }), { outputs: 0 })(rows()),
    () => vmap((x: Tensor) => ({ a: x, b: x.sum() }), { outputs: { a: 1, b: 0 } })(rows()),
  ),
  advice(
    "name the dimension that counts the examples: { outputs: 0 }",
    () => vmap((x: Tensor) => x.sum(), { outputs: null })(rows()),
    () => vmap((x: Tensor) => x.sum(), { outputs: 0 })(rows()),
  ),
  advice(
    "name the dimension that counts the examples: { inputs: [0, 1] }; null for what all examples share",
    () => vmap((x: Tensor, y: Tensor) => x.add(y))(zeros([2, 3]), zeros([3, 2])),
    () => vmap((x: Tensor, y: Tensor) => x.add(y), { inputs: [0, 1] })(zeros([2, 3]), zeros([3, 2])),
    () => vmap((x: Tensor, y: Tensor) => x.add(y), { inputs: [0, null] })(zeros([2, 3]), zeros([3])),
  ),
  advice(
    "give a dimension for at least one: { inputs: [0] }",
    () => vmap((x: Tensor) => x.sum(), { inputs: [null] })(rows()),
    () => vmap((x: Tensor) => x.sum(), { inputs: [0] })(rows()),
  ),
  advice(
    "map over fewer examples at a time",
    () => vmap((x: Tensor) => x.broadcastTo([2 ** 20]), { inputs: [0] })(zeros([2 ** 12])),
    () => vmap((x: Tensor) => x.broadcastTo([2 ** 10]), { inputs: [0] })(zeros([2 ** 5])),
  ),
  // Compiled functions.
  advice(
    "give the guard to the outer function, and call this one uncompiled there",
    () => {
      const guarded = compile(counting(), { guard: () => tensor(1) } as never);
      compile((x: Tensor) => guarded(x))(row());
    },
    () => compile(counting(), { guard: () => tensor(1) } as never)(row()),
  ),
  advice(
    "pass every tensor as an argument of its own",
    () => compile(((list: Tensor[]) => list[0]) as never)([row()] as never),
    () => compile((a: Tensor, b: Tensor) => a.add(b))(row(), row()),
  ),
  advice(
    "compute it inside the compiled function, or pass its detach()",
    () => compile((x: Tensor) => x.sum().backward())(weight().mul(2)),
    () => compile((x: Tensor) => x.mul(2).sum().backward())(weight()),
    () => compile((x: Tensor) => x.add(weight()).sum().backward())(weight().mul(2).detach()),
  ),
  advice(
    "await before calling the compiled function",
    () => compile((async (x: Tensor) => x) as never)(row() as never),
    async () => compile(square)(await Promise.resolve(row())),
  ),
  advice(
    "numbers come out as tensors: return the tensor, and read it with item() outside",
    () => compile((() => 1) as never)(row() as never),
    () => compile((x: Tensor) => x.sum())(row()).item(),
  ),
  advice(
    "call backward() inside it, before they change; detach() the result where no gradient is wanted",
    () => {
      const [w, state] = [weight(), tensor([1, 1, 1])];
      const step = compile(() => {
        const y = w.mul(state).sum();
        state.assign(state.add(1));
        return y;
      });
      step().backward();
    },
    () => {
      const [w, state] = [weight(), tensor([1, 1, 1])];
      const step = compile(() => {
        const y = w.mul(state).sum();
        y.backward();
        state.assign(state.add(1));
        return y.detach();
      });
      step();
    },
  ),
  advice(
    "call both inside the same compiled function; or pass the result's detach()",
    () => {
      const [w, inner] = [weight(), compile((x: Tensor) => x.square().sum())];
      const y = inner(w);
      compile(() => void y.backward())();
    },
    () => {
      const w = weight();
      compile(() => void w.square().sum().backward())();
    },
    () => {
      const [w, y] = [weight(), compile((x: Tensor) => x.square().sum())(weight())];
      compile((fixed: Tensor) => w.mul(fixed).sum().backward())(y.detach());
    },
  ),
  advice(
    "call backward() before the tensor changes; call the function again; or pass the tensor's clone() as an argument",
    () => changedMeanwhile("after"),
    () => changedMeanwhile("before"),
    () => changedMeanwhile("again"),
    () => changedMeanwhile("clone"),
  ),
  advice(
    "call it from a shallower place, start node with --stack-size=2000, or leave compile() away",
    () => compile(square, { onPass: (name) => void (name === "fuse" && overflow()) })(row()),
    () => compile(square)(row()),
    () => promisify(execFile)(process.execPath, ["--stack-size=2000", "-e", "0"]),
    () => square(row()),
  ),
  advice(
    READ_OUTSIDE,
    () => compile((x: Tensor) => (x.sum().item() > 0 ? x : x.neg()))(row()),
    () => compile(halves)(row()),
  ),
  advice(
    "return it from the function, or call backward() inside",
    () => {
      let kept: Tensor | undefined;
      const w = weight();
      compile(() => {
        kept = w.square().sum();
        return w.sum();
      })();
      kept?.backward();
    },
    () => compile((w: Tensor) => w.square().sum())(weight()).backward(),
    () => compile((w: Tensor) => void w.square().sum().backward())(weight()),
  ),
  advice(
    "return it from the function (a gradient too: return weight.grad); while fit trains, a recorder sees it, and with compile: false it can be read",
    () => {
      let kept: Tensor | undefined;
      compile((x: Tensor) => {
        kept = x.square();
        return x.sum();
      })(row());
      return kept?.data;
    },
    () => compile((x: Tensor) => [x.square(), x.sum()])(row()),
    () => {
      const w = weight();
      return compile(() => {
        w.square().sum().backward();
        return w.grad as Tensor;
      })().data;
    },
  ),
  advice(
    "return it from the compiled function it was made in",
    () => {
      let kept = row() as Tensor;
      compile((x: Tensor) => {
        kept = x.square();
        return x;
      })(row());
      compile((x: Tensor) => x.add(kept))(row());
    },
    () => compile((x: Tensor, y: Tensor) => x.add(y))(row(), compile(square)(row())),
  ),
  advice(
    "keep to tensor operations: where(condition, a, b) instead of if",
    () => {
      const state = tensor([1, 2, 3]);
      compile((x: Tensor) => {
        const scale = (state.data[0] as number) > 0 ? 2 : 1;
        state.assign(x.mul(scale));
        return x;
      })(row());
    },
    () => {
      const state = tensor([1, 2, 3]);
      compile((x: Tensor) => {
        state.assign(where(state.greater(0), x.mul(2), x));
        return x;
      })(row());
    },
  ),
  advice(
    "call zeroGrad() before backward()",
    () => {
      const w = weight();
      compile(() => void w.square().sum().backward())();
      w.square().sum().backward();
    },
    () => {
      const w = weight();
      compile(() => void w.square().sum().backward())();
      w.zeroGrad();
      w.square().sum().backward();
    },
  ),
  advice(
    'call zeroGrad() in "second" before backward()',
    () => {
      const w = weight();
      compile(() => void w.square().sum().backward())();
      compile(() => void w.square().sum().backward(), { name: "second" } as never)();
    },
    () => {
      const w = weight();
      compile(() => void w.square().sum().backward())();
      compile(
        () => {
          w.zeroGrad();
          w.square().sum().backward();
        },
        { name: "second" } as never,
      )();
    },
  ),
];
