// Turns a kernel module into machine code: selects instructions, assigns registers, frames and encodes each function.

import type { KernelModule, Machine, ValueType } from "../../kernels/language/language.ts";
import { AWAIT_PARAMETERS, writeAwait } from "./await.ts";
import { type Assignment, allocate, type RegisterSupply, visitAccesses } from "./encode/allocate.ts";
import { Assembler } from "./encode/assembler.ts";
import {
  COPIES,
  FILE_OF,
  FIRST_VIRTUAL,
  type FunctionCode,
  firstAccess,
  INCOMING,
  type Instruction,
  type Item,
  OUTGOING,
} from "./encode/code.ts";
import { type InstructionName, instructions } from "./encode/instructions.ts";
import { ConstantPool } from "./encode/pool.ts";
import {
  type AssemblyOperand,
  type Memory,
  memory,
  RAX,
  RBP,
  RBX,
  RCX,
  RDI,
  RDX,
  type Register,
  type RegisterClass,
  RSI,
  RSP,
  register,
} from "./encode/registers.ts";
import { AWAIT_NAME, argumentPlaces, type Callee, resultRegister } from "./select/calls.ts";
import { selectFunction } from "./select/select.ts";

export interface MachineCode {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Where each exported function begins. */
  readonly entries: ReadonlyMap<string, number>;
}

/**
 * Exported functions follow the System V convention: `int64 entry(void *arguments)` with 8 bytes per argument at
 * `arguments` (pointers, i32, f32 in the low bytes); the result, if any, is given as its bits.
 *
 * Inside, arguments lie on the stack, 8 bytes for a scalar and a vector's size for a vector; the result is in rax, zmm0
 * or k1; callees keep all general registers but rax and rdx, and overwrite vectors and masks. rsp is a multiple of 64
 * before each call.
 */
export function emitModule(module: KernelModule, machine: Machine, listing?: string[]): MachineCode {
  const assembler = new Assembler(listing);
  const pool = new ConstantPool();
  const callees = new Map<string, Callee>();
  for (const fn of module.functions) {
    callees.set(fn.name, {
      entry: assembler.label(fn.name),
      parameters: fn.parameters.map((parameter) => parameter.type),
      result: fn.result?.type,
    });
  }
  callees.set(AWAIT_NAME, { entry: assembler.label("await"), parameters: AWAIT_PARAMETERS, result: undefined });
  const supply = supplyOf(machine);
  const entries = new Map<string, number>();
  for (const fn of module.functions) {
    const code = selectFunction(fn, machine, pool, callees);
    assembler.align(64);
    new FunctionWriter(code, allocate(code, supply), machine, assembler).write();
    if (!fn.exported) continue;
    assembler.align(16);
    entries.set(fn.name, assembler.length);
    writeEntry(assembler, fn.name, callees.get(fn.name)!, machine);
  }
  writeAwait(assembler, callees.get(AWAIT_NAME)!.entry);
  pool.write(assembler);
  return { bytes: assembler.finish(), entries };
}

function supplyOf(machine: Machine): RegisterSupply {
  const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);
  const vectors = machine.lanes === 16 ? 32 : 16;
  // rax and rdx are for division, conditions and small constants everywhere.
  const general = [RSI, RDI, RBX, RBP, ...range(8, 16)];
  return {
    plain: { general: [RCX, ...general], vector: range(0, vectors), mask: range(1, 8) },
    spilling: { general, vector: range(3, vectors), mask: range(1, 6) },
  };
}

/** Registers that values in memory pass through, with the supply for spilling. */
const scratch = { general: [RCX, RAX, RDX], vector: [0, 1, 2], mask: [6, 7] } as const;

