// Random numbers as a function of a counter (Philox2x32-10): the same seed gives the same numbers everywhere.

import { random } from "./op.ts";

const PARAMS = { seed: "int", stream: "int" } as const;

export const uniform = random("randomUniform", "y[...] = low + (high - low) * uniform(seed, stream, position[...], 0)", {
  params: { ...PARAMS, low: 0, high: 1 },
  doc: { en: "Numbers spread evenly over [low, high).", ja: "一様乱数", source: "Salmon et al. 2011" },
});
export const normal = random(
  "randomNormal",
  "y[...] = mean + deviation * sqrt(-2 * log(1 - uniform(seed, stream, position[...], 0))) * cos(2 * pi * uniform(seed, stream, position[...], 1))",
  {
    params: { ...PARAMS, mean: 0, deviation: 1 },
    doc: { en: "Normally distributed numbers.", ja: "正規乱数", source: "Box & Muller 1958" },
  },
);
export const bernoulli = random("randomBernoulli", "y[...] = float(uniform(seed, stream, position[...], 0) < probability)", {
  params: { ...PARAMS, probability: 0.5 },
  doc: { en: "1 with the given probability, else 0." },
});
export const integers = random("randomInteger", "y[...] = low + int(span * uniform(seed, stream, position[...], 0))", {
  params: { ...PARAMS, low: "int", span: "int" },
  doc: { en: "Integers from low on, span different ones." },
});
const bits = (word: 0 | 1, values: number): string => `int(uniform(seed, stream, position[...], ${word}) * ${values})`;
const divided = (product: string, by: number): string => `int((${product} - ${product} % ${by}) / ${by})`;
// (coarse · 2¹⁶ + fine) times a random number of 32 bits, the upper bits of the product: a float has only 24.
export const manyIntegers = random(
  "randomIntegerOfMany",
  `y[...] = low + coarse * ${bits(0, 65536)} + ${divided(`coarse * ${bits(1, 65536)}`, 65536)} + ${divided(`fine * ${bits(0, 32768)}`, 32768)}`,
  {
    params: { ...PARAMS, low: "int", coarse: "int", fine: "int" },
    doc: { en: "Integers from low on, coarse · 2¹⁶ + fine different ones: at most 2³¹." },
  },
);
export const dropout = random("dropout", "y[...] = select(uniform(seed, stream, position[...], 0) < keep, x[...] / keep, 0)", {
  params: { ...PARAMS, keep: 0.5 },
  doc: {
    en: "Sets each element to 0 with probability 1 − keep and divides the others by keep; the gradient uses the same mask.",
    ja: "ドロップアウト",
    source: "Srivastava et al. 2014",
  },
});
export const channelDropout = random(
  "channelDropout",
  "y[n, c, ...] = select(uniform(seed, stream, position[n, c], 0) < keep, x[n, c, ...] / keep, 0)",
  {
    params: { ...PARAMS, keep: 0.5 },
    doc: {
      en: "Dropout of whole channels: all positions of a channel stay or go together.",
      source: "Tompson et al. 2015 (spatial dropout)",
    },
  },
);
// What is dropped becomes −scale · alpha of SELU; the line after it gives back mean 0 and variance 1.
export const alphaDropout = random(
  "alphaDropout",
  "y[...] = (select(uniform(seed, stream, position[...], 0) < keep, x[...], -1.7580993408473766) + 1.7580993408473766 * (1 - keep)) / sqrt(keep * (1 + 1.7580993408473766 ^ 2 * (1 - keep)))",
  {
    params: { ...PARAMS, keep: 0.5 },
    doc: { en: "Dropout for SELU: keeps mean 0 and variance 1.", source: "Klambauer et al. 2017" },
  },
);
