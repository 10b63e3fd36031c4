// Transforms of batches, for augmentation and preparation: re-exports only.

export type { AffineOptions, Amount, SamplingOptions } from "./affine.ts";
export { randomAffine, randomRotation } from "./affine.ts";
export type { CropOptions, FlipOptions, RandomCropOptions } from "./geometry.ts";
export { centerCrop, randomCrop, randomFlip } from "./geometry.ts";
export type { ImageOptions } from "./images.ts";
export type { MixingTransform, MixOptions } from "./mixing.ts";
export { cutmix, mixup } from "./mixing.ts";
export type { BrightnessContrastOptions, CutoutOptions, ErasingOptions, NoiseOptions } from "./pixels.ts";
export { cutout, gaussianNoise, randomBrightnessContrast, randomErasing } from "./pixels.ts";
export type { DrawsOptions, FieldsTransform, Replaced, Transform } from "./transform.ts";
export { compose, Draws, mapField } from "./transform.ts";
