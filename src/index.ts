// The public surface: re-exports only.

export { availableBackends, type BackendName, getBackend, initBackend, setBackend, setThreads } from "./backends/choose.ts";
export { type Limit, measureLimits } from "./backends/limits.ts";
export * from "./tensor/index.ts";
export * from "./util/errors.ts";
