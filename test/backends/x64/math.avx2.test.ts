// Vector math, as AVX2 machine code.

import { expect, test } from "vitest";
import { here } from "./harness.ts";

if (here.includes("avx2")) {
  process.env.KASANE_KERNELS = "avx2";
  await import("../../kernels/math.test.ts");
  delete process.env.KASANE_KERNELS;
} else {
  test.skip("avx2 does not run here", () => expect(here).toContain("avx2"));
}
