// Finds tensors of a recording by name: "hidden1", "hidden1.weight", "hidden1.weight.grad", "x", "loss".

import { checkArguments, TEXT } from "../../util/arguments.ts";
import { InputError } from "../../util/errors.ts";
import { nearestName } from "../../util/nearest.ts";
import { RECORDING } from "../kinds.ts";
import { positionOfLargest } from "../record/elements.ts";
import { type RecordedTensor, type Recording, unviewed } from "../record/recording.ts";
import { differentiated, differentiatedOf } from "./nudge.ts";

/** One element of a recorded tensor. */
export interface SelectedElement {
  readonly tensor: RecordedTensor;
  /** Undefined when only the tensor was named. */
  readonly position: readonly number[] | undefined;
}

/**
 * The tensor, or the element, that a text names: a layer's path means its output (the last one, where it was called
 * several times), a parameter's name for the parameter before the run, "x" for the model's input, "loss" for what was
 * differentiated, names in `Recording.results` for what the run gave; ".grad" behind any of them for its gradient,
 * ".new" behind a parameter for its new numbers. Coordinates in brackets.
 * @throws InputError when nothing is called so
 * @example selectElement(run, "conv1[0, 2, 5, 5]"); selectElement(run, "output.weight.grad[3, 0]")
 */
export function selectElement(recording: Recording, text: string): SelectedElement {
  checkArguments("selectElement", { recording: [recording, RECORDING], text: [text, TEXT] });
  const found = /^\s*([^[\]]*?)\s*(?:\[([^\]]*)\])?\s*$/.exec(text);
  if (found === null || found[1] === "")
    throw new InputError(`expected a name with coordinates, got "${text}"`, { hint: "hidden1[0, 3], output.weight.grad[1, 2] or loss" });
  const [, name = "", coordinates] = found;
  const tensor = tensorCalled(recording, name);
  if (coordinates === undefined) return { tensor, position: tensor.shape.length === 0 ? [] : undefined };
  const position = coordinates.trim() === "" ? [] : coordinates.split(",").map((part) => Number(part.trim() === "" ? Number.NaN : part));
  return { tensor, position };
}

/** Everything that can be named. */
export function selectableNames(recording: Recording): string[] {
  checkArguments("selectableNames", { recording: [recording, RECORDING] });
  const { calls, tensors, results } = recording;
  const parameters = tensors.flatMap(({ origin, name }) => (origin === "parameter" ? [name] : []));
  const input = tensors.some(isLeafCalled("x")) ? ["x"] : [];
  const loss = differentiatedOf(recording) === undefined ? [] : ["loss"];
  return [
    ...new Set([...calls.map(({ path }) => path).filter((path) => path !== ""), ...parameters, ...input, ...results.keys(), ...loss]),
  ];
}

/**
 * What to look at first: the largest number of what was differentiated, else of what the run gave last, else of what
 * its last op computed.
 */
export function firstElement(recording: Recording): SelectedElement & { readonly position: readonly number[] } {
  checkArguments("firstElement", { recording: [recording, RECORDING] });
  const { results, ops } = recording;
  const given = [...results.values()].reverse();
  const computed = given.find(({ source }) => source !== undefined) ?? given[0];
  const tensor = differentiatedOf(recording) ?? computed ?? ops.at(-1)?.output;
  const position = tensor && positionOfLargest(tensor);
  if (tensor === undefined || position === undefined)
    throw new InputError("there is no number in the recorded run to look at", { hint: "record a function that computes a tensor" });
  return { tensor, position };
}

function isLeafCalled(name: string): (tensor: RecordedTensor) => boolean {
  return (tensor) => tensor.source === undefined && tensor.name === name && tensor.origin !== "constant";
}

function tensorCalled(recording: Recording, name: string): RecordedTensor {
  if (name.endsWith(".grad")) {
    const of = tensorCalled(recording, name.slice(0, -".grad".length));
    const gradient = of.gradient ?? unviewed(of).gradient;
    if (gradient === undefined)
      throw new InputError(`there is no gradient of "${name.slice(0, -".grad".length)}"`, {
        hint: "the recorded run must call backward()",
      });
    return gradient;
  }
  if (name.endsWith(".new")) {
    const update = recording.updates.findLast((candidate) => candidate.name === name.slice(0, -".new".length));
    if (update === undefined)
      throw new InputError(`"${name.slice(0, -".new".length)}" was not updated`, {
        hint: "the recorded run must call the optimizer's step()",
      });
    return update.after;
  }
  const output = recording.calls.findLast(({ path }) => path === name && path !== "")?.outputs[0];
  const leaf = recording.tensors.find(isLeafCalled(name));
  const given = recording.results.get(name);
  const tensor = output ?? leaf ?? (name === "loss" ? (differentiatedOf(recording) ?? given ?? differentiated(recording)) : given);
  if (tensor === undefined) {
    const names = selectableNames(recording);
    const nearest = nearestName(name, names);
    throw new InputError(`nothing in the run is called "${name}"`, {
      hint: nearest === undefined ? `names: ${names.slice(0, 12).join(", ")}` : `did you mean ${nearest}?`,
    });
  }
  return tensor;
}
