// x86-64 registers and operands as the assembler takes them.

/** Register files as instructions see them; `x`, `y` and `z` are the 128-, 256- and 512-bit views of one file. */
export type RegisterClass = "r8" | "r16" | "r32" | "r64" | "x" | "y" | "z" | "k";

export interface Register {
  readonly kind: "register";
  readonly class: RegisterClass;
  readonly number: number;
}

/**
 * [base + index·scale + displacement], or [rip + label + displacement]. `broadcast`: one 32-bit element for all lanes.
 */
export interface Memory {
  readonly kind: "memory";
  readonly base: number | undefined;
  readonly index: number | undefined;
  readonly scale: 1 | 2 | 4 | 8;
  readonly displacement: number;
  readonly label: Label | undefined;
  readonly broadcast: boolean;
}

/** A place in the code, set once. */
export interface Label {
  readonly kind: "label";
  readonly name: string;
}

export type AssemblyOperand = Register | Memory | Label | number;

export const RAX = 0;
export const RCX = 1;
export const RDX = 2;
export const RBX = 3;
export const RSP = 4;
export const RBP = 5;
export const RSI = 6;
export const RDI = 7;
export const R10 = 10;
export const R11 = 11;
export const R12 = 12;

export const register = (kind: RegisterClass, number: number): Register => ({ kind: "register", class: kind, number });

export const memory = (base: number, displacement = 0, index?: number, scale: Memory["scale"] = 1): Memory => ({
  kind: "memory",
  base,
  index,
  scale,
  displacement,
  label: undefined,
  broadcast: false,
});

export const atLabel = (label: Label, displacement = 0): Memory => ({
  kind: "memory",
  base: undefined,
  index: undefined,
  scale: 1,
  displacement,
  label,
  broadcast: false,
});

const NAMES64 = ["rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi"];
const NAMES8 = ["al", "cl", "dl", "bl", "spl", "bpl", "sil", "dil"];

export function registerName({ class: kind, number }: Register): string {
  switch (kind) {
    case "k":
      return `k${number}`;
    case "x":
    case "y":
    case "z":
      return `${kind}mm${number}`;
    case "r64":
      return NAMES64[number] ?? `r${number}`;
    case "r32":
      return number < 8 ? `e${NAMES64[number]!.slice(1)}` : `r${number}d`;
    case "r16":
      return number < 8 ? NAMES64[number]!.slice(1) : `r${number}w`;
    case "r8":
      return NAMES8[number] ?? `r${number}b`;
  }
}
