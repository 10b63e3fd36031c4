// Layers around other layers: a body beside a shortcut, and branches side by side.

import * as functions from "../tensor/functions/index.ts";
import { isTensor } from "../tensor/tensor.ts";
import type { Tensor } from "../tensor/types.ts";
import { InputError, ShapeError } from "../util/errors.ts";
import { shapeText } from "../util/shape-text.ts";
import { callPart, type LayerOrFunction } from "./call.ts";
import { type Layer, makeLayer, type ShapedLayer } from "./layer.ts";
import type { ParallelRule, ResidualRule, SameRule } from "./rules.ts";
import type { UnaryLayer } from "./sequential.ts";

/**
 * How the results of branches become one: side by side along the channels (axis 1), their sum, or a function of all of
 * them.
 */
export type Join = "concat" | "add" | ((...outputs: Tensor[]) => Tensor);

type Unchanged = { readonly shapes: SameRule };

/**
 * body(x) + shortcut(x); without a shortcut, body(x) + x. Layers body and shortcut. He et al. 2016.
 * @example residual(sequential(conv2d(8, 8, 3, { padding: 1 }), relu, conv2d(8, 8, 3, { padding: 1 })))
 * @throws ShapeError when the two shapes differ
 */
export function residual<const Body extends UnaryLayer, const Shortcut = Unchanged>(
  body: Body,
  shortcut?: Shortcut & UnaryLayer,
): ShapedLayer<ResidualRule<Body, Shortcut>> {
  checkParts("residual", shortcut === undefined ? { body } : { body, shortcut });
  return makeLayer({
    kind: "residual",
    parts: [["body", body as LayerOrFunction], ...(shortcut === undefined ? [] : [["shortcut", shortcut as LayerOrFunction] as const])],
    forward(_state, x: Tensor) {
      const made = result("residual", "body", callPart(body as LayerOrFunction, [x], "body"));
      const kept = shortcut === undefined ? x : result("residual", "shortcut", callPart(shortcut as LayerOrFunction, [x], "shortcut"));
      if (made.shape.join() !== kept.shape.join())
        throw new ShapeError(`residual: the body makes ${shapeText(made.shape)} where the shortcut makes ${shapeText(kept.shape)}`, {
          hint: "give a shortcut that makes the same shape, such as a 1×1 convolution",
        });
      return made.add(kept);
    },
  });
}

/**
 * All branches get the same input; their results are joined. Branches are layers or functions, in a list or a record of
 * names.
 * @param join default "concat": along axis 1, the channels
 * @example parallel([conv2d(3, 8, 1), conv2d(3, 8, 3, { padding: 1 })])
 * @throws InputError without branches; ShapeError when the results do not fit together
 */
export function parallel<const Branches extends readonly UnaryLayer[], const How extends "concat" | "add" = "concat">(
  branches: Branches,
  join?: How,
): ShapedLayer<ParallelRule<Branches, How>>;
export function parallel(branches: readonly UnaryLayer[], join: (...outputs: Tensor[]) => Tensor): Layer;
export function parallel(branches: Readonly<Record<string, UnaryLayer>>, join?: Join): Layer;
export function parallel(branches: readonly UnaryLayer[] | Readonly<Record<string, UnaryLayer>>, join: Join = "concat"): unknown {
  const parts = Object.entries(branches) as [string, LayerOrFunction][];
  if (parts.length === 0) throw new InputError("parallel: expected at least one branch, got none");
  checkParts("parallel", Object.fromEntries(parts));
  if (join !== "concat" && join !== "add" && typeof join !== "function")
    throw new InputError(`parallel: join must be "concat", "add" or a function of tensors, got ${JSON.stringify(join)}`);
  return makeLayer<Layer>({
    kind: "parallel",
    settings: { join: typeof join === "function" ? join.name || "function" : join },
    parts,
    forward(_state, x: Tensor) {
      const made = parts.map(([name, part]) => result("parallel", name, callPart(part, [x], name)));
      if (typeof join === "function") return result("parallel", "join", join(...made));
      if (join === "concat") return functions.concat(made, 1);
      const different = made.findIndex((value) => value.shape.join() !== made[0]?.shape.join());
      if (different > 0)
        throw new ShapeError(
          `parallel: branches that are added must make one shape: ${parts[0]?.[0]} makes [${made[0]?.shape.join(", ")}], ${parts[different]?.[0]} makes [${made[different]?.shape.join(", ")}]`,
        );
      return made.reduce((sum, value) => sum.add(value));
    },
  });
}

function checkParts(kind: string, parts: Readonly<Record<string, unknown>>): void {
  for (const [name, part] of Object.entries(parts))
    if (typeof part !== "function")
      throw new InputError(
        `${kind}: expected ${name} to be a layer or a function, got ${isTensor(part) ? "a tensor" : part === null ? "null" : typeof part}`,
      );
}

function result(kind: string, name: string, value: unknown): Tensor {
  if (isTensor(value)) return value;
  throw new InputError(`${kind}: ${name} returned ${typeof value}, expected a tensor`);
}
