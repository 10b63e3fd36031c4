// Steps forward and backward through the ops of a recorded run, with inputs, outputs and one explained number.

import type { ExplainOptions } from "../../formula/explain/explanation.ts";
import { printFormula } from "../../formula/print.ts";
import { requireKind } from "../../util/arguments.ts";
import { InputError } from "../../util/errors.ts";
import { kindOf } from "../../util/kind-of.ts";
import { checkOptions } from "../../util/options.ts";
import { tag } from "../../util/tag.ts";
import { RECORDING } from "../kinds.ts";
import { positionOfLargest } from "../record/elements.ts";
import { type RecordedOp, type RecordedTensor, type Recording, unviewed } from "../record/recording.ts";
import { EXPLAIN_OPTIONS, type ExplainedElement, explainElement } from "./explain.ts";
import { selectElement } from "./select.ts";

/** One op of a run, looked at. */
export interface RunStop {
  /** Its place among the stops, counted from 1 as people count steps, and how many there are. */
  readonly number: number;
  readonly count: number;
  /** The op with its layer path, call site and pass. */
  readonly op: RecordedOp;
  /** What it computes; for a gradient, the gradient's own formula. */
  readonly formula: string;
  /** What it was given, by the names of the formula. */
  readonly inputs: readonly StopInput[];
  readonly output: RecordedTensor;
  /**
   * How the chosen number of the output was computed, in a backward pass by the chain rule; undefined where the output
   * has no numbers.
   */
  readonly element: ExplainedElement | undefined;
}

/** A tensor that an op was given. */
export interface StopInput {
  /** As the formula calls it. */
  readonly name: string;
  readonly tensor: RecordedTensor;
}

/**
 * Where to go: the number of a stop counted from 1, an op, a tensor (to the op that computed it), or its name as in
 * `selectElement`.
 */
export type StopPlace = number | RecordedOp | RecordedTensor | string;

/**
 * A place in a recorded run. Every op that computes is a stop; those that only give another shape are none.
 * @example const cursor = new RunCursor(record(step, net)); cursor.goTo("hidden1"); console.log(stopText(cursor.next() ?? cursor.stop));
 */
export class RunCursor {
  readonly recording: Recording;
  readonly #ops: readonly RecordedOp[];
  readonly #options: ExplainOptions;
  #at = 0;
  #position: readonly number[] | undefined;
  #stop: RunStop | undefined;

  /** Stands at the first op. @throws InputError when the run computed nothing */
  constructor(recording: Recording, options: ExplainOptions = {}) {
    requireKind("RunCursor: recording", RECORDING, recording);
    checkOptions("RunCursor", options, EXPLAIN_OPTIONS);
    this.recording = recording;
    this.#ops = recording.ops.filter(({ program }) => program !== undefined);
    this.#options = options;
    if (this.#ops.length === 0)
      throw new InputError("RunCursor: the recorded run computed nothing with tensors", { hint: "record the function that applies ops" });
  }

  /** How many stops there are. */
  get count(): number {
    return this.#ops.length;
  }

  /** Every op that is a stop, in the order they ran; stop n is `ops[n - 1]`. */
  get ops(): readonly RecordedOp[] {
    return this.#ops;
  }

  /** Where it stands. */
  get stop(): RunStop {
    this.#stop ??= this.#look();
    return this.#stop;
  }

  /** Goes one op forward; undefined, and stays, at the last one. */
  next(): RunStop | undefined {
    return this.#at + 1 < this.#ops.length ? this.#move(this.#at + 1) : undefined;
  }

  /** Goes one op back; undefined, and stays, at the first one. */
  previous(): RunStop | undefined {
    return this.#at > 0 ? this.#move(this.#at - 1) : undefined;
  }

  /**
   * Goes to an op.
   * @param position the number of its output to explain; default the one that a name chose, else the largest
   * @throws InputError when there is no such stop or element, or when a tensor came from outside
   */
  goTo(place: StopPlace, position?: readonly number[]): RunStop {
    if (typeof place === "string") {
      const selected = selectElement(this.recording, place);
      const { tensor } = selected;
      return this.goTo(tensor, position ?? (tensor.shape.length === 0 ? undefined : selected.position));
    }
    if (typeof place === "number") {
      if (!Number.isInteger(place) || place < 1 || place > this.count)
        throw new InputError(`there is no step ${place}, the run has ${this.count}`, { hint: `a number from 1 to ${this.count}` });
      return this.#move(place - 1, position);
    }
    if (typeof place !== "object" || place === null)
      throw new InputError(`RunCursor.goTo: expected a step, an op, a tensor or a name, got ${kindOf(place)}`);
    if ("op" in place) {
      const at = this.#ops.indexOf(place);
      if (at < 0)
        throw new InputError(`${place.op.name} is no step of this run`, { hint: "an op of the same recording that computes something" });
      return this.#move(at, position);
    }
    const tensor = unviewed(place);
    if (tensor.source === undefined)
      throw new InputError(`${tensor.name} came from outside, no step computed it`, { hint: `the name of a layer, "loss", or a gradient` });
    // In another shape the same number stands at another place.
    return this.goTo(tensor.source, position && tensor !== place ? explainElement(place, position, this.#options).position : position);
  }

  #move(to: number, position?: readonly number[]): RunStop {
    const before = [this.#at, this.#position, this.#stop] as const;
    [this.#at, this.#position, this.#stop] = [to, position, undefined];
    try {
      return this.stop;
    } catch (error) {
      [this.#at, this.#position, this.#stop] = before;
      throw error;
    }
  }

  #look(): RunStop {
    const op = this.#ops[this.#at]!;
    const { output } = op;
    const position = this.#position ?? positionOfLargest(output);
    return {
      number: this.#at + 1,
      count: this.count,
      op,
      formula: printFormula(op.op.formula),
      inputs: op.inputs.map((tensor, n) => ({ name: op.op.formula.inputs[n]!, tensor })),
      output,
      element: position && explainElement(output, position, this.#options),
    };
  }

  static {
    tag(RunCursor, "RunCursor", (candidate) => #ops in candidate);
  }
}
