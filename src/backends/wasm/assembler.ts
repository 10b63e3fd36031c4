// Writes instructions of one function body: opcodes, immediates, locals and temporaries.

import type { MemoryType, ValueType, Variable } from "../../kernels/language/language.ts";
import { Bytes } from "./bytes.ts";
import { LocalPool } from "./locals.ts";
import { code } from "./opcodes.ts";

/** Instruction numbers from here on are a prefix byte and a LEB128 number. */
const FIRST_PREFIXED = 0x10000;
const EMPTY_BLOCK = 0x40;

export class Assembler {
  readonly #name: string;
  readonly #out = new Bytes();
  readonly #pool: LocalPool;
  readonly #local = new Map<number, number>();
  #temporaries: { type: ValueType; local: number }[] = [];

  constructor(name: string, parameters: readonly Variable[]) {
    this.#name = name;
    this.#pool = new LocalPool(parameters.length);
    parameters.forEach((parameter, position) => {
      this.#local.set(parameter.id, position);
    });
  }

  op(instruction: number, operand?: number): void {
    if (instruction >= FIRST_PREFIXED) {
      this.#out.byte(instruction >>> 16);
      this.#out.unsigned(instruction & 0xffff);
    } else {
      this.#out.byte(instruction);
    }
    if (operand !== undefined) this.#out.unsigned(operand);
  }

  /** An instruction followed by one byte (a lane). */
  lane(instruction: number, lane: number): void {
    this.op(instruction);
    this.#out.byte(lane);
  }

  /** block, loop or if without a result. */
  open(instruction: number): void {
    this.op(instruction);
    this.#out.byte(EMPTY_BLOCK);
  }

  get(...locals: readonly number[]): void {
    for (const local of locals) this.op(code.localGet, local);
  }

  i32(value: number): void {
    this.op(code.i32Const);
    this.#out.signed(value);
  }

  i64(value: number): void {
    this.op(code.i64Const);
    this.#out.signed(value);
  }

  f32(value: number): void {
    this.op(code.f32Const);
    this.#out.f32(value);
  }

  /** Four lanes of f32 or i32 bits. */
  vector(values: readonly number[], memory: MemoryType): void {
    this.op(code.v128Const);
    for (const value of values) {
      if (memory === "f32") this.#out.f32(value);
      else this.#out.i32(value);
    }
  }

  /** A load or store: the alignment hint is left at one byte; engines ignore it. */
  memory(instruction: number, offset: number, lane?: number): void {
    this.op(instruction);
    this.#out.byte(0);
    this.#out.unsigned(offset);
    if (lane !== undefined) this.#out.byte(lane);
  }

  /** A load, addition or wait that other threads see whole: aligned to four bytes. */
  atomic(instruction: number, offset: number): void {
    this.op(instruction);
    this.#out.byte(2);
    this.#out.unsigned(offset);
  }

  /** i8x16.shuffle: byte i of the result is byte bytes[i] of the 32 bytes of both operands. */
  shuffle(bytes: readonly number[]): void {
    this.op(code.shuffle);
    for (const byte of bytes) this.#out.byte(byte);
  }

  read(variable: Variable): void {
    const local = this.#local.get(variable.id);
    if (local === undefined) throw new Error(`wasm: ${this.#name} reads ${variable.name} before it is set`);
    this.op(code.localGet, local);
  }

  /** The local of a variable, given when it is first set. */
  localOf(variable: Variable): number {
    let local = this.#local.get(variable.id);
    if (local === undefined) {
      local = this.#pool.take(variable.type);
      this.#local.set(variable.id, local);
    }
    return local;
  }

  release(variable: Variable): void {
    const local = this.#local.get(variable.id);
    if (local === undefined) return;
    this.#pool.release(variable.type, local);
    this.#local.delete(variable.id);
  }

  /** A local that lives until the end of the statement. */
  temporary(type: ValueType): number {
    const local = this.#pool.take(type);
    this.#temporaries.push({ type, local });
    return local;
  }

  endStatement(): void {
    for (const { type, local } of this.#temporaries) this.#pool.release(type, local);
    this.#temporaries = [];
  }

  /** The function's entry of the code section: its locals, then its instructions. */
  finish(): Uint8Array<ArrayBuffer> {
    this.op(code.end);
    const runs: { type: number; count: number }[] = [];
    for (const type of this.#pool.types()) {
      const last = runs.at(-1);
      if (last?.type === type) last.count++;
      else runs.push({ type, count: 1 });
    }
    const whole = new Bytes();
    whole.unsigned(runs.length);
    for (const { type, count } of runs) {
      whole.unsigned(count);
      whole.byte(type);
    }
    whole.raw(this.#out.bytes());
    return whole.bytes();
  }
}
