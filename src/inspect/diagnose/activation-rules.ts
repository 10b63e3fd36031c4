// Rules about layer outputs: dead units, saturation, non-finite numbers, sizes that change with depth.

import { bestOf } from "../../util/rank.ts";
import { lately, layerOf, type Observations } from "./evidence.ts";
import { type Finding, percent, short } from "./finding.ts";
import { median } from "./statistics.ts";
import type { Thresholds } from "./thresholds.ts";

export function deadUnits(run: Observations, { deadUnits, mostlyDead, notLearned, steps }: Thresholds): Finding[] {
  if (run.steps.length < steps) return [];
  const { trend } = run;
  // Where the rest of the layer learns well, it has enough.
  const most = trend !== undefined && trend.late < notLearned * trend.ignorant ? Math.max(deadUnits, mostlyDead) : deadUnits;
  const recent = lately(run, run.forward).filter(({ active }) => active !== undefined);
  return [...new Set(recent.map(({ path }) => path))].flatMap((path): Finding[] => {
    const own = recent.filter((event) => event.path === path);
    const units = own[0]?.active?.length ?? 0;
    const totals = Array.from({ length: units }, (_, unit) => own.reduce((sum, { active }) => sum + (active?.[unit] ?? 0), 0));
    const dead = totals.flatMap((total, unit) => (total === 0 ? [unit] : []));
    if (dead.length < most * units) return [];
    return [
      {
        kind: "dead units",
        where: path,
        what: `${dead.length} of ${units} units of ${path} (${own[0]?.kind}) gave 0 for every sample of the last ${own.length} steps`,
        evidence: { dead: dead.length, units, steps: own.length, which: dead.slice(0, 64) },
        why: "where a unit's input is negative for all samples its gradient is 0, so that nothing brings it back: a large step or a very negative bias killed it",
        advice: [
          "a smaller learning rate",
          "leakyRelu or gelu in place of relu",
          "biases that begin at 0, He initialization, inputs scaled to about −1…1",
        ],
      },
    ];
  });
}

export function saturatedActivations(run: Observations, { saturated: most }: Thresholds): Finding[] {
  const last = run.forward.at(-1)?.path;
  const recent = lately(run, run.forward).filter(({ saturated, path }) => saturated !== undefined && path !== last);
  return [...new Set(recent.map(({ path }) => path))].flatMap((path): Finding[] => {
    const own = recent.filter((event) => event.path === path);
    const share = median(own.map(({ saturated = 0, output }) => saturated / output.count));
    if (!(share >= most)) return [];
    return [
      {
        kind: "saturated activations",
        where: path,
        what: `${percent(share)} of the outputs of ${path} (${own[0]?.kind}) lie so near the ends that its derivative is below a tenth of the largest`,
        evidence: { share, steps: own.length },
        why: "inputs of large size: the curve is flat there, and its gradient nearly 0",
        advice: ["smaller initial weights (Xavier), inputs scaled to about −1…1", "batchNorm before the activation", "relu in its place"],
      },
    ];
  });
}

export function notFinite(run: Observations): Finding[] {
  const bad = run.events.find((event) => {
    const statistics =
      event.event === "forward" ? event.output : event.event === "backward" || event.event === "gradient" ? event.gradient : undefined;
    return statistics !== undefined && statistics.nans + statistics.infinities > 0;
  });
  const { nonFinite } = run;
  if (bad === undefined || bad.event === "update" || bad.event === "report") return [];
  const { nans, infinities, count } = bad.event === "forward" ? bad.output : bad.gradient;
  const where = bad.event === "gradient" ? bad.parameter : bad.path;
  const thing = bad.event === "forward" ? `the output of ${where} (${bad.kind})` : `the gradient of ${where}`;
  return [
    {
      kind: "not finite",
      where,
      what: `${thing} was the first with numbers that are not finite, at step ${bad.step}: ${nans} NaN and ${infinities} infinite of ${count}`,
      ...(nonFinite === undefined ? {} : { details: String(nonFinite).split("\n") }),
      evidence: { step: bad.step, nans, infinities, count },
      why: "an overflow, or a function outside of where it is defined (log of 0, root or division of 0); from there NaN spreads to everything",
      advice: [
        ...(nonFinite === undefined ? ["firstNonFinite(record(() => …)) shows the op, its line and its inputs"] : []),
        "a smaller learning rate, clip: { norm: 1 }",
        "add a small epsilon inside of log, sqrt and division",
      ],
    },
  ];
}

