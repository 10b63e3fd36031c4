// Run folders, for Node only: re-exports only.

export type { RunModel } from "./node/run.ts";
export { RunFolder } from "./node/run.ts";
