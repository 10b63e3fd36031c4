// How the tests run: Node environment, everything under test/, with a guard against hangs and no other time limit.

import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const source = fileURLToPath(new URL("./src", import.meta.url));

export default defineConfig({
  resolve: {
    // Examples import the package by its name; the tests run them from the sources.
    alias: [
      { find: /^kasane$/, replacement: `${source}/index.ts` },
      { find: /^kasane\/(\w+)$/, replacement: `${source}/$1/index.ts` },
      { find: /^kasane\/(\w+\/\w+)$/, replacement: `${source}/$1.ts` },
    ],
  },
  test: {
    include: ["test/**/*.test.ts"],
    environment: "node",
    // Guards against a deadlock only; no test may depend on how fast the machine is.
    testTimeout: 600_000,
    hookTimeout: 600_000,
    maxWorkers: 2,
  },
});
