// Data sets made on the spot from a seed: re-exports only.

export type { DigitsOptions, LabelledImages } from "./digits.ts";
export { digits } from "./digits.ts";
export type { PointsOptions, SpiralsOptions } from "./points.ts";
export { moons, spirals, xor } from "./points.ts";
export type { WineOptions } from "./wine.ts";
export { wine } from "./wine.ts";
