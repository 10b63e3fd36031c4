// Finds tensors of a recording by what people call them: "hidden1", "hidden1.weight", "hidden1.weight.grad", "hidden1.weight.new", "x", "loss".

import { InputError } from "../util/errors.ts";
import { nearestName } from "../util/nearest.ts";
import { differentiated } from "./nudge.ts";
import { type RecordedTensor, type Recording, unviewed } from "./recording.ts";

/** One element of a recorded tensor. */
export interface SelectedElement {
  readonly tensor: RecordedTensor;
  /** Undefined when only the tensor was named. */
  readonly position: readonly number[] | undefined;
}

/**
 * The tensor, or the element, that a text names: a layer's path stands for its output (the last, where it was called several times), a parameter's name
 * for the parameter before the run, "x" for the model's input, "loss" for what was differentiated; ".grad" behind any of them for its gradient,
 * ".new" behind a parameter for its new numbers. Coordinates in brackets.
 * @throws InputError when nothing is called so
 * @example selectElement(run, "conv1[0, 2, 5, 5]"); selectElement(run, "output.weight.grad[3, 0]")
 */
export function selectElement(recording: Recording, text: string): SelectedElement {
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
  const { calls, tensors } = recording;
  const parameters = tensors.flatMap(({ origin, name }) => (origin === "parameter" ? [name] : []));
  return [...new Set([...calls.map(({ path }) => path).filter((path) => path !== ""), ...parameters, "x", "loss"])];
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
  const leaf = recording.tensors.find((tensor) => tensor.source === undefined && tensor.name === name && tensor.origin !== "constant");
  const result = name === "loss" ? differentiated(recording) : undefined;
  const tensor = output ?? leaf ?? result;
  if (tensor === undefined) {
    const names = selectableNames(recording);
    const nearest = nearestName(name, names);
    throw new InputError(`nothing in the run is called "${name}"`, {
      hint: nearest === undefined ? names.slice(0, 12).join(", ") : `did you mean ${nearest}?`,
    });
  }
  return tensor;
}