export function badInitialization(run: Observations, { growth, sureAtFirst, gain }: Thresholds): Finding[] {
  if (run.trained === true) return [];
  const layers = new Set(run.weights.map(layerOf));
  const outputs = run.forward.filter(({ step, path }) => step === run.steps[0] && layers.has(path));
  const spreads = outputs.map(({ output }) => output.std);
  const [first, last] = [spreads[0], spreads.at(-1)];
  const found: Finding[] = [];
  if (first !== undefined && last !== undefined && spreads.length >= 3 && first > 0 && last > 0) {
    const ratio = last / first;
    // From large to usual is no shrinkage, from small to usual no growth.
    if ((ratio > growth && last > 10) || (ratio < 1 / growth && last < 0.1)) {
      const each = ratio ** (1 / (spreads.length - 1));
      const layer = bestOf(outputs, ({ output }) => Math.abs(Math.log(output.std)), "larger");
      found.push({
        kind: "bad initialization",
        where: layer?.path ?? "",
        what: `before training, outputs ${ratio > 1 ? "grow" : "shrink"} from a standard deviation of ${short(first)} to ${short(last)} through ${spreads.length} layers, by ${short(each)} at each`,
        evidence: { ratio, each, spreads },
        why: "weights of the wrong size: each layer scales its input by the root of (number of inputs × variance of the weights)",
        advice: [
          `${ratio > 1 ? "smaller" : "larger"} initial weights: He initialization for relu, Xavier for tanh and sigmoid (the default here)`,
          "batchNorm or layerNorm between the layers",
        ],
      });
    }
  }
  const { trend } = run;
  const output = run.forward.findLast(({ step }) => step === run.steps[0]);
  const widest = largestGain(run);
  if (found.length > 0 || trend?.measured !== true || output === undefined || widest === undefined) return found;
  if (!(trend.first > sureAtFirst * trend.ignorant && widest.gain > gain)) return found;
  return [
    {
      kind: "bad initialization",
      where: layerOf(widest.name),
      what: `before training the loss is ${short(trend.first)}, and ${short(trend.ignorant)} comes of a prediction that is the same for every sample; ${widest.name} has a standard deviation of ${short(widest.std)}, which makes its outputs ${short(widest.gain)} times its inputs, and the model's output ${short(output.output.std)}`,
      evidence: { loss: trend.first, baseline: trend.ignorant, std: output.output.std, gain: widest.gain },
      why: "a model that knows nothing yet should not be sure: weights that are too large make large outputs, and the first steps are spent on undoing them",
      advice: [
        "smaller initial weights: a standard deviation of about 1/√(number of inputs), as He and Xavier initialization give (the default here)",
        "batchNorm or layerNorm between the layers",
      ],
    },
  ];
}

/**
 * The weight that makes its outputs largest for inputs of size 1: its standard deviation times the root of the inputs
 * of each output.
 */
function largestGain({ parameters = [], weights, forward }: Observations): { name: string; std: number; gain: number } | undefined {
  const embeddings = new Set(forward.filter(({ kind }) => kind === "embedding").map(({ path }) => path));
  const gains = parameters
    .filter(({ name }) => weights.includes(name) && !embeddings.has(layerOf(name)))
    .map(({ name, std, shape }) => ({ name, std, gain: std * Math.sqrt(shape.slice(1).reduce((a, b) => a * b, 1)) }));
  return bestOf(gains, ({ gain }) => gain, "larger");
}

export function symmetricInitialization({ parameters = [], weights }: Observations): Finding[] {
  const hidden = weights.slice(0, -1);
  const equal = parameters.filter(({ name, std, shape }) => hidden.includes(name) && std === 0 && (shape[0] ?? 0) > 1);
  return equal.slice(0, 1).map(({ name }) => ({
    kind: "symmetric initialization",
    where: layerOf(name),
    what: `all numbers of ${name} begin equal${equal.length > 1 ? ` (so do ${equal.length - 1} other weights)` : ""}`,
    evidence: { std: 0, weights: equal.length },
    why: "units with equal weights get equal gradients and stay equal for ever: the layer works like a single unit, or with zeros not at all",
    advice: ["random initial weights: heNormal() or xavierUniform(), the default of every layer"],
  }));
}
