// Data for training, for Node and browsers: re-exports only.

export type { Fields, NdArray, Storage } from "./array.ts";
export { gatherRows, ndArray } from "./array.ts";
export type { DatasetOptions, MapOptions, SplitOptions } from "./dataset.ts";
export { checkFinite, checkLabels, Dataset } from "./dataset.ts";
export type { Category, CategoryEncoderState, ImputerState, ImputerStrategy } from "./encoders.ts";
export { CategoryEncoder, Imputer, joinColumns, oneHot } from "./encoders.ts";
export type { CsvOptions, TextRow, TextTable } from "./files/csv.ts";
export { parseCsv } from "./files/csv.ts";
export { readIdx, readIdxFile } from "./files/idx.ts";
export type { TableOptions } from "./files/table.ts";
export { numericColumns, readTable } from "./files/table.ts";
export type { DigitsOptions, LabelledImages, PointsOptions, SpiralsOptions, WineOptions } from "./generators/index.ts";
export { digits, moons, spirals, wine, xor } from "./generators/index.ts";
export type { Random } from "./generators/random.ts";
export type { EpochOptions, LoaderOptions } from "./loader.ts";
export { DataLoader } from "./loader.ts";
export type { StandardizerOptions, StandardizerState } from "./standardizer.ts";
export { Standardizer } from "./standardizer.ts";
export type { ClassificationTable, RegressionTable, Table } from "./table.ts";
export { tableDataset } from "./table.ts";
export * from "./tokenizers/index.ts";
export * from "./transforms/index.ts";
