// Derivatives as functions: grad, Jacobians, Hessians and their vector products, all from backward passes.

import { isFloat } from "../../nest/typing.ts";
import * as arithmetic from "../../ops/arithmetic.ts";
import { sum } from "../../ops/reductions.ts";
import { FUNCTION, requireKind } from "../../util/arguments.ts";
import { InputError, ShapeError } from "../../util/errors.ts";
import { checkOptions } from "../../util/options.ts";
import { shapeText } from "../../util/shape-text.ts";
import { eye, zeros } from "../create.ts";
import { apply } from "../engine.ts";
import { reduceAxes, reshape } from "../operate.ts";
import type { Shape } from "../shapes.ts";
import { asTensor, valueOf } from "../tensor.ts";
import { rebuild, type TensorTree, valuesOf } from "../tree.ts";
import type { Tensor } from "../types.ts";
import type { Value } from "../value.ts";
import { vmap } from "../vmap/vmap.ts";
import { gradientsOf, topological } from "./backward.ts";
import { isRecording, withRecording } from "./tape.ts";

/** Gradients have the form of what they are gradients by: tensors of the same shapes in the same arrays and records. */
export type GradientOf<Argument> =
  Argument extends Tensor<infer S extends Shape> ? Tensor<S> : { readonly [Key in keyof Argument]: GradientOf<Argument[Key]> };

/** Which argument to differentiate by: a position, or several. */
export type ArgumentChoice = number | readonly number[];

/** The gradient by one argument, or a list of gradients by several. */
export type GradientsOf<Args extends readonly unknown[], Choice extends ArgumentChoice> = Choice extends number
  ? GradientOf<Args[Choice]>
  : { readonly [Place in keyof Choice]: Choice[Place] extends number ? GradientOf<Args[Choice[Place]]> : never };

/** By which arguments to differentiate. */
export interface GradOptions<Choice extends ArgumentChoice> {
  /** Position of the argument to differentiate by, or several. Default 0. */
  readonly argument?: Choice;
}

/** A function's value and its gradient. */
export interface ValueAndGradient<Gradient> {
  /** What the function gave: a single number. */
  readonly value: Tensor;
  readonly gradient: Gradient;
}

/**
 * The gradient of a function to a single number, as a function of the same arguments; arguments may be arrays and
 * records of tensors. Zeros where the number does not depend on a tensor. It neither needs `requiresGrad` nor touches
 * `grad`. Gradients of gradients work, and so do calls inside compile() and vmap().
 * @throws InputError when `fn` gives anything but a tensor of one element, or the argument holds integers
 * @example grad((x: Tensor) => x.square().sum())(tensor([1, 2])) // [2, 4]
 */
export function grad<Args extends readonly unknown[], const Choice extends ArgumentChoice = 0>(
  fn: (...args: Args) => Tensor,
  options: GradOptions<Choice> = {},
): (...args: Args) => GradientsOf<Args, Choice> {
  requireKind("grad", FUNCTION, fn);
  checkOptions<GradOptions<Choice>>("grad", options, { argument: true });
  const both = valueAndGrad(fn, options);
  return (...args) => both(...args).gradient;
}

/**
 * As grad(), together with the function's value.
 * @throws InputError as grad() does
 * @example const { value, gradient } = valueAndGrad(loss)({ weight, bias }, x);
 */
export function valueAndGrad<Args extends readonly unknown[], const Choice extends ArgumentChoice = 0>(
  fn: (...args: Args) => Tensor,
  options: GradOptions<Choice> = {},
): (...args: Args) => ValueAndGradient<GradientsOf<Args, Choice>> {
  requireKind("valueAndGrad", FUNCTION, fn);
  checkOptions<GradOptions<Choice>>("valueAndGrad", options, { argument: true });
  const choice: ArgumentChoice = options.argument ?? 0;
  const places = typeof choice === "number" ? [choice] : choice;
  return (...args) => {
    for (const place of places)
      if (!Number.isInteger(place) || place < 0 || place >= args.length)
        throw new InputError(`grad: there is no argument ${place} among the ${args.length} given`, { hint: "arguments count from 0" });
    const run = trackedRun("grad", places, args, fn);
    const [y] = run.results as [Value];
    if (run.results.length !== 1 || y.size !== 1)
      throw new InputError(
        `grad: the function must give a single number, got ${run.results.map(({ shape }) => shapeText(shape)).join(", ")}`,
        {
          hint: "reduce it (mean, sum), or use jacobian() or vectorJacobianProduct()",
        },
      );
    const gradients = run.pull([undefined]);
    const trees = places.map((place, n) => rebuild(args[place] as TensorTree, gradients[n] as Tensor[]));
    return { value: asTensor(run.settled(y)), gradient: (typeof choice === "number" ? trees[0] : trees) as GradientsOf<Args, Choice> };
  };
}

