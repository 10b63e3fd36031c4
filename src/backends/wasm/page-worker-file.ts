// A worker from the file that a bundler made of page-worker.ts; loaded only where it is asked for.

/** Written out whole and with nothing computed: the form that bundlers know. */
export const openEmitted = (): Worker => new Worker(new URL("./page-worker.js", import.meta.url), { type: "module" });
