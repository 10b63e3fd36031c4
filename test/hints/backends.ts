// Advice of backends and of what they compute.

import { offerBackend, useBackend } from "../../src/backends/choose.ts";
import { wasmMachine } from "../../src/backends/wasm/features.ts";
import { chooseTile } from "../../src/backends/wasm/tile.ts";
import { createX64Backend } from "../../src/backends/x64/absent.ts";
import { compile, getBackend, initBackend, setBackend, type Tensor, tensor } from "../../src/index.ts";
import { record, recordAsync } from "../../src/inspect/index.ts";
import { elementOf } from "../../src/kernels/expressions/elements.ts";
import { requireSize } from "../../src/kernels/lowered.ts";
import { makeRemote } from "../backends/remote.ts";
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

/** Does something where reading takes time. */
async function onRemote(run: () => unknown): Promise<unknown> {
  const { name: before } = getBackend();
  useBackend(makeRemote().backend);
  try {
    return await run();
  } finally {
    setBackend(before);
  }
}

/** Before and after a backend that must be made ready is. */
async function offered(run: () => unknown): Promise<unknown> {
  const { name: before } = getBackend();
  const withdraw = offerBackend("hinted", { runsHere: () => true, make: () => makeRemote().backend, init: async () => {} });
  try {
    return await run();
  } finally {
    setBackend(before);
    withdraw();
  }
}

const guarded = compile((x: Tensor) => x.sum(), { guard: (sum: Tensor) => sum });
const computed = (): Tensor => tensor([0, 1], { dtype: "int32" }).add(1);
const taken = compile((ids: Tensor) => tensor([5, 6, 7]).take(ids.add(1)));

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
    'await initBackend("…") takes it when it is',
    () => offered(() => setBackend("hinted")),
    () => offered(() => initBackend("hinted")),
  ),
  advice(
    "await tensor.read() first",
    () => onRemote(() => tensor([1]).add(1).item()),
    () =>
      onRemote(async () => {
        const sum = tensor([1]).add(1);
        await sum.read();
        return sum.item();
      }),
  ),
  advice(
    "await it: await step.async(x, y)",
    () => onRemote(() => guarded(tensor([1]))),
    () => onRemote(() => guarded.async(tensor([1]))),
  ),
  advice(
    "await their read() first, or compute with them in a compiled function, which checks them itself",
    () => onRemote(() => tensor([5, 6, 7]).take(computed())),
    () =>
      onRemote(async () => {
        const ids = computed();
        await ids.read();
        return tensor([5, 6, 7]).take(ids).read();
      }),
    () => onRemote(async () => (await taken.async(tensor([0, 1], { dtype: "int32" }))).read()),
  ),
  advice(
    "await recordAsync(async () => …)",
    () => onRemote(() => record(() => tensor([1]).add(1))),
    () => onRemote(() => recordAsync(async () => tensor([1]).add(1))),
  ),
  advice(
    "use smaller batches, or split the tensor",
    () => requireSize(2 ** 31, "a tensor"),
    () => requireSize(2 ** 30, "a tensor"),
  ),
];