/**
 * The product vᵀJ of a vector with the Jacobian of `fn` at x, of the form of x; v is of the form of what `fn` gives.
 * One backward pass.
 * @throws ShapeError when v has other shapes than what `fn` gives
 */
export function vectorJacobianProduct<X extends TensorTree, Y extends TensorTree>(fn: (x: X) => Y): (x: X, v: Y) => X {
  requireKind("vectorJacobianProduct", FUNCTION, fn);
  return (x, v) => {
    const run = trackedRun("vectorJacobianProduct", [0], [x], fn);
    const vectors = vectorsLike("vectorJacobianProduct", v, run.results);
    return rebuild(x, run.pull(vectors)[0]!) as X;
  };
}

/**
 * The product Jv of the Jacobian of `fn` at x with a vector of the form of x; it has the form of what `fn` gives: how
 * the result changes when x moves along v. The transpose of a transpose: vᵀJ is linear in v, and its gradient by v is
 * the product.
 * @throws ShapeError when v has other shapes than x
 * @see https://j-towns.github.io/2017/06/12/A-new-trick.html
 */
export function jacobianVectorProduct<X extends TensorTree, Y extends TensorTree>(fn: (x: X) => Y): (x: X, v: X) => Y {
  requireKind("jacobianVectorProduct", FUNCTION, fn);
  return (x, v) => {
    const run = trackedRun("jacobianVectorProduct", [0], [x], fn);
    const vectors = vectorsLike("jacobianVectorProduct", v, valuesOf(x, "jacobianVectorProduct"));
    const product = withRecording(true, () => {
      const weights = run.results.map((y) => {
        const weight = zerosLike(y);
        weight.requiresGrad = true;
        return weight;
      });
      const along = dot(run.pullOpen(weights), vectors);
      const found = along.requiresGrad ? gradientsOf(along, weights, undefined, { createGraph: run.isOpen, stops: true }) : [];
      return weights.map((weight, n) => asTensor(found[n] ?? zerosLike(weight)));
    });
    return rebuild(run.result, product) as Y;
  };
}

/**
 * The product Hv of the Hessian of a function to a single number with a vector of the form of x, without the Hessian
 * itself: the gradient of the gradient's product with v. Pearlmutter 1994.
 * @throws InputError when `fn` gives no single number; ShapeError when v has other shapes than x
 */
export function hessianVectorProduct<X extends TensorTree>(fn: (x: X) => Tensor): (x: X, v: X) => X {
  requireKind("hessianVectorProduct", FUNCTION, fn);
  return (x, v) => {
    const first: (at: X) => unknown = grad(fn);
    const along = (at: X): Tensor => {
      const gradients = valuesOf(first(at), "hessianVectorProduct");
      return asTensor(dot(gradients, vectorsLike("hessianVectorProduct", v, gradients)));
    };
    return grad(along)(x) as unknown as X;
  };
}

/**
 * All derivatives of what `fn` gives, of shape [...y], by a tensor x: a tensor [...y, ...x]. One backward pass for all
 * elements of y at once, by vmap() over their one-hot gradients: it takes as much memory as that many.
 * @throws InputError when x holds integers
 */
export function jacobian(fn: (x: Tensor) => Tensor): (x: Tensor) => Tensor {
  requireKind("jacobian", FUNCTION, fn);
  return (x) => {
    const run = trackedRun("jacobian", [0], [x], fn);
    const [y] = run.results as [Value];
    const hot = eye(y.size, { dtype: y.dtype }).reshape([y.size, ...y.shape]);
    if (y.size === 0) return zeros([...y.shape, ...x.shape], { dtype: x.dtype });
    const rows = vmap((upstream: Tensor) => (run.pull([valueOf(upstream)])[0] as Tensor[])[0]!)(hot);
    return rows.reshape([...y.shape, ...x.shape]);
  };
}

/**
 * The second derivatives of a function to a single number: a tensor [...x, ...x].
 * @throws InputError when `fn` gives no single number, or x holds integers
 */
