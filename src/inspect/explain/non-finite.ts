// Finds the op that made the first NaN or infinity of a recorded run.

import { positionOf } from "../../nest/positions.ts";
import { type FailedStep, TrainingError } from "../../train/index.ts";
import { remember } from "../../train/remember.ts";
import { checkArguments } from "../../util/arguments.ts";
import { FAILED, RECORDING } from "../kinds.ts";
import { type RecordedTensor, type Recording, record } from "../record/recording.ts";
import { type ExplainedElement, explainElement } from "./explain.ts";
import { elementText } from "./explain-text.ts";

/**
 * The first number of a run that is not finite although everything it was computed from is; or one that came from
 * outside.
 */
export interface NonFinite {
  readonly tensor: RecordedTensor;
  readonly position: readonly number[];
  readonly value: number;
  /** How many numbers of the tensor are not finite. */
  readonly count: number;
  readonly explained: ExplainedElement;
  /** What happened, with the numbers, and where. */
  toString(): string;
}

/**
 * Looks through a recording; undefined when every number is finite. Infinities that the program itself brings (a mask
 * of −∞) do not count.
 */
export function firstNonFinite(recording: Recording): NonFinite | undefined {
  checkArguments("firstNonFinite", { recording: [recording, RECORDING] });
  const isBad = new Map<RecordedTensor, number>();
  const bad = (tensor: RecordedTensor): number => {
    let place = isBad.get(tensor);
    if (place === undefined) {
      place = (tensor.data as Float32Array).findIndex((number) => !Number.isFinite(number));
      isBad.set(tensor, place);
    }
    return place;
  };
  for (const { inputs, output } of recording.ops) {
    const outside = inputs.find((input) => input.source === undefined && input.origin !== "constant" && bad(input) >= 0);
    const isMasked = inputs.some((input) => bad(input) >= 0);
    const found = outside ?? (isMasked || bad(output) < 0 ? undefined : output);
    if (found !== undefined && !isOnlyMinusInfinity(found)) return describe(found, bad(found));
  }
  return undefined;
}

/**
 * Runs a step that failed once more under record and finds where its first NaN or infinity came from; undefined where
 * none comes this time. Model, optimizer and random numbers are left as they were.
 */
export function whereNotFinite(step: FailedStep): NonFinite | undefined {
  checkArguments("whereNotFinite", { step: [step, FAILED] });
  const { model, optimizer, run } = step;
  const restore = remember(model, optimizer);
  try {
    return firstNonFinite(record(run, model));
  } finally {
    restore();
  }
}

/**
 * For the end of a training that may fail: throws its error on, and says in that of a loss or gradient that is not
 * finite where it came from.
 * @example const { history } = await fit(net, data, options).catch(explainFailure);
 * @throws always
 */
export function explainFailure(error: unknown): never {
  const found = error instanceof TrainingError && error.step !== undefined ? whereNotFinite(error.step) : undefined;
  throw found === undefined ? error : (error as TrainingError).because(String(found));
}

/** Masks are −∞ where attention must not look. */
function isOnlyMinusInfinity({ data, origin, source }: RecordedTensor): boolean {
  if (origin !== "data" && source?.inputs.some((input) => input.origin !== "constant") === true) return false;
  return (data as Float32Array).every((number) => Number.isFinite(number) || number === Number.NEGATIVE_INFINITY);
}

/** Where numbers come from that no op of the step made. */
const OUTSIDE: Readonly<Record<RecordedTensor["origin"], string>> = {
  computed: "",
  parameter: "in a parameter before the step: an earlier update brought it",
  data: "from outside, with the data",
  constant: "a number in the program",
};

/** Most columns, a margin of two left out. */
const LINE = 78;

function describe(tensor: RecordedTensor, place: number): NonFinite {
  const position = positionOf(place, tensor.shape);
  const explained = explainElement(tensor, position);
  const count = (tensor.data as Float32Array).reduce((sum, number) => sum + Number(!Number.isFinite(number)), 0);
  const made = { tensor, position, value: tensor.data[place]!, count, explained };
  const { source } = explained.tensor;
  const text = (): string => {
    const where = source === undefined ? OUTSIDE[explained.tensor.origin] : [source.path, source.site].filter(Boolean).join(", ");
    const more = count > 1 ? ` and ${count - 1} more of its ${tensor.data.length} numbers` : "";
    const head = `the first number that is not finite${where === "" ? "" : ` (${where})`}`;
    const heads = more === "" || head.length + more.length < LINE ? [`${head}${more}:`] : [head, ` ${more}:`];
    return [...heads, ...elementText(explained, 4, LINE - 2).map((line) => `  ${line}`)].join("\n");
  };
  return Object.defineProperties(made, { toString: { value: text } });
}
