// Rules about the training loop: layer modes, gradients that are not zeroed, softmax applied twice.

import type { Observations } from "./evidence.ts";
import { type Finding, short } from "./finding.ts";

export function evaluationMode({ forward, updates }: Observations): Finding[] {
  const trained = new Set(updates.map(({ step }) => step));
  const wrong = forward.filter(({ evaluating, step }) => evaluating === true && trained.has(step));
  const paths = [...new Set(wrong.map(({ path }) => path))];
  const [first] = wrong;
  if (first === undefined) return [];
  return [
    {
      kind: "evaluation mode",
      where: first.path,
      what: `${first.path} (${first.kind}) was in evaluation mode in ${new Set(wrong.map(({ step }) => step)).size} steps that moved weights${paths.length > 1 ? `, and so were ${paths.length - 1} other layers` : ""}`,
      evidence: { layers: paths.length, which: paths.join(", ") },
      why: "batch normalization then uses running statistics, which it does not measure in this mode, and dropout drops nothing",
      advice: [
        "model.train() before the steps; model.eval() only where the model is used or measured",
        "requiresGrad(false) for a layer that is meant to stay as it is",
      ],
    },
  ];
}

export function gradientsNotZeroed({ gradients, updates }: Observations): Finding[] {
  const moved = new Set(updates.map(({ step, parameter }) => `${step} ${parameter}`));
  // Gradients that are added up over several steps before the weights move are meant so.
  const left = gradients.filter(({ carried = 0, step, parameter }) => carried > 0 && moved.has(`${step - 1} ${parameter}`));
  const [first] = left;
  const steps = new Set(left.map(({ step }) => step)).size;
  if (first === undefined || steps < 2) return [];
  const last = left.findLast(({ parameter }) => parameter === first.parameter) ?? first;
  return [
    {
      kind: "gradients not zeroed",
      where: "optimizer",
      what: `in ${steps} steps gradients were added to those of the step before, which had moved the weights already: at step ${last.step} ${last.parameter} had ${short(last.carried ?? 0)} left and got ${short(last.gradient.norm)}`,
      evidence: { steps, carried: last.carried ?? 0, gradient: last.gradient.norm },
      why: "backward() adds to the gradients that are there, so that every step goes along the sum of all gradients so far",
      advice: ["optimizer.zeroGrad() before backward()"],
    },
  ];
}

export function softmaxTwice({ outputs }: Observations): Finding[] {
  if (outputs?.squashedAgain !== true) return [];
  const { probabilities } = outputs;
  return [
    {
      kind: "softmax twice",
      where: "loss",
      what: `the outputs of the model are probabilities already (${probabilities === "softmax" ? "they sum to 1" : "from 0 to 1"}), and the loss takes them for logits and puts them through ${probabilities} again`,
      evidence: { probabilities },
      why: "of numbers from 0 to 1 a softmax or sigmoid makes almost equal ones: the loss cannot become small, and its gradients are weak",
      advice: [
        probabilities === "softmax"
          ? "leave the softmax at the end of the model out: crossEntropy has it"
          : "leave the sigmoid at the end of the model out, or take binaryCrossEntropy",
      ],
    },
  ];
}
