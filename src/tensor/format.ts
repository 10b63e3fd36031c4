// Prints tensors for people: aligned numbers, nested brackets, long ones shortened in the middle.

import type { HostArray } from "../backends/backend.ts";
import type { DType } from "../nest/nest.ts";
import { isFloat } from "../nest/typing.ts";
import { shapeText } from "../util/shape-text.ts";
import type { NestedNumbers } from "./types.ts";

const FULL_UP_TO = 1000;
const EDGE = 3;
/** Characters in a line, as far as one number fits. */
const LINE = 80;

export function formatTensor(data: HostArray, shape: readonly number[], dtype: DType): string {
  const shorten = data.length > FULL_UP_TO;
  const shown = shownPositions(shape, shorten).map((position) => data[position]!);
  const format = dtype === "bool" ? (value: number): string => (value === 0 ? "false" : "true") : numberFormat(shown, dtype);
  const width = Math.max(0, ...shown.map((value) => format(value).length));
  const render = (d: number, offset: number, indent: string): string => {
    if (d === shape.length) return format(data[offset]!).padStart(width);
    const extent = shape[d]!;
    const step = shape.slice(d + 1).reduce((a, b) => a * b, 1);
    const items: string[] = [];
    for (let n = 0; n < extent; n++) {
      if (shorten && extent > 2 * EDGE && n === EDGE) {
        items.push("…");
        n = extent - EDGE;
      }
      items.push(render(d + 1, offset + n * step, `${indent} `));
    }
    if (d === shape.length - 1) return `[${wrapped(items, `${indent} `, shape.length)}]`;
    return `[${items.join(`,${"\n".repeat(shape.length - 1 - d)}${indent} `)}]`;
  };
  const head = `Tensor ${dtype} ${shapeText(shape)}`;
  if (shape.length === 0) return `${head} ${format(data[0]!)}`;
  return data.length === 0 ? `${head} (no elements)` : `${head}\n${render(0, 0, "")}`;
}

/** @param closing brackets and a comma that may follow the last item */
function wrapped(items: readonly string[], indent: string, closing: number): string {
  let text = "";
  let column = indent.length;
  items.forEach((item, n) => {
    const isLast = n === items.length - 1;
    if (n > 0) {
      const breaks = column + 2 + item.length + (isLast ? closing + 1 : 1) > LINE;
      text += breaks ? `,\n${indent}` : ", ";
      column = breaks ? indent.length : column + 2;
    }
    text += item;
    column += item.length;
  });
  return text;
}

export function nest(data: HostArray, shape: readonly number[]): NestedNumbers {
  const build = (d: number, offset: number): NestedNumbers => {
    if (d === shape.length) return data[offset]!;
    const step = shape.slice(d + 1).reduce((a, b) => a * b, 1);
    return Array.from({ length: shape[d]! }, (_, n) => build(d + 1, offset + n * step));
  };
  return build(0, 0);
}

function shownPositions(shape: readonly number[], shorten: boolean): number[] {
  let positions = [0];
  for (const [d, extent] of shape.entries()) {
    const step = shape.slice(d + 1).reduce((a, b) => a * b, 1);
    const steps: number[] = [];
    for (let n = 0; n < extent; n++) if (!shorten || extent <= 2 * EDGE || n < EDGE || n >= extent - EDGE) steps.push(n * step);
    positions = positions.flatMap((position) => steps.map((offset) => position + offset));
  }
  return positions;
}

/** One format for all: whole numbers as they are, else four decimals, scientific when sizes differ much. */
function numberFormat(values: readonly number[], dtype: DType): (value: number) => string {
  const finite = values.filter(Number.isFinite);
  if (!isFloat(dtype) || finite.every((value) => Number.isInteger(value) && Math.abs(value) < 1e7)) return special(String);
  const sizes = finite.map(Math.abs).filter((value) => value > 0);
  const largest = Math.max(...sizes);
  const smallest = Math.min(...sizes);
  if (largest >= 1e6 || smallest < 1e-4 || largest / smallest > 1e6) return special((value) => value.toExponential(4));
  return special((value) => value.toFixed(4));
}

function special(format: (value: number) => string): (value: number) => string {
  return (value) =>
    Number.isNaN(value) ? "NaN" : value === Number.POSITIVE_INFINITY ? "∞" : value === Number.NEGATIVE_INFINITY ? "−∞" : format(value);
}
