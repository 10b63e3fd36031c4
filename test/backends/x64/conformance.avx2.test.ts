// The conformance table once more, with AVX2 as the x64 backend (the table itself takes the widest machine code that runs).
import { expect, test } from "vitest";
import { here } from "./harness.ts";

if (here.includes("avx2")) {
  process.env.KASANE_X64 = "avx2";
  await import("../../conformance/conformance.test.ts");
} else {
  test.skip("avx2 does not run here", () => expect(here).toContain("avx2"));
}
