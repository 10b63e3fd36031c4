// One op of a recorded run as text: its place, formula, inputs, output, and one number in full.

import { numberText } from "../../formula/numbers.ts";
import { typeOfDType } from "../../nest/typing.ts";
import { checkArguments, DIGITS, WIDTH } from "../../util/arguments.ts";
import { shapeText } from "../../util/shape-text.ts";
import { statisticsOf } from "../draw/graph.ts";
import { broken, cut } from "../draw/lines.ts";
import { CURSOR, STOP } from "../kinds.ts";
import { tensorName } from "../record/elements.ts";
import type { RecordedOp, RecordedTensor } from "../record/recording.ts";
import type { RunCursor, RunStop } from "./cursor.ts";
import { elementText } from "./explain-text.ts";

/** Tensors of up to so many numbers are written out. */
const WRITTEN_OUT = 12;

/**
 * What one step did.
 * @param digits significant digits of numbers
 * @param width columns that lines should not go beyond
 */
export function stopText(stop: RunStop, digits = 4, width = 80): string {
  checkArguments("stopText", { stop: [stop, STOP], digits: [digits, DIGITS], width: [width, WIDTH] });
  const { number, count, op, formula, inputs, output, element } = stop;
  const name = element?.explanation?.lines.at(-1)?.target ?? output.name;
  const names = [...inputs.map((input) => input.name), name];
  const column = Math.max(...names.map(({ length }) => length));
  const tensor = (called: string, { dtype, shape }: RecordedTensor, rest: string): string =>
    cut(`  ${called.padEnd(column)}  ${dtype} ${shapeText(shape)}${rest === "" ? "" : `  ${rest}`}`, width);
  const numbers = (of: RecordedTensor): string => numbersText(of, digits);
  const params = op.op.formula.params.map((param, n) => `${param} = ${numberText(op.params[n]!, "float", digits)}`).join(", ");
  return [
    cut(`step ${number} of ${count}, ${op.pass}: ${op.op.name}${placeText(op)}`, width),
    ...formula.split("\n").flatMap((line) => broken(`  ${line}`, width)),
    ...inputs.flatMap((input) => [
      tensor(input.name, input.tensor, sourceText(input.tensor, input.name)),
      cut(`  ${" ".repeat(column)}    ${numbers(input.tensor)}`, width),
    ]),
    tensor(name, output, "the result"),
    cut(`  ${" ".repeat(column)}    ${numbers(output)}`, width),
    ...(params === "" ? [] : [cut(`  ${params}`, width)]),
    ...(element === undefined ? [] : elementText(element, digits, width)),
  ].join("\n");
}

/** All steps of a run, a line each: number, pass, layer, op, shape, and between which numbers its output lies. */
export function stopsText(cursor: RunCursor, digits = 3, width = 80): string {
  checkArguments("stopsText", { cursor: [cursor, CURSOR], digits: [digits, DIGITS], width: [width, WIDTH] });
  const { ops } = cursor;
  // That it is a gradient says the pass.
  const rows = ops.map((op, n) => [
    String(n + 1),
    op.pass,
    updatedText(op) ?? op.path,
    op.op.name.replace(/^gradient of /, ""),
    shapeText(op.output.shape),
  ]);
  const widths = [0, 1, 2, 3, 4].map((column) => Math.min(26, Math.max(...rows.map((row) => row[column]!.length))));
  const line = (row: readonly string[], op: RecordedOp): string => {
    const cells = row.map((cell, column) => {
      const size = widths[column]!;
      return column === 0 ? cell.padStart(size) : cut(cell, size).padEnd(size);
    });
    return cut([...cells, rangeText(op.output, digits)].join("  "), width).trimEnd();
  };
  return rows.map((row, n) => line(row, ops[n]!)).join("\n");
}

/** The parameter that an op moves on, and what of its optimizer's state: "hidden.weight", "hidden.weight: m". */
function updatedText({ output: { updateOf }, inputs }: RecordedOp): string | undefined {
  const owner = updateOf?.origin === "parameter" ? undefined : inputs.find(({ origin }) => origin === "parameter");
  return owner === undefined ? updateOf?.name : updateOf && `${owner.name}: ${updateOf.name}`;
}

/** "-2.4 … 2.9", a single number as it is. */
function rangeText({ data, dtype }: RecordedTensor, digits: number): string {
  const { count, min, max, nans, infinities } = statisticsOf(data);
  const text = (value: number): string => numberText(value, typeOfDType(dtype), digits);
  if (count === 1) return text(data[0]!);
  const finite = Number.isNaN(min) ? [] : [min === max ? `all ${text(min)}` : `${text(min)} … ${text(max)}`];
  return [...finite, ...counted({ NaN: nans, infinite: infinities })].join(", ");
}

/** `[[11, 0]]`, or of many numbers what they are like. */
function numbersText(tensor: RecordedTensor, digits: number): string {
  const { data, shape, dtype } = tensor;
  const text = (value: number): string => numberText(value, typeOfDType(dtype), digits);
  if (data.length === 0) return "no numbers";
  if (data.length <= WRITTEN_OUT) {
    const build = (d: number, offset: number): string => {
      if (d === shape.length) return text(data[offset]!);
      const step = shape.slice(d + 1).reduce((a, b) => a * b, 1);
      return `[${Array.from({ length: shape[d]! }, (_, n) => build(d + 1, offset + n * step)).join(", ")}]`;
    };
    return build(0, 0);
  }
  const { mean, std, min, max, zeros, nans, infinities } = statisticsOf(data);
  const round = (value: number): string => numberText(value, "float", Math.min(digits, 4));
  return [
    `${data.length} numbers from ${round(min)} to ${round(max)}, mean ${round(mean)} ± ${round(std)}`,
    ...counted({ zeros, NaN: nans, infinite: infinities }),
  ].join(", ");
}

function counted(counts: Readonly<Record<string, number>>): string[] {
  return Object.entries(counts).flatMap(([what, count]) => (count === 0 ? [] : [`${count} ${what}`]));
}

/** Where it came from, if its name says more than the formula's. */
function sourceText(tensor: RecordedTensor, name: string): string {
  const found = tensorName(tensor);
  return found === name ? tensor.origin : found;
}

function placeText({ path, site }: RecordedOp): string {
  const file = site?.split(/[/\\]/).at(-1);
  return `${path === "" ? "" : ` in ${path}`}${file === undefined ? "" : `, ${file}`}`;
}
