// Starts a page's worker from the file that a bundler makes of page-worker.ts; loaded only when needed.

/** Written out whole and with nothing computed: the form that bundlers know. */
export const openEmitted = (): Worker => new Worker(new URL("./page-worker.js", import.meta.url), { type: "module" });
