// Everything other folders use of the x64 backend. Bundles for browsers get absent.ts instead.

export { runnable } from "./runtime/cpu.ts";
export { createX64Backend, x64Target } from "./x64.ts";