/** Copies the arguments of an exported function from the array rdi points at to the stack. */
function writeEntry(assembler: Assembler, name: string, callee: Callee, machine: Machine): void {
  const { places, bytes } = argumentPlaces(callee.parameters, machine.lanes);
  const r64 = (number: number) => register("r64", number);
  assembler.place({ kind: "label", name: `${name}_entry` });
  assembler.emit("push", [r64(RBP)]);
  assembler.emit("mov", [r64(RBP), r64(RSP)]);
  assembler.emit("and_imm", [r64(RSP), -64]);
  if (bytes > 0) assembler.emit("sub_imm", [r64(RSP), bytes]);
  places.forEach((place, position) => {
    assembler.emit("mov_load", [r64(RAX), memory(RDI, 8 * position)]);
    assembler.emit("mov_store", [memory(RSP, place), r64(RAX)]);
  });
  assembler.emit("call", [callee.entry]);
  if (callee.result === "f32") assembler.emit("vmovd_store", [register("r32", RAX), register("x", 0)]);
  assembler.emit("mov", [r64(RSP), r64(RBP)]);
  assembler.emit("pop", [r64(RBP)]);
  assembler.emit("vzeroupper", []);
  assembler.emit("ret", []);
}

interface Frame {
  /** General registers that are written. */
  readonly kept: readonly number[];
  /** Bytes below them: arguments of callees, then values in memory. */
  readonly bytes: number;
  readonly slots: ReadonlyMap<number, number>;
}

const SIZES: Readonly<Record<RegisterClass, number>> = { r8: 8, r16: 8, r32: 8, r64: 8, k: 8, x: 16, y: 32, z: 64 };

class FunctionWriter {
  readonly #code: FunctionCode;
  readonly #assignment: Assignment;
  readonly #assembler: Assembler;
  readonly #frame: Frame;
  readonly #vector: "y" | "z";

  constructor(code: FunctionCode, assignment: Assignment, machine: Machine, assembler: Assembler) {
    this.#code = code;
    this.#assignment = assignment;
    this.#assembler = assembler;
    this.#vector = machine.lanes === 16 ? "z" : "y";
    this.#frame = this.#plan();
  }

  write(): void {
    const { name, entry, items } = this.#code;
    const { kept, bytes } = this.#frame;
    const assembler = this.#assembler;
    assembler.comment(`function ${name}`);
    assembler.place(entry);
    for (const number of kept) assembler.emit("push", [register("r64", number)]);
    if (bytes > 0) assembler.emit("sub_imm", [register("r64", RSP), bytes]);
    for (const item of items) this.#item(item);
    if (bytes > 0) assembler.emit("add_imm", [register("r64", RSP), bytes]);
    for (const number of [...kept].reverse()) assembler.emit("pop", [register("r64", number)]);
    assembler.emit("ret", []);
  }

