// Code before register allocation: instructions with virtual registers (from `firstVirtual` on), labels, loops, calls.

import type { ValueType } from "../../../kernels/language/language.ts";
import type { Masking } from "./assembler.ts";
import type { InstructionName } from "./instructions.ts";
import type { AssemblyOperand, Label, Register, RegisterClass } from "./registers.ts";

export const FIRST_VIRTUAL = 64;
/** As base of an address: where the caller put the arguments. Its place relative to rsp is known once the frame is. */
export const INCOMING = 40;
/** As base of an address: where this function's callees find their arguments. */
export const OUTGOING = 41;

export type RegisterFile = "general" | "vector" | "mask";

export const FILE_OF: Readonly<Record<RegisterClass, RegisterFile>> = {
  r8: "general",
  r16: "general",
  r32: "general",
  r64: "general",
  x: "vector",
  y: "vector",
  z: "vector",
  k: "mask",
};

export interface Instruction {
  readonly kind: "instruction";
  readonly name: InstructionName;
  readonly operands: readonly AssemblyOperand[];
  readonly masking: Masking | undefined;
}

export type Item =
  | Instruction
  /** `align`: the top of a loop without loops inside. */
  | { readonly kind: "label"; readonly label: Label; readonly align: boolean }
  | { readonly kind: "loop"; readonly start: boolean }
  | { readonly kind: "call"; readonly callee: Label; readonly result: Register | undefined; readonly type: ValueType | undefined }
  | { readonly kind: "comment"; readonly text: string };

export interface FunctionCode {
  readonly name: string;
  readonly entry: Label;
  readonly items: readonly Item[];
  /** The widest view that each virtual register needs, by number − firstVirtual. */
  readonly classes: readonly RegisterClass[];
  /** Bytes that the arguments of the functions called take. */
  readonly outgoingBytes: number;
}

/** How an instruction treats its first operand when that is a register. */
export function firstAccess(name: InstructionName, masking: Masking | undefined): "read" | "write" | "both" {
  if (READS.has(name)) return "read";
  if (updates.has(name) || (masking !== undefined && !masking.zero && !MASKS_RESULT.has(name))) return "both";
  return "write";
}

const READS: ReadonlySet<InstructionName> = new Set<InstructionName>([
  "cmp",
  "cmp_imm",
  "test",
  "vucomiss",
  "kortestw",
  "push",
  "div",
  "idiv",
  "call_register",
]);

const updates: ReadonlySet<InstructionName> = new Set<InstructionName>([
  ...(["add", "add_imm", "or", "or_imm", "and", "and_imm", "sub", "sub_imm", "xor", "xor_imm", "imul", "neg", "not"] as const),
  ...([
    "shl_imm",
    "shr_imm",
    "sar_imm",
    "cmovb",
    "cmovae",
    "cmove",
    "cmovne",
    "cmovbe",
    "cmova",
    "cmovs",
    "cmovl",
    "cmovge",
    "cmovle",
    "cmovg",
  ] as const),
  ...([
    "vfmadd132ps",
    "vfmadd213ps",
    "vfmadd231ps",
    "vfmadd132ss",
    "vfmadd213ss",
    "vfmadd231ss",
    "vpermi2ps",
    "xchg",
    "lock_xadd",
  ] as const),
]);

/** The mask chooses between two sources, or limits a comparison, and the result is whole. */
const MASKS_RESULT: ReadonlySet<InstructionName> = new Set<InstructionName>(["vblendmps", "vcmpps_mask", "vpcmpd", "vpcmpud"]);

/** Plain copies between registers of one file. */
export const COPIES: ReadonlySet<InstructionName> = new Set<InstructionName>(["mov", "vmovaps", "kmovw"]);
