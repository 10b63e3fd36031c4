// Backpropagation: walks the tape from a result to its leaves and applies the gradient formula of every op on the way.

import { allocate } from "../../nest/arrays.ts";
import * as arithmetic from "../../ops/arithmetic.ts";
import { InputError } from "../../util/errors.ts";
import { shapeText } from "../../util/shape-text.ts";
import { withPass } from "../context.ts";
import { apply } from "../engine.ts";
import { observer } from "../observe.ts";
import { checkAtHand, currentTrace } from "../trace/trace.ts";
import type { TapeNode, Value } from "../value.ts";
import { levelsOf } from "../vmap/mapping.ts";
import { asFound } from "./as-found.ts";
import { addUp, type Contribution } from "./contributions.ts";
import { gradientOps } from "./parts.ts";
import { withRecording } from "./tape.ts";

export interface BackwardOptions {
  /** Records the backward pass itself, so that gradients can be differentiated again. */
  readonly createGraph?: boolean;
  /** Goes no further than the inputs asked for, none of which is computed from another. */
  readonly stops?: boolean;
}

/** Adds the gradient of `root` to the `grad` of every leaf (and tensor that keeps its gradient) it depends on. */
export function backward(root: Value, upstream: Value | undefined, options: BackwardOptions = {}): void {
  const { gradients, order } = propagate(root, upstream, options);
  const store = (value: Value): void => {
    const gradient = gradients.get(value);
    if (gradient === undefined || !value.requiresGrad || (value.node !== undefined && !value.retainsGrad)) return;
    if (levelsOf(gradient).some((level) => !levelsOf(value).includes(level)))
      throw new InputError("backward: inside vmap a tensor from outside would get one gradient per example", {
        hint: "take the gradients as values: vmap(grad(loss), { inputs: [null, 0] })(weight, x)",
      });
    currentTrace()?.touchGradient(value, "read");
    checkAtHand(value.gradient, "backward adds to the gradient", "call zeroGrad() before backward()");
    value.gradient =
      value.gradient === undefined
        ? gradient
        : withRecording(options.createGraph === true, () => apply(arithmetic.add, [value.gradient as Value, gradient]));
  };
  const seen = new Set<Value>();
  for (const value of order)
    for (const candidate of [value, ...(value.node?.inputs ?? [])]) {
      if (seen.has(candidate)) continue;
      seen.add(candidate);
      store(candidate);
    }
}

/** The gradients of `root` by each of `inputs`; undefined where it does not depend on one. Leaves are not touched. */
export function gradientsOf(
  root: Value,
  inputs: readonly Value[],
  upstream: Value | undefined,
  options: BackwardOptions,
): (Value | undefined)[] {
  const { gradients } = propagate(root, upstream, options, options.stops === true ? new Set(inputs) : undefined);
  return inputs.map((input) => gradients.get(input));
}

function propagate(
  root: Value,
  upstream: Value | undefined,
  options: BackwardOptions,
  stops: ReadonlySet<Value> = new Set(),
): { gradients: Map<Value, Value>; order: readonly Value[] } {
  if (!root.requiresGrad)
    throw new InputError(`backward: the tensor of shape ${shapeText(root.shape)} depends on nothing that requires a gradient`, {
      hint: "compute it from a parameter, or from tensor(…, { requiresGrad: true }), outside noGrad()",
    });
  if (upstream === undefined && root.size !== 1)
    throw new InputError(`backward: the tensor has shape ${shapeText(root.shape)}, so it needs the gradient of its output`, {
      hint: "call it on a single number (loss.mean().backward()), or pass a gradient of the same shape",
    });
  if (upstream !== undefined && upstream.shape.join() !== root.shape.join())
    throw new InputError(`backward: the given gradient has shape ${shapeText(upstream.shape)}, the tensor ${shapeText(root.shape)}`);
  return withPass("backward", () =>
    withRecording(options.createGraph === true, () => {
      const order = topological(root, stops);
      const gradients = new Map<Value, Value>();
      const contributions = new Map<Value, (Contribution | Value)[]>();
      for (const value of order) {
        const gradient = value === root ? (upstream ?? one(root)) : addUp(value, contributions.get(value) ?? []);
        contributions.delete(value);
        if (gradient === undefined) continue;
        gradients.set(value, gradient);
        observer()?.differentiated?.(value, gradient);
        if (value.node === undefined || stops.has(value)) continue;
        for (const [input, contribution] of contributionsOf(value.node, gradient)) {
          const known = contributions.get(input);
          if (known === undefined) contributions.set(input, [contribution]);
          else known.push(contribution);
        }
      }
      return { gradients, order };
    }),
  );
}

function one(root: Value): Value {
  const seed = root.make(allocate(root.dtype, 1).fill(1), root.shape, root.dtype);
  seed.isConstant = true;
  return seed;
}

function contributionsOf(node: TapeNode, upstream: Value): (readonly [input: Value, contribution: Contribution | Value])[] {
  if (node.pull !== undefined)
    return withPass("backward", () => (node.pull as NonNullable<TapeNode["pull"]>)(upstream), node).flatMap((gradient, number) => {
      const input = node.inputs[number]!;
      return gradient === undefined || !input.requiresGrad ? [] : [[input, gradient] as const];
    });
  const { op } = node;
  const result = op.formula.statements[op.formula.statements.length - 1]?.target ?? "y";
  const named = (name: string): Value => {
    if (name === `g${result}`) return upstream;
    if (name === result) return node.output;
    return readBy(node, op.formula.inputs.indexOf(name));
  };
  return op.formula.inputs.flatMap((name, number) => {
    const input = node.inputs[number]!;
    if (!input.requiresGrad) return [];
    return gradientOps(op, name).map(
      (gradientOp) => [input, { op: gradientOp, inputs: gradientOp.formula.inputs.map(named), node }] as const,
    );
  });
}

/** An input with the numbers that the op read. */
function readBy({ inputs, found }: TapeNode, number: number): Value {
  return asFound(inputs[number]!, found?.[number]);
}

/** Every tensor on the tape behind `root`, each before the inputs it was made from. */
export function topological(root: Value, stops: ReadonlySet<Value>): Value[] {
  const done = new Set<Value>();
  const order: Value[] = [];
  const stack: { value: Value; next: number }[] = [{ value: root, next: 0 }];
  done.add(root);
  while (stack.length > 0) {
    const top = stack[stack.length - 1]!;
    const inputs = stops.has(top.value) ? [] : (top.value.node?.inputs ?? []);
    const input = inputs[top.next++];
    if (input === undefined) {
      order.push(top.value);
      stack.pop();
    } else if (input.requiresGrad && !done.has(input)) {
      done.add(input);
      stack.push({ value: input, next: 0 });
    }
  }
  return order.reverse();
}
