// Random contractions, as AVX-512 machine code.

import { expect, test } from "vitest";
import { here } from "./harness.ts";

if (here.includes("avx512")) {
  process.env.KASANE_KERNELS = "avx512";
  await import("../../kernels/contract/contract.test.ts");
  delete process.env.KASANE_KERNELS;
} else {
  test.skip("avx512 does not run here", () => expect(here).toContain("avx512"));
}
