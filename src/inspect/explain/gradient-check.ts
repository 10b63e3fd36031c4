// Compares a recorded run's gradients with finite differences in double precision, and finds the op that is wrong.

import type { NumberArray } from "../../nest/arrays.ts";
import { positionOf } from "../../nest/positions.ts";
import { isFloat } from "../../nest/typing.ts";
import { checkArguments } from "../../util/arguments.ts";
import { checkOptions } from "../../util/options.ts";
import { short } from "../../util/short.ts";
import { RECORDING } from "../kinds.ts";
import { elementName, tensorName } from "../record/elements.ts";
import type { RecordedOp, RecordedTensor, Recording } from "../record/recording.ts";
import { explainElement } from "./explain.ts";
import { elementText } from "./explain-text.ts";
import { differentiated } from "./nudge.ts";
import { type Replayed, replay } from "./replay.ts";

/** How much is checked, and how exactly. */
export interface GradientCheckOptions {
  /** Elements of each tensor: the largest gradient and others spread evenly. Default 4. */
  readonly elements?: number;
  /**
   * Largest difference allowed, relative to the larger of both or to a thousandth of the tensor's largest gradient.
   * Default 1e-5.
   */
  readonly tolerance?: number;
  /** What was differentiated; default: by the first backward() of the recording. */
  readonly result?: RecordedTensor;
  /** Of the tensors with a gradient those to check; default: parameters and data. */
  readonly tensors?: readonly RecordedTensor[];
}

/** One element whose gradient was compared. */
export interface CheckedElement {
  readonly tensor: RecordedTensor;
  readonly position: readonly number[];
  /** By the formulas that ran, computed again in double precision. */
  readonly gradient: number;
  /** (f(x + h) − f(x − h)) / 2h. */
  readonly difference: number;
}

/** The gradients of a run, checked. */
export interface GradientCheck {
  readonly checked: number;
  /**
   * Elements at which the result has a kink (ReLU at 0, a maximum of equals): there is no derivative to compare with.
   */
  readonly kinks: number;
  /** Those that do not agree. */
  readonly failures: readonly CheckedElement[];
  /** The op whose gradient is wrong: its output's gradient agrees, that of its input does not. */
  readonly culprit: { readonly op: RecordedOp; readonly element: CheckedElement } | undefined;
  /** What was found, in words. */
  toString(): string;
}

/**
 * Checks the gradients of any recorded run that called backward(): a whole model, or a single op. Every difference is
 * computed by running what was recorded again, so a large model takes long: check a small batch.
 * @throws InputError when the recording has no backward pass
 * @example checkGradients(record(() => { const y = myOp(x).sum(); y.backward(); }))
 */
export function checkGradients(recording: Recording, options: GradientCheckOptions = {}): GradientCheck {
  checkArguments("checkGradients", { recording: [recording, RECORDING] });
  const {
    elements = 4,
    tolerance = 1e-5,
    result = differentiated(recording),
  } = checkOptions<GradientCheckOptions>("checkGradients", options, {
    ...{ elements: true, tolerance: true, result: true, tensors: true },
  });
  const all = recording.tensors.filter(({ gradient, dtype, id }) => gradient !== undefined && isFloat(dtype) && id <= result.id);
  const chosen = options.tensors ?? all.filter(({ source }) => source === undefined);
  const exact = replay(recording, [result, ...all, ...all.map(({ gradient }) => gradient as RecordedTensor)], { double: true });
  const compare = (tensor: RecordedTensor): Compared => compareTensor(recording, tensor, result, exact, { elements, tolerance });
  const compared = chosen.map(compare);
  const failures = compared.flatMap((one) => one.failures);
  const culprit = failures.length === 0 ? undefined : findCulprit(all, result, compare);
  const [checked, kinks] = [sum(compared.map((one) => one.checked)), sum(compared.map((one) => one.kinks))];
  const made = { checked, kinks, failures, culprit };
  return Object.defineProperties(made, { toString: { value: () => text(made) } });
}

interface Compared {
  readonly checked: number;
  readonly kinks: number;
  readonly failures: readonly CheckedElement[];
}

