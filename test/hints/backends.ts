// Advice of backends and of what they compute.

import { wasmMachine } from "../../src/backends/wasm/features.ts";
import { chooseTile } from "../../src/backends/wasm/tile.ts";
import { createX64Backend } from "../../src/backends/x64/absent.ts";
import { getBackend, setBackend, tensor } from "../../src/index.ts";
import { elementOf } from "../../src/kernels/expressions/elements.ts";
import { requireSize } from "../../src/kernels/lowered.ts";
import { type Advice, advice } from "./advice.ts";

/** Computes on a backend, and goes back to the one before. */
function on(name: "wasm" | "reference", dtype: "float32" | "float64" = "float32"): void {
  const { name: before } = getBackend();
  setBackend(name);
  try {
    if (tensor([1, 2], { dtype }).add(1).sum().item() !== 5) throw new Error("a wrong sum");
  } finally {
    setBackend(before);
  }
}

const none = { simd: false } as never;

export const backendsAdvice: readonly Advice[] = [
  advice(
    "setBackend('wasm') or KASANE_BACKEND=wasm, which runs everywhere; unset, the fastest is taken",
    () => setBackend("gpu" as never),
    () => on("wasm"),
  ),
  advice(
    "change the policy, or setBackend('reference'), which is many times slower",
    () => wasmMachine({ forbidden: "the page forbids it" } as never),
    () => on("reference"),
    () => wasmMachine(),
  ),
  advice(
    "use Node 20 or later or a browser from 2023 or later, or setBackend('reference')",
    () => wasmMachine(none),
    () => wasmMachine(),
    () => on("reference"),
  ),
  advice(
    "KASANE_TILE=4x8, or leave it unset",
    () => chooseTile(wasmMachine(), "4x7"),
    () => chooseTile(wasmMachine(), "4x8"),
    () => chooseTile(wasmMachine(), undefined),
  ),
  advice(
    "the wasm backend runs everywhere",
    () => createX64Backend(),
    () => on("wasm"),
  ),
  advice(
    "convert to float32, or call setBackend('reference')",
    () => elementOf("float64"),
    () => elementOf(tensor([1], { dtype: "float64" }).to("float32").dtype),
    () => on("reference", "float64"),
  ),
  advice(
    "use smaller batches, or split the tensor",
    () => requireSize(2 ** 31, "a tensor"),
    () => requireSize(2 ** 30, "a tensor"),
  ),
];
