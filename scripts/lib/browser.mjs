// The browser that checks and tests open, and what the pages they serve to it are allowed.

export const chromiumPath = process.env.KASANE_CHROMIUM ?? "/usr/bin/chromium";

/** Headers that make SharedArrayBuffer available. */
export const isolation = { "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp" };

/** Lets WebAssembly compile and forbids eval and inline scripts: the library must need nothing more. */
export const usualPolicy = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'";