  #plan(): Frame {
    const { items, outgoingBytes, classes } = this.#code;
    const { registers, spilled, saved } = this.#assignment;
    const written = new Set<number>();
    const inMemory = new Set<number>();
    const note = (number: number) => {
      if (number < FIRST_VIRTUAL) return;
      const place = registers[number - FIRST_VIRTUAL];
      const file = FILE_OF[classes[number - FIRST_VIRTUAL]!];
      if (place === undefined) inMemory.add(number);
      else if (file === "general") written.add(place);
    };
    for (const item of items) {
      if (item.kind === "instruction") visitAccesses(item, note);
      if (item.kind !== "call") continue;
      if (item.result !== undefined) note(item.result.number);
      for (const number of saved.get(item) ?? []) inMemory.add(number);
    }
    if (spilled) written.add(RCX);
    const slots = new Map<number, number>();
    let bytes = outgoingBytes;
    const bySize = [...inMemory].sort((a, b) => SIZES[classes[b - FIRST_VIRTUAL]!] - SIZES[classes[a - FIRST_VIRTUAL]!]);
    for (const number of bySize) {
      slots.set(number, bytes);
      bytes += SIZES[classes[number - FIRST_VIRTUAL]!];
    }
    const kept = [...written].sort((a, b) => a - b);
    // The return address and the registers kept lie above.
    const above = 8 + 8 * kept.length;
    return { kept, bytes: Math.ceil((bytes + above) / 64) * 64 - above, slots };
  }

  #item(item: Item): void {
    switch (item.kind) {
      case "label":
        if (item.align) this.#assembler.align(32);
        this.#assembler.place(item.label);
        return;
      case "comment":
        this.#assembler.comment(item.text);
        return;
      case "loop":
        return;
      case "call":
        this.#call(item);
        return;
      case "instruction":
        this.#instruction(item);
        return;
    }
  }

  #call(item: Extract<Item, { kind: "call" }>): void {
    const saved = this.#assignment.saved.get(item) ?? [];
    for (const number of saved) this.#store(this.#slot(number), this.#physical(number));
    this.#assembler.emit("call", [item.callee]);
    if (item.result !== undefined) this.#takeResult(item.result, item.type!);
    for (const number of saved) this.#load(this.#physical(number), this.#slot(number));
  }

  #takeResult(result: Register, type: ValueType): void {
    const kind = type === "mask" ? (this.#vector === "z" ? "k" : "y") : result.class;
    const from = resultRegister(kind === "r32" ? "r64" : kind);
    const place = this.#assignment.registers[result.number - FIRST_VIRTUAL];
    if (place === undefined) this.#store(this.#slot(result.number), from);
    else if (place !== from.number) this.#copy(register(from.class, place), from);
  }

  #instruction({ name, operands, masking }: Instruction): void {
    const { registers } = this.#assignment;
    if (!this.#assignment.spilled) {
      const physical = operands.map((operand) => this.#resolve(operand, (number) => registers[number - FIRST_VIRTUAL]!));
      if (isNoOperation(name, physical, masking !== undefined)) return;
      const mask =
        masking === undefined
          ? undefined
          : { ...masking, register: this.#maskOf(masking.register, (number) => registers[number - FIRST_VIRTUAL]!) };
      this.#assembler.emit(name, physical, mask);
      return;
    }
    this.#spilling({ kind: "instruction", name, operands, masking });
  }

  /** Reads what lives in memory into scratch registers (or uses it there), and stores what is written. */
  #spilling(item: Instruction): void {
    const { registers } = this.#assignment;
    const { classes } = this.#code;
    const { name, operands, masking } = item;
    const [to, from] = operands;
    if (COPIES.has(name) && masking === undefined && isRegister(to) && isRegister(from) && this.#copyThroughMemory(to, from)) return;
    const inMemory = (number: number) => number >= FIRST_VIRTUAL && registers[number - FIRST_VIRTUAL] === undefined;
    const access = firstAccess(name, masking);
    const form = instructions[name].form;
    const folded = operands.map((operand, position) => {
      const foldable = position > 0 && form[position] === "m" && (form === "rm" || form === "rvm") && !NEVER_FROM_MEMORY.has(name);
      if (!foldable || typeof operand !== "object" || operand.kind !== "register" || !inMemory(operand.number)) return operand;
      // A second use of the same value would need a register anyway.
      return this.#slot(operand.number);
    });
    const used = new Map<number, number>();
    const next = { general: 0, vector: 0, mask: 0 };
    const take = (number: number): number => {
      let place = used.get(number);
      if (place === undefined) {
        const file = FILE_OF[classes[number - FIRST_VIRTUAL]!];
        place = scratch[file][next[file]++];
        if (place === undefined) throw new Error(`x64: too few registers for ${name} in ${this.#code.name}`);
        used.set(number, place);
        this.#load(register(classes[number - FIRST_VIRTUAL]!, place), this.#slot(number));
      }
      return place;
    };
    const placeOf = (number: number): number => registers[number - FIRST_VIRTUAL] ?? take(number);
    const first = folded[0];
    const written = typeof first === "object" && first.kind === "register" && access !== "read" ? first : undefined;
    const rest = folded.map((operand, position) =>
      position === 0 && written !== undefined && access === "write" ? operand : this.#resolve(operand, placeOf),
    );
    const mask = masking === undefined ? undefined : { ...masking, register: this.#maskOf(masking.register, placeOf) };
    let result: Register | undefined;
    if (written !== undefined && inMemory(written.number)) {
      const file = FILE_OF[written.class];
      // Sources have been read when the result is written.
      const place = used.get(written.number) ?? scratch[file][0];
      result = register(classes[written.number - FIRST_VIRTUAL]!, place);
      rest[0] = register(written.class, place);
    } else if (written !== undefined && access === "write") {
      rest[0] = this.#resolve(written, placeOf);
    }
    if (!isNoOperation(name, rest, masking !== undefined)) this.#assembler.emit(name, rest, mask);
    if (result !== undefined) this.#store(this.#slot(written!.number), result);
  }

  /** A copy to or from memory is one load or store. */
  #copyThroughMemory(to: Register, from: Register): boolean {
    const { registers } = this.#assignment;
    const place = (operand: Register) => (operand.number < FIRST_VIRTUAL ? operand.number : registers[operand.number - FIRST_VIRTUAL]);
    const [target, source] = [place(to), place(from)];
    if (target === undefined && source !== undefined) {
      this.#store(this.#slot(to.number), register(this.#wholeClass(to), source));
      return true;
    }
    if (target !== undefined && source === undefined) {
      this.#load(register(to.class, target), this.#slot(from.number));
      return true;
    }
    return false;
  }

  #wholeClass(operand: Register): RegisterClass {
    return operand.number < FIRST_VIRTUAL ? operand.class : this.#code.classes[operand.number - FIRST_VIRTUAL]!;
  }

  #resolve(operand: AssemblyOperand, placeOf: (number: number) => number): AssemblyOperand {
    if (typeof operand !== "object" || operand.kind === "label") return operand;
    const physical = (number: number) => (number < FIRST_VIRTUAL ? number : placeOf(number));
    if (operand.kind === "register") return register(operand.class, physical(operand.number));
    if (operand.base === undefined) return operand;
    const { kept, bytes } = this.#frame;
    if (operand.base === INCOMING) return { ...operand, base: RSP, displacement: operand.displacement + bytes + 8 * kept.length + 8 };
    if (operand.base === OUTGOING) return { ...operand, base: RSP };
    return { ...operand, base: physical(operand.base), index: operand.index === undefined ? undefined : physical(operand.index) };
  }

  #maskOf(number: number, placeOf: (number: number) => number): number {
    return number < FIRST_VIRTUAL ? number : placeOf(number);
  }

  #physical(number: number): Register {
    return register(this.#code.classes[number - FIRST_VIRTUAL]!, this.#assignment.registers[number - FIRST_VIRTUAL]!);
  }

  #slot(number: number): Memory {
    const place = this.#frame.slots.get(number);
    if (place === undefined) throw new Error(`x64: a value without a place in ${this.#code.name}`);
    return memory(RSP, place);
  }

  #store(to: Memory, from: Register): void {
    const name: InstructionName = from.class === "k" ? "kmovw_store" : from.class.startsWith("r") ? "mov_store" : "vmovups_store";
    this.#assembler.emit(name, [to, from]);
  }

  #load(to: Register, from: Memory): void {
    const name: InstructionName = to.class === "k" ? "kmovw" : to.class.startsWith("r") ? "mov_load" : "vmovups_load";
    this.#assembler.emit(name, [to, from]);
  }

  #copy(to: Register, from: Register): void {
    this.#assembler.emit(from.class === "k" ? "kmovw" : from.class.startsWith("r") ? "mov" : "vmovaps", [to, from]);
  }
}

/** Rows whose second operand is a register of another kind, or must be one. */
const NEVER_FROM_MEMORY: ReadonlySet<InstructionName> = new Set<InstructionName>([
  "vmovaps",
  "vpbroadcastd_general",
  "vmovmskps",
  "kmovw",
  "kmovw_from",
  "kmovw_to",
  "knotw",
  "kortestw",
  "kandw",
  "kandnw",
  "korw",
  "kxorw",
  "vpmovzxbd",
  "vpmovzxwd",
  "movzx8",
  "movzx16",
]);

/** A copy of a register to itself. A 32-bit one clears the upper half, which nothing needs. */
function isNoOperation(name: InstructionName, operands: readonly AssemblyOperand[], masked: boolean): boolean {
  if (!COPIES.has(name) || masked) return false;
  const [to, from] = operands;
  return isRegister(to) && isRegister(from) && to.number === from.number;
}

function isRegister(operand: AssemblyOperand | undefined): operand is Register {
  return typeof operand === "object" && operand.kind === "register";
}
