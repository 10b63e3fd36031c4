// All that is used of the x64 backend from outside. Bundles for browsers get absent.ts instead (`browser` in package.json).
export { type Alone, loadAlone } from "./alone.ts";
export { chooseMachine, runnable } from "./cpu.ts";
export { createX64Backend } from "./x64.ts";
