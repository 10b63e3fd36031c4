// How the tests run: Node environment, everything under test/, with a guard against hangs and no other time limit.
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    environment: "node",
    // Guards against a deadlock only; no test may depend on how fast the machine is.
    testTimeout: 600_000,
    hookTimeout: 600_000,
    maxWorkers: 2,
  },
});
