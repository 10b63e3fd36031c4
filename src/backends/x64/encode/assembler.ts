// Turns rows of the instruction table and operands into machine code, and into the text an assembler would read.

import { type InstructionName, instructions, type LegacyRow, mnemonic, type VectorRow } from "./instructions.ts";
import { type AssemblyOperand, type Label, type Memory, type Register, registerName } from "./registers.ts";

/** Lanes that take part: register k1…k7; without `zero` the other lanes keep their value. */
export interface Masking {
  readonly register: number;
  readonly zero: boolean;
}

interface Fixup {
  /** Where the 32-bit distance stands. */
  readonly at: number;
  /** What it is counted from. */
  readonly from: number;
  readonly label: Label;
  readonly addend: number;
}

/** Operands by their place in the encoding. */
interface Placed {
  reg: number;
  rm: Register | Memory | undefined;
  vvvv: number;
  immediate: number | undefined;
  immediateBytes: 0 | 1 | 4 | 8;
  label: Label | undefined;
}

const none: Placed = { reg: 0, rm: undefined, vvvv: 0, immediate: undefined, immediateBytes: 0, label: undefined };

export class Assembler {
  #data = new Uint8Array(4096);
  #length = 0;
  readonly #fixups: Fixup[] = [];
  readonly #places = new Map<Label, number>();
  readonly #listing: string[] | undefined;

  /** @param listing collects one line of text per instruction */
  constructor(listing?: string[]) {
    this.#listing = listing;
  }

  get length(): number {
    return this.#length;
  }

  label(name: string): Label {
    return { kind: "label", name };
  }

  place(label: Label): void {
    this.#places.set(label, this.#length);
    this.#listing?.push(`${label.name}:`);
  }

  placeOf(label: Label): number {
    const place = this.#places.get(label);
    if (place === undefined) throw new Error(`x64: label ${label.name} is not placed`);
    return place;
  }

  comment(text: string): void {
    this.#listing?.push(`  # ${text}`);
  }

  /** Fills with no-operations up to a multiple of `boundary`. */
  align(boundary: number): void {
    let missing = -this.#length & (boundary - 1);
    while (missing > 0) {
      const bytes = NOPS[Math.min(missing, NOPS.length) - 1]!;
      this.#raw(bytes);
      missing -= bytes.length;
    }
  }

  /** Data bytes, as they are. */
  data(bytes: Uint8Array): void {
    this.#raw(bytes);
  }

