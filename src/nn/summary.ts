// A model at a glance: every layer's output shape, parameters and multiply-adds, as data and as a table.

import { zeros } from "../tensor/create.ts";
import { noGrad } from "../tensor/tape.ts";
import { isTensor } from "../tensor/tensor.ts";
import type { DType, Tensor } from "../tensor/types.ts";
import { InputError } from "../util/errors.ts";
import { observeLayers, stateOf } from "./call.ts";
import type { LayerMembers } from "./layer.ts";
import { grouped, parameterTotal } from "./print.ts";

/** One layer of a model. */
export interface SummaryRow {
  /** Where the layer stands ("0.conv1"). */
  readonly path: string;
  /** "conv2d", or the name of a plain function. */
  readonly kind: string;
  readonly outputShape: readonly number[];
  /** Numbers in the parameters of this layer that no row above has counted. */
  readonly parameters: number;
  /** Multiplications with an addition in linear and convolution layers, for this input; other arithmetic is not counted. */
  readonly multiplyAdds: number;
}

/** A model as a table of its layers. */
export interface Summary {
  readonly inputShape: readonly number[];
  readonly rows: readonly SummaryRow[];
  readonly parameters: number;
  readonly trainableParameters: number;
  readonly multiplyAdds: number;
  /** The table; no line is longer than 80 columns. */
  toString(): string;
}

/**
 * Runs the layer once on zeros of the given shape (in eval mode, so that nothing changes) and reports what every layer made.
 * @param inputShape with the batch, e.g. [1, 784]
 * @throws ShapeError when the shape does not fit the layer
 */
export function summary(layer: LayerMembers, inputShape: readonly number[], options: { readonly dtype?: DType } = {}): Summary {
  const state = stateOf(layer);
  if (state === undefined) throw new InputError("summary: expected a layer", { hint: "put plain functions into sequential(…)" });
  const modes = [...layer.namedLayers().values()].map((inner) => [inner, inner.training] as const);
  const counted = new Set<Tensor>();
  const rows: SummaryRow[] = [];
  layer.eval();
  try {
    observeLayers(
      (call) => {
        if (!isTensor(call.output)) return;
        const inner = call.layer && stateOf(call.layer);
        // A container without weights of its own says nothing that its parts do not.
        if (inner !== undefined && inner.parts.size > 0 && inner.parameters.size === 0) return;
        const fresh = [...(inner?.parameters.values() ?? [])].filter((value) => !counted.has(value));
        for (const value of fresh) counted.add(value);
        const [input] = call.inputs;
        rows.push({
          path: call.path,
          kind: call.kind,
          outputShape: call.output.shape,
          parameters: fresh.reduce((sum, value) => sum + value.size, 0),
          multiplyAdds: inner === undefined || !isTensor(input) ? 0 : inner.multiplyAdds(input.shape, call.output.shape),
        });
      },
      () => noGrad(() => (layer as unknown as (x: unknown) => unknown)(zeros(inputShape, { dtype: options.dtype ?? "float32" }))),
    );
  } finally {
    // Outer layers come first: train() also sets the inner ones, which then get their own mode back.
    for (const [inner, on] of modes) inner.train(on);
  }
  const made = {
    inputShape,
    rows,
    parameters: parameterTotal(stateOf(layer) ?? state),
    trainableParameters: layer.parameters().reduce((sum, value) => sum + (value.requiresGrad ? value.size : 0), 0),
    multiplyAdds: rows.reduce((sum, row) => sum + row.multiplyAdds, 0),
  };
  const text = (): string => table(made);
  return Object.defineProperties(
    { ...made, toString: text },
    { toString: { enumerable: false }, [Symbol.for("nodejs.util.inspect.custom")]: { value: text } },
  );
}

const WIDTH = 80;
const HEAD = ["layer", "kind", "output shape", "parameters", "multiply-adds"];
/** Numbers stand right, words left. */
const RIGHT = [false, false, false, true, true];

function table(data: Omit<Summary, "toString">): string {
  const body = data.rows.map((row) => [
    row.path,
    row.kind,
    `[${row.outputShape.join(", ")}]`,
    count(row.parameters),
    count(row.multiplyAdds),
  ]);
  const total = ["total", "", "", count(data.parameters), count(data.multiplyAdds)];
  const lines = [HEAD, ...body, total];
  const widths = HEAD.map((_, column) => Math.max(...lines.map((cells) => (cells[column] as string).length)));
  const gap = 2;
  // Paths give way first, then kinds, then shapes; numbers are never cut.
  for (const [column, least] of [
    [0, 12],
    [1, 8],
    [2, 8],
  ] as const) {
    const excess = widths.reduce((a, b) => a + b, 0) + gap * (widths.length - 1) - WIDTH;
    if (excess > 0) widths[column] = Math.max(Math.min(least, widths[column] as number), (widths[column] as number) - excess);
  }
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, column) => place(cell, widths[column] as number, RIGHT[column] === true))
      .join(" ".repeat(gap))
      .trimEnd();
  const rule = "─".repeat(Math.min(WIDTH, widths.reduce((a, b) => a + b, 0) + gap * (widths.length - 1)));
  const frozen = data.parameters - data.trainableParameters;
  const note = frozen === 0 ? [] : [`${grouped(frozen)} of the parameters are frozen`];
  return [`input [${data.inputShape.join(", ")}]`, line(HEAD), rule, ...body.map(line), rule, line(total), ...note].join("\n");
}

function place(text: string, width: number, right: boolean): string {
  if (text.length <= width) return right ? text.padStart(width) : text.padEnd(width);
  const front = Math.floor((width - 1) / 2);
  return `${text.slice(0, front)}…${text.slice(text.length - (width - 1 - front))}`;
}

/** "101,770"; in millions from a thousand million on, so that columns stay narrow. */
function count(value: number): string {
  return value < 1e9 ? grouped(value) : `${grouped(Math.round(value / 1e6))} M`;
}