function compareTensor(
  recording: Recording,
  tensor: RecordedTensor,
  result: RecordedTensor,
  exact: Replayed,
  { elements, tolerance }: { readonly elements: number; readonly tolerance: number },
): Compared {
  const gradients = exact(tensor.gradient as RecordedTensor);
  const numbers = exact(tensor);
  const largest = Math.max(0, ...placesOf(gradients, 1).map((place) => Math.abs(gradients[place]!)));
  const middle = exact(result)[0]!;
  let [checked, kinks] = [0, 0];
  const failures: CheckedElement[] = [];
  for (const place of placesOf(gradients, elements)) {
    const at = (by: number): number => {
      const changed = Float64Array.from(numbers);
      changed[place] = changed[place]! + by;
      return replay(recording, [result], { double: true, changed: new Map([[tensor, changed]]) })(result)[0]!;
    };
    const value = numbers[place]!;
    const slopes = (h: number) => ({ right: (at(h) - middle) / h, left: (middle - at(-h)) / h });
    const gradient = gradients[place]!;
    const size = Math.max(Math.abs(gradient), 1e-3 * largest, 1e-12);
    // Where a derivative exists the slopes to both sides come together with the distance; where others' kinks lie near,
    // they do so only near.
    let h = 1e-5 * Math.max(1, Math.abs(value));
    let { right, left } = slopes(h);
    // What rounding the result leaves of a difference.
    const allowed = (): number => tolerance * size + (1e-15 * Math.max(1, Math.abs(middle))) / h;
    const agrees = (): boolean => Math.abs(gradient - (right + left) / 2) <= allowed();
    for (let round = 0; round < 3 && !agrees(); round++) {
      h /= 8;
      ({ right, left } = slopes(h));
    }
    const difference = (right + left) / 2;
    if (!agrees() && Math.abs(right - left) > 1e-2 * Math.max(size, Math.abs(difference))) {
      kinks++;
      continue;
    }
    checked++;
    if (!agrees()) failures.push({ tensor, position: positionOf(place, tensor.shape), gradient, difference });
  }
  return { checked, kinks, failures };
}

/** The largest gradient, and others spread evenly. */
function placesOf(gradients: NumberArray, elements: number): number[] {
  let largest = 0;
  gradients.forEach((value, place) => {
    if (Math.abs(value) > Math.abs(gradients[largest]!)) largest = place;
  });
  const count = Math.min(elements, gradients.length);
  const places = new Set(count === 0 ? [] : [largest]);
  for (let n = 0; places.size < count; n++) places.add(Math.floor((n * gradients.length) / count) % gradients.length);
  return [...places].slice(0, count);
}

/**
 * From the result backward: the first tensor whose gradient is wrong got it from an op whose output's gradient is
 * right.
 */
function findCulprit(
  all: readonly RecordedTensor[],
  result: RecordedTensor,
  compare: (tensor: RecordedTensor) => Compared,
): GradientCheck["culprit"] {
  for (const tensor of all.slice().sort((a, b) => b.id - a.id)) {
    if (tensor === result) continue;
    const [element] = compare(tensor).failures;
    const op = element && originOf(tensor.gradient?.source);
    if (element !== undefined && op !== undefined) return { op, element };
  }
  return undefined;
}

/** What a gradient's op differentiates; through the sums and views between. */
function originOf(source: RecordedOp | undefined): RecordedOp | undefined {
  if (source === undefined) return undefined;
  if (source.of !== undefined) return source.of;
  for (const { source: inner } of source.inputs) {
    const found = originOf(inner);
    if (found !== undefined) return found;
  }
  return undefined;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((a, b) => a + b, 0);
}

function text({ checked, kinks, failures, culprit }: Omit<GradientCheck, "toString">): string {
  const noted = kinks === 0 ? "" : ` (${kinks} more lie at kinks)`;
  if (failures.length === 0) return `${checked} gradients agree with finite differences${noted}`;
  const lines = [`${failures.length} of ${checked} gradients disagree with finite differences${noted}`];
  const shown = (element: CheckedElement): string =>
    `${elementName(element.tensor, element.position)}: gradient ${short(element.gradient, 6)}, finite difference ${short(element.difference, 6)}`;
  for (const failure of failures.slice(0, 5)) lines.push(`  ${shown(failure)}`);
  if (culprit !== undefined) {
    const { op, element } = culprit;
    const place = [op.path, op.site].filter((part) => part !== undefined && part !== "").join(", ");
    lines.push(`the gradient of ${op.op.name}${place === "" ? "" : ` (${place})`} by ${tensorName(element.tensor)} is wrong:`);
    lines.push(`  ${op.op.source}`);
    if (element.tensor.gradient !== undefined)
      for (const line of elementText(explainElement(element.tensor.gradient, element.position))) lines.push(`  ${line}`);
    lines.push(`  but a small change says ${short(element.difference, 6)}`);
  }
  return lines.join("\n");
}