  emit(name: InstructionName, operands: readonly AssemblyOperand[], masking?: Masking): void {
    const row = instructions[name] as LegacyRow | VectorRow;
    if (this.#listing !== undefined) this.#listing.push(`  ${textOf(name, operands, masking)}`);
    if (row.kind === "legacy") this.#legacy(row, operands);
    else this.#vector(row, operands, masking);
  }

  /** The code with all distances filled in. */
  finish(): Uint8Array<ArrayBuffer> {
    const view = new DataView(this.#data.buffer);
    for (const { at, from, label, addend } of this.#fixups) view.setInt32(at, this.placeOf(label) + addend - from, true);
    return this.#data.slice(0, this.#length);
  }

  #legacy(row: LegacyRow, operands: readonly AssemblyOperand[]): void {
    const placed = placeOperands(row.form, operands, row.digit);
    if (placed.label !== undefined && this.#jumpsBack(row.opcode, placed.label)) return;
    const registers = operands.filter((operand): operand is Register => typeof operand !== "number" && operand.kind === "register");
    const wide = row.wide ?? registers.some((register) => register.class === "r64");
    let { opcode } = row;
    let { immediateBytes } = placed;
    if (row.form === "mI" || row.form === "rmI") {
      // A short immediate, or the accumulator's own opcode.
      const short = placed.immediate! >= -128 && placed.immediate! <= 127;
      if (short) {
        opcode = [opcode[0]! | 2];
        immediateBytes = 1;
      } else if (row.form === "mI" && isRegister(placed.rm, 0)) {
        this.#bytes(wide ? 0x48 : -1, row.digit! * 8 + 5);
        this.#immediate(placed.immediate!, 4);
        return;
      }
    }
    if (row.prefix !== undefined) this.#bytes(row.prefix);
    const { rm } = placed;
    const [x, b] = extensions(rm);
    const inOpcode = row.form.startsWith("o");
    const rex = (wide ? 8 : 0) | (inOpcode ? placed.reg >> 3 : ((placed.reg >> 3) << 2) | (x << 1) | b);
    // spl, bpl, sil and dil exist only with a REX prefix.
    const low = registers.some((register) => register.class === "r8" && register.number >= 4);
    if (rex !== 0 || low) this.#bytes(0x40 | rex);
    for (const byte of opcode.slice(0, -1)) this.#bytes(byte);
    const last = opcode[opcode.length - 1]!;
    this.#bytes(inOpcode ? last + (placed.reg & 7) : last);
    if (placed.label !== undefined) {
      this.#distance(placed.label, 0, 0);
      return;
    }
    if (rm !== undefined) this.#modrm(placed.reg, rm, 1, immediateBytes);
    if (immediateBytes !== 0) this.#immediate(placed.immediate!, immediateBytes);
  }

  /** Writes a jump to a place up to 128 bytes before its end, as the end of a short loop is, in two bytes. */
  #jumpsBack(opcode: readonly number[], label: Label): boolean {
    const place = this.#places.get(label);
    const last = opcode[opcode.length - 1]!;
    const short = opcode.length === 2 ? last - 0x10 : last === longJump ? shortJump : undefined;
    if (place === undefined || short === undefined) return false;
    const distance = place - (this.#length + 2);
    if (distance < -128) return false;
    this.#bytes(short, distance & 0xff);
    return true;
  }

  #vector(row: VectorRow, operands: readonly AssemblyOperand[], masking: Masking | undefined): void {
    const placed = placeOperands(row.form, operands, row.digit);
    const { rm } = placed;
    const broadcast = rm?.kind === "memory" && rm.broadcast;
    const widest = operands.some((operand) => isClass(operand, "z")) ? 2 : operands.some((operand) => isClass(operand, "y")) ? 1 : 0;
    const length = row.length ?? widest;
    const high = operands.some((operand) => isHighVector(operand));
    const evex = row.encodings === "evex" || (row.encodings === "both" && (high || widest === 2 || broadcast || masking !== undefined));
    if ((high || widest === 2 || broadcast || masking !== undefined) && !evex) throw new Error("x64: an operand that VEX cannot encode");
    if (evex) this.#evex(row, placed, length, masking, broadcast);
    else this.#vex(row, placed, length, operands);
    if (rm !== undefined) this.#modrm(placed.reg, rm, evex ? tupleBytes(row, length, broadcast) : 1, placed.immediateBytes);
    if (placed.immediate !== undefined) this.#immediate(placed.immediate, 1);
  }

  #vex(row: VectorRow, placed: Placed, length: number, operands: readonly AssemblyOperand[]): void {
    const [x, b] = extensions(placed.rm);
    const wide = row.vexWide === 1 || operands.some((operand) => isClass(operand, "r64"));
    const r = (placed.reg >> 3) & 1;
    const tail = ((~placed.vvvv & 15) << 3) | (length << 2) | row.prefix;
    if (row.map === 1 && x === 0 && b === 0 && !wide) this.#bytes(0xc5, ((r ^ 1) << 7) | tail);
    else this.#bytes(0xc4, ((r ^ 1) << 7) | ((x ^ 1) << 6) | ((b ^ 1) << 5) | row.map, (wide ? 0x80 : 0) | tail);
    this.#bytes(row.opcode);
  }

  #evex(row: VectorRow, placed: Placed, length: number, masking: Masking | undefined, broadcast: boolean): void {
    const { reg, rm, vvvv } = placed;
    // A register in ModRM.rm has its fifth bit in X.
    const [x, b] = rm?.kind === "register" ? [(rm.number >> 4) & 1, (rm.number >> 3) & 1] : extensions(rm);
    const first = ((((reg >> 3) & 1) ^ 1) << 7) | ((x ^ 1) << 6) | ((b ^ 1) << 5) | ((((reg >> 4) & 1) ^ 1) << 4) | row.map;
    const second = (row.evexWide << 7) | ((~vvvv & 15) << 3) | 4 | row.prefix;
    const zero = masking?.zero === true ? 0x80 : 0;
    const third = zero | (length << 5) | (broadcast ? 0x10 : 0) | ((((vvvv >> 4) & 1) ^ 1) << 3) | (masking?.register ?? 0);
    this.#bytes(0x62, first, second, third, row.opcode);
  }

