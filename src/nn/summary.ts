// Summary of a model: output shape, parameters, multiply-adds, memory and receptive field of every layer.

import { noGrad } from "../tensor/autograd/tape.ts";
import { zeros } from "../tensor/create.ts";
import { observing } from "../tensor/observe.ts";
import { isTensor, valueOf } from "../tensor/tensor.ts";
import type { DType, Tensor } from "../tensor/types.ts";
import { InputError } from "../util/errors.ts";
import { checkOptions } from "../util/options.ts";
import { shapeText } from "../util/shape-text.ts";
import { type LayerCall, observeLayers, stateOf } from "./call.ts";
import type { LayerMembers } from "./layer.ts";
import { Ledger, type ReceptiveField } from "./ledger.ts";
import { evaluating } from "./mode.ts";
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
  /**
   * Multiplications with an addition in matrix products, convolutions and other contractions, for this input; other
   * arithmetic is not counted.
   */
  readonly multiplyAdds: number;
  /** Bytes of all tensors that the layer's ops make for this input, one op at a time; views make none. */
  readonly activationBytes: number;
  /**
   * What an element in the middle of the output may depend on, along every dimension of the model's input, read off the
   * formulas of all ops between them: what masks hide counts. Undefined where no ops lead from the input to the output,
   * as when a function computes with numbers it has read.
   */
  readonly receptiveField: ReceptiveField | undefined;
}

/** A model as a table of its layers. */
export interface Summary {
  readonly inputShape: readonly number[];
  readonly rows: readonly SummaryRow[];
  readonly parameters: number;
  readonly trainableParameters: number;
  readonly multiplyAdds: number;
  readonly activationBytes: number;
  /** The table; no line is longer than 80 columns. */
  toString(): string;
}

/**
 * Runs the layer once on zeros of the given shape (in eval mode, so that nothing changes) and reports what every layer
 * made.
 * @param inputShape with the batch, e.g. [1, 784]
 * @throws ShapeError when the shape does not fit the layer
 */
export function summary(layer: LayerMembers, inputShape: readonly number[], options: { readonly dtype?: DType } = {}): Summary {
  checkOptions<typeof options>("summary", options, { dtype: true });
  const state = stateOf(layer);
  if (state === undefined) throw new InputError("summary: expected a layer", { hint: "put plain functions into sequential(…)" });
  const counted = new Set<Tensor>();
  const rows: SummaryRow[] = [];
  const ledger = new Ledger();
  const input = zeros(inputShape, { dtype: options.dtype ?? "float32" });
  const note = (call: LayerCall): void => {
    if (!isTensor(call.output)) return;
    const inner = call.layer && stateOf(call.layer);
    const work = ledger.take(call.path === "" ? [] : call.path.split("."));
    // A container that computes nothing itself says nothing that its parts do not.
    if (inner !== undefined && inner.parts.size > 0 && inner.parameters.size === 0 && work.bytes === 0) return;
    const fresh = [...(inner?.parameters.values() ?? [])].filter((value) => !counted.has(value));
    for (const value of fresh) counted.add(value);
    rows.push({
      path: call.path,
      kind: call.kind,
      outputShape: call.output.shape,
      parameters: fresh.reduce((sum, value) => sum + value.size, 0),
      multiplyAdds: work.multiplyAdds,
      activationBytes: work.bytes,
      receptiveField: ledger.field(valueOf(call.output), valueOf(input)),
    });
  };
  const run = layer as unknown as (x: unknown) => unknown;
  evaluating(() => observing(ledger, () => observeLayers(note, () => noGrad(() => run(input)))));
  const made = {
    inputShape,
    rows,
    parameters: parameterTotal(stateOf(layer) ?? state),
    trainableParameters: layer.parameters().reduce((sum, value) => sum + (value.requiresGrad ? value.size : 0), 0),
    multiplyAdds: rows.reduce((sum, row) => sum + row.multiplyAdds, 0),
    activationBytes: rows.reduce((sum, row) => sum + row.activationBytes, 0),
  };
  const text = (): string => table(made);
  return Object.defineProperties(
    { ...made, toString: text },
    { toString: { enumerable: false }, [Symbol.for("nodejs.util.inspect.custom")]: { value: text } },
  );
}

const WIDTH = 80;
const HEAD = ["layer", "kind", "output shape", "parameters", "mult-adds", "memory", "field"];
/** Numbers stand right, words left. */
const RIGHT = [false, false, false, true, true, true, true];

function table(data: Omit<Summary, "toString">): string {
  const body = data.rows.map((row) => [
    row.path,
    row.kind,
    shapeText(row.outputShape),
    count(row.parameters),
    count(row.multiplyAdds),
    memory(row.activationBytes),
    field(row.receptiveField, data.inputShape),
  ]);
  const total = ["total", "", "", count(data.parameters), count(data.multiplyAdds), memory(data.activationBytes), ""];
  const lines = [HEAD, ...body, total];
  const widths = HEAD.map((_, column) => Math.max(...lines.map((cells) => cells[column]!.length)));
  const gap = 2;
  // Paths give way first, then kinds, then shapes; numbers are never cut.
  for (const [column, least] of [
    [0, 12],
    [1, 8],
    [2, 8],
  ] as const) {
    const excess = widths.reduce((a, b) => a + b, 0) + gap * (widths.length - 1) - WIDTH;
    if (excess > 0) widths[column] = Math.max(Math.min(least, widths[column]!), widths[column]! - excess);
  }
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, column) => place(cell, widths[column]!, RIGHT[column] === true))
      .join(" ".repeat(gap))
      .trimEnd();
  const rule = "─".repeat(Math.min(WIDTH, widths.reduce((a, b) => a + b, 0) + gap * (widths.length - 1)));
  const frozen = data.parameters - data.trainableParameters;
  const note = frozen === 0 ? [] : [`${grouped(frozen)} of the parameters are frozen`];
  return [`input ${shapeText(data.inputShape)}`, line(HEAD), rule, ...body.map(line), rule, line(total), ...note].join("\n");
}

function place(text: string, width: number, right: boolean): string {
  if (text.length <= width) return right ? text.padStart(width) : text.padEnd(width);
  const front = Math.floor((width - 1) / 2);
  return `${text.slice(0, front)}…${text.slice(text.length - (width - 1 - front))}`;
}

/** "101,770"; in millions from a hundred million on, so that columns stay narrow. */
function count(value: number): string {
  return value < 1e8 ? grouped(value) : `${grouped(Math.round(value / 1e6))} M`;
}

/** "512 B", "3.1 KiB", "98 MiB". */
function memory(bytes: number): string {
  const power = bytes < 1024 ? 0 : Math.min(3, Math.floor(Math.log2(bytes) / 10));
  const value = bytes / 1024 ** power;
  return `${value < 10 && power > 0 ? value.toFixed(1) : Math.round(value)} ${["B", "KiB", "MiB", "GiB"][power]}`;
}

/**
 * "3×3", "all": along the dimensions of positions, those behind [batch, channels] or, with fewer than four, behind the
 * batch.
 */
function field(found: ReceptiveField | undefined, inputShape: readonly number[]): string {
  if (found === undefined) return "–";
  const [least, shown] = [inputShape.length >= 4 ? 2 : 1, found.size];
  const isWhole = (d: number): boolean => shown[d] === inputShape[d];
  const along = [...shown.keys()].slice(least);
  return along.every(isWhole) ? "all" : along.map((d) => (isWhole(d) ? "all" : `${shown[d]}`)).join("×");
}
