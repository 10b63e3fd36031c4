// All that is used of the x64 backend from outside. Bundles for browsers get absent.ts instead (`browser` in package.json).
export { runnable } from "./runtime/cpu.ts";
export { createX64Backend, x64Target } from "./x64.ts";
