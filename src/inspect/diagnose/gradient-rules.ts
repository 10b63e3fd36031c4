// Rules about gradients: vanishing, exploding, parameters without one.

import { bestOf } from "../../util/rank.ts";
import { layerOf, type Observations } from "./evidence.ts";
import { type Finding, short } from "./finding.ts";
import { median } from "./statistics.ts";
import type { Thresholds } from "./thresholds.ts";

/** Root mean square of a weight's gradient, over the recorded steps in the middle. */
function sizes(run: Observations): { readonly name: string; readonly size: number }[] {
  return run.weights.map((name) => {
    const own = run.gradients.filter(({ parameter }) => parameter === name);
    return { name, size: median(own.map(({ gradient }) => gradient.norm / Math.sqrt(gradient.count))) };
  });
}

export function vanishingGradients(run: Observations, { vanishing }: Thresholds): Finding[] {
  const all = sizes(run);
  const [first, last] = [all[0], all.at(-1)];
  if (first === undefined || last === undefined || all.length < 3 || !(first.size < vanishing * last.size) || first.size === 0) return [];
  const layers = all.length - 1;
  const multiplier = (first.size / last.size) ** (1 / layers);
  const squashing = run.forward.filter(({ step, kind }) => step === run.steps[0] && kind === "sigmoid").length;
  const bound = squashing < 2 ? "" : `; ${squashing} sigmoids allow at most ${short(0.25 ** squashing)} (0.25 each)`;
  return [
    {
      kind: "vanishing gradients",
      where: layerOf(first.name),
      what: `the gradient of ${first.name} is ${short(first.size / last.size)} of that of ${last.name}: each of ${layers} layers multiplies it by ${short(multiplier)}${bound}`,
      evidence: { first: first.size, last: last.size, multiplier, layers, sizes: all.map(({ size }) => size) },
      why: "backpropagation multiplies by every layer's derivative and weights; factors below 1 compound with depth, and the first layers hardly move",
      advice: [
        squashing > 0 ? "relu in place of sigmoid" : "an initialization for this activation (He for relu, Xavier for tanh)",
        "batchNorm or layerNorm between the layers, or residual(…) around them",
        "fewer layers",
      ],
    },
  ];
}

export function explodingGradients(run: Observations, { exploding }: Thresholds): Finding[] {
  const all = sizes(run);
  const [first, last] = [all[0], all.at(-1)];
  const relative = all.map(({ name, size }) => {
    const weights = run.updates.filter(({ parameter }) => parameter === name);
    const count = weights[0]?.shape.reduce((a, b) => a * b, 1) ?? 1;
    return { name, ratio: size / (median(weights.map(({ norm }) => norm)) / Math.sqrt(count)) };
  });
  const worst = bestOf(relative, ({ ratio }) => ratio, "larger");
  const through = all.length >= 3 && first !== undefined && last !== undefined && first.size > exploding * last.size && last.size > 0;
  if (!through && !(worst !== undefined && worst.ratio > exploding && Number.isFinite(worst.ratio))) return [];
  const where = through ? layerOf(first?.name as string) : layerOf(worst?.name as string);
  const ratio = through ? (first?.size as number) / (last?.size as number) : (worst?.ratio as number);
  return [
    {
      kind: "exploding gradients",
      where,
      what: through
        ? `the gradient of ${first?.name} is ${short(ratio)} times that of ${last?.name}: each of ${all.length - 1} layers multiplies it by ${short(ratio ** (1 / (all.length - 1)))}`
        : `the gradient of ${worst?.name} is ${short(ratio)} times as large as the weights themselves`,
      evidence: { ratio, sizes: all.map(({ size }) => size) },
      why: "backpropagation multiplies by every layer's weights; factors above 1 compound with depth (or over the steps of a sequence)",
      advice: [
        "clip: { norm: 1 } in fit",
        "smaller initial weights (He or Xavier initialization)",
        "batchNorm or layerNorm between the layers",
      ],
    },
  ];
}

export function unusedParameters(run: Observations): Finding[] {
  const { parameters = [], gradients, steps } = run;
  if (steps.length === 0 || gradients.length === 0) return [];
  const reached = new Set(gradients.map(({ parameter }) => parameter));
  const unused = parameters.filter(({ name, trainable }) => trainable && !reached.has(name)).map(({ name }) => name);
  const frozen = parameters.filter(({ trainable }) => !trainable).map(({ name }) => name);
  const found: Finding[] = [];
  if (unused.length > 0)
    found.push({
      kind: "unused parameters",
      where: unused[0]!,
      what: `the loss does not depend on ${unused.length} parameter${unused.length === 1 ? "" : "s"}: ${unused.slice(0, 4).join(", ")}; no gradient ever reached ${unused.length === 1 ? "it" : "them"}`,
      evidence: { count: unused.length, names: unused.join(", ") },
      why: "the forward function does not use the layer, or uses it inside noGrad() or behind detach()",
      advice: ["call the layer in the forward function, or leave it out of the model"],
    });
  if (frozen.length > 0)
    found.push({
      kind: "frozen parameters",
      where: frozen[0]!,
      what: `${frozen.length} parameter${frozen.length === 1 ? " is" : "s are"} frozen: ${frozen.slice(0, 4).join(", ")}`,
      evidence: { count: frozen.length, names: frozen.join(", ") },
      why: "freeze() or requiresGrad(false) was called for them: they keep their numbers",
      advice: ["nothing, where that is meant (transfer learning); else unfreeze() or requiresGrad(true) before the optimizer is made"],
    });
  return found;
}