export function hessian(fn: (x: Tensor) => Tensor): (x: Tensor) => Tensor {
  requireKind("hessian", FUNCTION, fn);
  return jacobian(grad<[x: Tensor]>(fn) as (x: Tensor) => Tensor);
}

/** A function's run on tracked copies of some of its arguments. */
interface TrackedRun {
  readonly result: TensorTree;
  readonly results: readonly Value[];
  /** Something else than the copies takes part that requires a gradient, so results keep their tape. */
  readonly isOpen: boolean;
  /**
   * The gradients by each tracked argument's tensors, given those of the results (undefined for a single number); zeros
   * where there is none.
   */
  readonly pull: (upstream: readonly (Value | undefined)[]) => Tensor[][];
  /** The same in one list, recorded. */
  readonly pullOpen: (upstream: readonly Value[]) => Value[];
  /** The result without the copies' tape. */
  readonly settled: (result: Value) => Value;
}

function trackedRun(name: string, places: readonly number[], args: readonly unknown[], fn: (...args: never[]) => unknown): TrackedRun {
  const wasRecording = isRecording();
  const copies = new Map<number, Value[]>();
  const copied = args.map((arg, place) => {
    if (!places.includes(place)) return arg;
    const leaves = valuesOf(arg, `${name}: argument ${place}`).map((value) => tracked(name, place, value, wasRecording));
    copies.set(place, leaves);
    return rebuild(
      arg as TensorTree,
      leaves.map((leaf) => asTensor(leaf)),
    );
  });
  const result = withRecording(true, () => fn(...(copied as never[]))) as TensorTree;
  const results = valuesOf(result, `${name}: the function's result`);
  const inputs = places.map((place) => copies.get(place)!);
  const flat = [...new Set(inputs.flat())];
  const stops = new Set(flat);
  const isOpen =
    wasRecording &&
    results.some(
      (y) =>
        y.requiresGrad &&
        topological(y, stops).some(
          (value) => value.requiresGrad && (stops.has(value) ? value.node !== undefined : value.node === undefined),
        ),
    );
  const gradients = (upstream: readonly (Value | undefined)[], createGraph: boolean): Value[] => {
    const sums = new Map<Value, Value>();
    results.forEach((y, n) => {
      if (!y.requiresGrad) return;
      gradientsOf(y, flat, upstream[n], { createGraph, stops: true }).forEach((gradient, place) => {
        const leaf = flat[place]!;
        const known = sums.get(leaf);
        if (gradient !== undefined)
          sums.set(leaf, known === undefined ? gradient : withRecording(createGraph, () => apply(arithmetic.add, [known, gradient])));
      });
    });
    return flat.map((leaf) => sums.get(leaf) ?? zerosLike(leaf));
  };
  return {
    result,
    results,
    isOpen,
    pull: (upstream) => {
      const found = gradients(upstream, isOpen);
      return inputs.map((leaves) => leaves.map((leaf) => asTensor(found[flat.indexOf(leaf)]!)));
    },
    pullOpen: (upstream) => gradients(upstream, true),
    settled: (y) => (isOpen || !y.requiresGrad ? y : withRecording(false, () => reshape(y, y.shape))),
  };
}

/** The same numbers as a tensor of their own that requires a gradient, on the tape of the original. */
function tracked(name: string, place: number, value: Value, record: boolean): Value {
  if (!isFloat(value.dtype))
    throw new InputError(`${name}: argument ${place} holds ${value.dtype}, and only floats have gradients`, {
      hint: 'convert it: to("float32"); or choose another argument',
    });
  const copy = withRecording(record, () => reshape(value, value.shape));
  copy.requiresGrad = true;
  return copy;
}

function zerosLike({ shape, dtype }: Value): Value {
  return valueOf(zeros(shape, { dtype }));
}

function vectorsLike(name: string, vectors: unknown, wanted: readonly Value[]): Value[] {
  const found = valuesOf(vectors, `${name}: the vector`);
  const texts = [found, wanted].map((list) => list.map(({ shape }) => shapeText(shape)).join(", "));
  if (texts[0] !== texts[1]) throw new ShapeError(`${name}: the vector must have shape ${texts[1]}, got ${texts[0]}`);
  return found;
}

/** Σ a · b over all elements of all pairs. */
function dot(a: readonly Value[], b: readonly Value[]): Value {
  const sums = a.map((one, n) => reduceAxes(sum, apply(arithmetic.mul, [one, b[n]!]), undefined));
  return sums.reduce((total, part) => apply(arithmetic.add, [total, part]));
}
