// The optimizers of the command line: all of kasane/optim, with their settings and usual learning rates.

import type { Layer } from "../nn/index.ts";
import {
  adaDelta,
  adaGrad,
  adam,
  adamax,
  adamW,
  amsGrad,
  combineOptimizers,
  lamb,
  lars,
  lion,
  muon,
  nAdam,
  type Optimizer,
  rAdam,
  rmsProp,
  sgd,
} from "../optim/index.ts";
import { parameter, type Tensor, zeros } from "../tensor/index.ts";
import { type Aliases, type Choice, choose, type SettingKind, type Settings } from "./choices.ts";

type Make = (parameters: ReadonlyMap<string, Tensor>, learningRate: number, settings: Settings) => Optimizer;

interface OptimizerChoice extends Choice<Make> {
  /** Its usual learning rate, by that of Adam for the same data. */
  readonly rate: (adam: number) => number;
}

type KindsOf<Options> = Readonly<Record<Exclude<keyof Options, "learningRate"> & string, SettingKind>>;

type MakeFor<Options> = (parameters: ReadonlyMap<string, Tensor>, options: Options) => Optimizer;
type OptionsOf<Maker> = Maker extends (parameters: never, options: infer Options) => Optimizer ? NonNullable<Options> : never;

function row<Maker extends (parameters: never, options: never) => Optimizer>(
  make: Maker,
  settings: KindsOf<OptionsOf<Maker>>,
  rate: OptimizerChoice["rate"] = (adam) => adam,
): OptimizerChoice {
  const known = make as unknown as MakeFor<object>;
  return { settings, rate, make: (parameters, learningRate, given) => known(parameters, { ...given, learningRate }) };
}

const MOMENTS = { beta1: "number", beta2: "number", epsilon: "number", weightDecay: "number" } as const;

const optimizers = {
  sgd: row(sgd, { momentum: "number", dampening: "number", nesterov: "boolean", weightDecay: "number" }, () => 0.1),
  adam: row(adam, MOMENTS),
  adamW: row(adamW, MOMENTS),
  amsGrad: row(amsGrad, MOMENTS),
  adamax: row(adamax, MOMENTS, (usual) => 2 * usual),
  nAdam: row(nAdam, { ...MOMENTS, momentumDecay: "number" }),
  rAdam: row(rAdam, MOMENTS),
  rmsProp: row(rmsProp, { alpha: "number", epsilon: "number", weightDecay: "number", momentum: "number", centered: "boolean" }),
  adaGrad: row(adaGrad, { learningRateDecay: "number", epsilon: "number", weightDecay: "number" }, (usual) => 10 * usual),
  adaDelta: row(adaDelta, { rho: "number", epsilon: "number", weightDecay: "number" }, () => 1),
  lion: row(lion, { beta1: "number", beta2: "number", weightDecay: "number" }, (usual) => usual / 5),
  lars: row(lars, { momentum: "number", weightDecay: "number", trust: "number" }, () => 1),
  lamb: row(lamb, MOMENTS),
  muon: {
    settings: { momentum: "number", nesterov: "boolean", weightDecay: "number", iterations: "number" },
    rate: () => 0.02,
    // It moves matrices; AdamW moves the rest, at its own usual ratio to it.
    make: (parameters, learningRate, given) => {
      const all = [...parameters];
      const [matrices, others] = [true, false].map((isMatrix) => new Map(all.filter(([, { rank }]) => rank > 1 === isMatrix))) as [
        Map<string, Tensor>,
        Map<string, Tensor>,
      ];
      const parts = [
        ...(matrices.size === 0 ? [] : [muon(matrices, { ...given, learningRate })]),
        ...(others.size === 0 ? [] : [adamW(others, { learningRate: learningRate / 10 })]),
      ];
      return combineOptimizers(...parts);
    },
  },
} satisfies Readonly<Record<string, OptimizerChoice>>;

/** For --help and for what is said of a wrong name. */
export const optimizerChoices: Readonly<Record<string, OptimizerChoice>> = optimizers;

const ALIASES: Aliases = { adamw: "adamW", momentum: "sgd:momentum=0.9" };

/** @throws InputError for names and settings that do not exist or are out of range */
export function optimizerOf(chosen: string, model: Pick<Layer, "namedParameters">, learningRate: number): Optimizer {
  const { make, settings } = choose<Make>(optimizerChoices, chosen, ALIASES);
  return make(model.namedParameters(), learningRate, settings);
}

/** Any weights: to see whether an optimizer can be made. */
const anyModel = { namedParameters: () => new Map([["weight", parameter(zeros([2, 2]))]]) };

/** @throws InputError as optimizerOf */
export function checkOptimizer(chosen: string): void {
  optimizerOf(chosen, anyModel, 0.1);
}

/** What it is usually given where Adam is given so much. */
export function usualRate(chosen: string, ofAdam: number): number {
  const { name, settings } = choose<Make>(optimizerChoices, chosen, ALIASES);
  // Momentum adds up several steps.
  if (name === "sgd" && Number(settings.momentum ?? 0) > 0) return 0.02;
  return optimizerChoices[name]!.rate(ofAdam);
}
