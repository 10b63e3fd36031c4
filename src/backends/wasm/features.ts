// Finds out what this engine's WebAssembly can do (SIMD, relaxed multiply-add) by running small modules.

import { ModuleBuilder } from "../../kernels/language/builder.ts";
import type { KernelModule, Machine } from "../../kernels/language/language.ts";
import { at, fma, loadVector } from "../../kernels/language/values.ts";
import { BackendError } from "../../util/errors.ts";
import { encodeModule } from "./module.ts";
import { makeMemory } from "./room.ts";

export interface Features {
  readonly simd: boolean;
  readonly relaxedFma: boolean;
  /** True when relaxed multiply-add rounds once here. */
  readonly fused: boolean;
  /** Why nothing may run although the engine could. */
  readonly forbidden?: string;
}

let probed: Features | undefined;

export function features(): Features {
  probed ??= probe();
  return probed;
}

/**
 * The machine that kernels for this engine are written for. Throws BackendError without WebAssembly SIMD, and where a
 * page may not use it.
 */
export function wasmMachine(found: Features = features()): Machine {
  if (found.forbidden !== undefined)
    throw new BackendError(found.forbidden, { hint: "change the policy, or setBackend('reference'), which is many times slower" });
  if (!found.simd) {
    throw new BackendError("the wasm backend needs WebAssembly SIMD, which this engine does not have", {
      hint: "use Node 20 or later or a browser from 2023 or later, or setBackend('reference')",
    });
  }
  return {
    name: "wasm",
    lanes: 4,
    registers: 16,
    fma: !found.relaxedFma ? "separate" : found.fused ? "fused" : "relaxed",
    caches: [32 * 1024, 1024 * 1024],
    tile: { rows: 4, vectors: 2 },
  };
}

function probe(): Features {
  const none: Features = { simd: false, relaxedFma: false, fused: false };
  if (typeof WebAssembly === "undefined") return none;
  const kernel = probeKernel();
  const plain = encodeModule(kernel, { relaxedFma: false });
  if (!WebAssembly.validate(plain)) return none;
  try {
    new WebAssembly.Module(plain);
  } catch {
    return {
      ...none,
      forbidden: "the content security policy of this page forbids WebAssembly; its directive script-src must list 'wasm-unsafe-eval'",
    };
  }
  const relaxed = encodeModule(kernel, { relaxedFma: true });
  if (!WebAssembly.validate(relaxed)) enableRelaxedSimd();
  if (!WebAssembly.validate(relaxed)) return { ...none, simd: true };
  return { simd: true, ...compute(relaxed) };
}

/** (1 + 2⁻¹²)² − (1 + 2⁻¹¹) is 2⁻²⁴ when rounded once and 0 when the product is rounded first. */
function compute(binary: Uint8Array<ArrayBuffer>): { relaxedFma: boolean; fused: boolean } {
  let memory: WebAssembly.Memory;
  try {
    memory = makeMemory({ initial: 1 });
  } catch {
    // No room: what needs more than this page will say so.
    return { relaxedFma: false, fused: false };
  }
  const instance = new WebAssembly.Instance(new WebAssembly.Module(binary), { env: { memory } });
  const data = new Float32Array(memory.buffer);
  data.fill(1 + 2 ** -12, 0, 8);
  data.fill(-1 - 2 ** -11, 8, 12);
  (instance.exports.probe as (pointer: number) => void)(0);
  const result = data[12];
  const fused = result === 2 ** -24;
  return { relaxedFma: fused || result === 0, fused };
}

function probeKernel(): KernelModule {
  const machine: Machine = {
    name: "probe",
    lanes: 4,
    registers: 16,
    fma: "relaxed",
    caches: [0, 0],
    tile: { rows: 1, vectors: 1 },
  };
  const module = new ModuleBuilder("probe", machine);
  module.define(
    "probe",
    { p: "pointer" },
    (k, { p }) => {
      const [a, b, c, d] = [0, 1, 2, 3].map((place) => at(p, undefined, place * 16));
      k.store(d!, fma(loadVector(a!), loadVector(b!), loadVector(c!)));
    },
    true,
  );
  return module.build();
}

/**
 * Node 20 and 22.0 have relaxed SIMD behind a flag that takes effect for modules compiled afterwards. Reached without
 * an import so that browser bundles stay free of node:.
 */
function enableRelaxedSimd(): void {
  const host = globalThis as { process?: { getBuiltinModule?: (name: string) => unknown } };
  try {
    const v8 = host.process?.getBuiltinModule?.("node:v8") as { setFlagsFromString?: (flag: string) => void } | undefined;
    v8?.setFlagsFromString?.("--experimental-wasm-relaxed-simd");
  } catch {
    // A host that refuses flags simply runs without relaxed SIMD.
  }
}