  /** @param unit what an 8-bit displacement counts in */
  #modrm(reg: number, rm: Register | Memory, unit: number, bytesAfter: number): void {
    const field = (reg & 7) << 3;
    if (rm.kind === "register") {
      this.#bytes(0xc0 | field | (rm.number & 7));
      return;
    }
    const { base, index, displacement } = rm;
    if (rm.label !== undefined) {
      this.#bytes(field | 5);
      this.#distance(rm.label, displacement, bytesAfter);
      return;
    }
    if (base === undefined) throw new Error("x64: an address without a base");
    const compressed = displacement / unit;
    const short = Number.isInteger(compressed) && compressed >= -128 && compressed <= 127;
    // rbp and r13 as base always take a displacement.
    const mode = displacement === 0 && (base & 7) !== 5 ? 0 : short ? 1 : 2;
    if (index !== undefined || (base & 7) === 4) {
      if (index === 4) throw new Error("x64: rsp cannot be an index");
      const scale = index === undefined ? 0 : SCALE_BITS[rm.scale];
      this.#bytes((mode << 6) | field | 4, (scale << 6) | (((index ?? 4) & 7) << 3) | (base & 7));
    } else {
      this.#bytes((mode << 6) | field | (base & 7));
    }
    if (mode === 1) this.#bytes(compressed & 255);
    else if (mode === 2) this.#immediate(displacement, 4);
  }

  #distance(label: Label, addend: number, bytesAfter: number): void {
    this.#fixups.push({ at: this.#length, from: this.#length + 4 + bytesAfter, label, addend });
    this.#immediate(0, 4);
  }

  #immediate(value: number, bytes: 1 | 4 | 8): void {
    if (bytes === 1) {
      this.#bytes(value & 255);
      return;
    }
    this.#room(bytes);
    const view = new DataView(this.#data.buffer);
    view.setInt32(this.#length, bytes === 4 ? value : (value % 2 ** 32) | 0, true);
    if (bytes === 8) view.setInt32(this.#length + 4, Math.floor(value / 2 ** 32), true);
    this.#length += bytes;
  }

  /** Negative values are left out. */
  #bytes(...values: number[]): void {
    this.#room(values.length);
    for (const value of values) if (value >= 0) this.#data[this.#length++] = value;
  }

  #raw(bytes: ArrayLike<number>): void {
    this.#room(bytes.length);
    this.#data.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  #room(count: number): void {
    if (this.#length + count <= this.#data.length) return;
    const larger = new Uint8Array(Math.max(this.#data.length * 2, this.#length + count));
    larger.set(this.#data);
    this.#data = larger;
  }
}

const [longJump, shortJump] = [0xe9, 0xeb];

const SCALE_BITS = { 1: 0, 2: 1, 4: 2, 8: 3 } as const;

/** The recommended no-operations of 1 to 9 bytes. */
const NOPS: readonly (readonly number[])[] = [
  [0x90],
  [0x66, 0x90],
  [0x0f, 0x1f, 0x00],
  [0x0f, 0x1f, 0x40, 0x00],
  [0x0f, 0x1f, 0x44, 0x00, 0x00],
  [0x66, 0x0f, 0x1f, 0x44, 0x00, 0x00],
  [0x0f, 0x1f, 0x80, 0x00, 0x00, 0x00, 0x00],
  [0x0f, 0x1f, 0x84, 0x00, 0x00, 0x00, 0x00, 0x00],
  [0x66, 0x0f, 0x1f, 0x84, 0x00, 0x00, 0x00, 0x00, 0x00],
];

function placeOperands(form: string, operands: readonly AssemblyOperand[], digit: number | undefined): Placed {
  if (form.length !== operands.length) throw new Error(`x64: form "${form}" with ${operands.length} operands`);
  if (operands.length === 0) return none;
  const placed: Placed = { ...none, reg: digit ?? 0 };
  operands.forEach((operand, position) => {
    const place = form[position]!;
    if (typeof operand === "number") {
      placed.immediate = operand;
      placed.immediateBytes = place === "I" ? 4 : place === "Q" ? 8 : 1;
    } else if (operand.kind === "label") {
      placed.label = operand;
    } else if (place === "m") {
      placed.rm = operand;
    } else if (operand.kind === "memory") {
      throw new Error("x64: memory where only a register fits");
    } else if (place === "v") {
      placed.vvvv = operand.number;
    } else if (place === "s") {
      placed.immediate = operand.number << 4;
      placed.immediateBytes = 1;
    } else {
      placed.reg = operand.number;
    }
  });
  return placed;
}

const isRegister = (operand: Register | Memory | undefined, number: number): boolean =>
  operand?.kind === "register" && operand.number === number;
const isClass = (operand: AssemblyOperand, kind: Register["class"]): boolean =>
  typeof operand !== "number" && operand.kind === "register" && operand.class === kind;
const isHighVector = (operand: AssemblyOperand): boolean =>
  typeof operand !== "number" && operand.kind === "register" && operand.number > 15 && "xyz".includes(operand.class);

/** The fourth bits of index and base. */
function extensions(rm: Register | Memory | undefined): [number, number] {
  if (rm === undefined) return [0, 0];
  if (rm.kind === "register") return [0, (rm.number >> 3) & 1];
  return [((rm.index ?? 0) >> 3) & 1, ((rm.base ?? 0) >> 3) & 1];
}

function tupleBytes(row: VectorRow, length: number, broadcast: boolean): number {
  if (broadcast) return 4;
  const whole = 16 << length;
  if (typeof row.tuple === "number") return row.tuple;
  return row.tuple === "full" ? whole : row.tuple === "half" ? whole / 2 : whole / 4;
}

/** One instruction in Intel syntax, as GNU as reads it with `.intel_syntax noprefix`. */
export function textOf(name: InstructionName, operands: readonly AssemblyOperand[], masking?: Masking): string {
  const row = instructions[name] as LegacyRow | VectorRow;
  const lanes = operands.some((operand) => isClass(operand, "z")) ? 16 : operands.some((operand) => isClass(operand, "y")) ? 8 : 4;
  const texts = operands.map((operand, position) => {
    const mask = position === 0 && masking !== undefined ? `{k${masking.register}}${masking.zero ? "{z}" : ""}` : "";
    if (typeof operand === "number") return String(operand);
    if (operand.kind === "label") return operand.name;
    if (operand.kind === "register") return registerName(operand) + mask;
    return `${row.pointer}${memoryText(operand)}${operand.broadcast ? `{1to${lanes}}` : ""}${mask}`;
  });
  return texts.length === 0 ? mnemonic(name) : `${mnemonic(name)} ${texts.join(", ")}`;
}

function memoryText({ base, index, scale, displacement, label }: Memory): string {
  const plus = displacement === 0 ? "" : displacement > 0 ? `+${displacement}` : String(displacement);
  if (label !== undefined) return `[rip+${label.name}${plus}]`;
  const name = (number: number) => registerName({ kind: "register", class: "r64", number });
  return `[${name(base!)}${index === undefined ? "" : `+${name(index)}*${scale}`}${plus}]`;
}
