// Readers of data files, for Node only: re-exports only.

export { loadCsv, loadWineQuality } from "./files/load-csv.ts";
export type { ImageFields, MnistOptions } from "./files/mnist.ts";
export { loadMnist } from "./files/mnist.ts";
