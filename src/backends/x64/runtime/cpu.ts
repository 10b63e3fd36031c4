// Finds out which instruction sets this processor has, with an emitted routine, and describes each to the kernels.

import type { Machine } from "../../../kernels/language/language.ts";
import { environment } from "../../../util/environment.ts";
import { BackendError } from "../../../util/errors.ts";
import { Assembler } from "../encode/assembler.ts";
import { memory, RAX, RBX, RCX, RDI, RDX, register } from "../encode/registers.ts";
import { CodePages } from "./memory.ts";
import { type Native, native } from "./native.ts";

export type MachineName = "avx2" | "avx512";

/**
 * Tiles and blocks by measurement (Zen 4; matrices of 512 and 1024, convolutions of 64 channels). `caches` are what
 * blocks are sized for: more than the first level really has, because panels that stream from the second cost less than
 * more, shorter blocks of K. What is streamed is as much as would fill half of the third level.
 */
export const MACHINES: Readonly<Record<MachineName, Machine>> = {
  avx512: {
    name: "x64 avx512",
    lanes: 16,
    registers: 32,
    fma: "fused",
    caches: [192 * 1024, 2048 * 1024],
    streamed: 16 * 2 ** 20,
    tile: { rows: 14, vectors: 2 },
  },
  avx2: {
    name: "x64 avx2",
    lanes: 8,
    registers: 16,
    fma: "fused",
    caches: [128 * 1024, 1024 * 1024],
    streamed: 16 * 2 ** 20,
    tile: { rows: 6, vectors: 2 },
  },
};

/** Bits of CPUID leaf 1 ecx, leaf 7 ebx, and of XCR0 (register files that the system saves). */
const NEEDS = {
  avx2: { one: [12, 27, 28], seven: [3, 5, 8], state: 0x06 },
  avx512: { one: [12, 27, 28], seven: [3, 5, 8, 16, 17, 30, 31], state: 0xe6 },
} as const;

interface Identity {
  readonly one: number;
  readonly seven: number;
  readonly state: number;
}

let probed: ReadonlySet<MachineName> | string | undefined;

/** The machines that run here, or the sentence that says why none does. */
export function runnable(): ReadonlySet<MachineName> | string {
  probed ??= probe();
  return probed;
}

function probe(): ReadonlySet<MachineName> | string {
  const system = native();
  if (typeof system === "string") return system;
  let identity: Identity;
  try {
    identity = identify(system);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
  const has = (word: number, bits: readonly number[]) => bits.every((bit) => (word >>> bit) & 1);
  const names = (["avx512", "avx2"] as const).filter((name) => {
    const { one, seven, state } = NEEDS[name];
    return has(identity.one, one) && has(identity.seven, seven) && (identity.state & state) === state;
  });
  return names.length === 0 ? "this processor has no AVX2 with FMA and BMI2" : new Set(names);
}

/** Runs a routine that writes CPUID's answers to 12 bytes. */
function identify(system: Native): Identity {
  const code = new Assembler();
  const r32 = (number: number) => register("r32", number);
  const r64 = (number: number) => register("r64", number);
  const store = (place: number, from: number) => code.emit("mov_store", [memory(RDI, place), r32(from)]);
  code.emit("push", [r64(RBX)]);
  code.emit("mov_imm", [r32(RAX), 1]);
  code.emit("mov_imm", [r32(RCX), 0]);
  code.emit("cpuid", []);
  store(0, RCX);
  code.emit("mov_imm", [r32(RAX), 7]);
  code.emit("mov_imm", [r32(RCX), 0]);
  code.emit("cpuid", []);
  store(4, RBX);
  // xgetbv faults where the system has not switched it on.
  const past = code.label("past");
  code.emit("mov_load", [r32(RAX), memory(RDI, 0)]);
  code.emit("and_imm", [r32(RAX), 1 << 27]);
  code.emit("je", [past]);
  code.emit("mov_imm", [r32(RCX), 0]);
  code.emit("xgetbv", []);
  store(8, RAX);
  code.place(past);
  code.emit("pop", [r64(RBX)]);
  code.emit("mov_imm", [r32(RDX), 0]);
  code.emit("ret", []);
  const pages = new CodePages(system, code.finish());
  const data = system.map(4096, "write");
  if (data === undefined) throw new BackendError("x64: the system gave no memory");
  try {
    system.callable(pages.address)(data);
    const [one, seven, state] = new Int32Array(system.view(data, 12).slice(0)) as unknown as [number, number, number];
    return { one, seven, state };
  } finally {
    pages.release();
    system.unmap(data, 4096);
  }
}

/** KASANE_X64, else the widest that runs. Throws BackendError where none does, or not the one asked for. */
export function chooseMachine(wanted?: MachineName): Machine {
  const found = runnable();
  if (typeof found === "string")
    throw new BackendError(`the x64 backend cannot run here: ${found}`, { hint: "the wasm backend runs everywhere: KASANE_BACKEND=wasm" });
  const asked = wanted ?? environment("KASANE_X64");
  if (asked === undefined || asked === "") return MACHINES[found.has("avx512") ? "avx512" : "avx2"];
  if (asked !== "avx2" && asked !== "avx512") throw new BackendError(`KASANE_X64 is avx2 or avx512, got "${asked}"`);
  if (!found.has(asked)) throw new BackendError(`KASANE_X64=${asked}: this processor runs ${[...found].join(", ")}`);
  return MACHINES[asked];
}
