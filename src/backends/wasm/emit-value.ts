// Emits kernel values: pushes them on WebAssembly's stack.

import type { Address, Operation, Value, ValueType } from "../../kernels/language/language.ts";
import { isVector } from "../../kernels/language/values.ts";
import type { Assembler } from "./assembler.ts";
import { code, instructions } from "./opcodes.ts";

export interface EmitOptions {
  /** Emit f32x4.relaxed_madd for vector `fma`. */
  readonly relaxedFma: boolean;
  /**
   * Memory is shared with other threads; `mayBlock` where every thread that runs the code may sleep, which a page's
   * main thread may not.
   */
  readonly shared?: { readonly mayBlock: boolean };
}

const LANES = 4;

/** Takes byte 0 of every 32-bit lane, four times over. */
export const LOW_BYTES = {
  u8: [0, 4, 8, 12, 0, 4, 8, 12, 0, 4, 8, 12, 0, 4, 8, 12],
  u16: [0, 1, 4, 5, 8, 9, 12, 13, 0, 1, 4, 5, 8, 9, 12, 13],
} as const;
/** The upper halves of two pairs of 64-bit products. */
const UPPER_HALVES = [4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31];

const scalarLoads = { u8: code.i32Load8Unsigned, u16: code.i32Load16Unsigned, i32: code.i32Load, f32: code.f32Load } as const;

export class ValueEmitter {
  readonly #a: Assembler;
  readonly #options: EmitOptions;

  constructor(assembler: Assembler, options: EmitOptions) {
    this.#a = assembler;
    this.#options = options;
  }

  push(value: Value): void {
    const a = this.#a;
    switch (value.op) {
      case "variable":
        a.read(value);
        return;
      case "constant":
        this.#constant(value.type, value.value);
        return;
      case "lanes":
        a.vector(value.values, value.type === "vf32" ? "f32" : "i32");
        return;
      case "load": {
        const offset = this.address(value.address);
        const { memory, splat } = value;
        if (!isVector(value.type)) {
          a.memory(scalarLoads[memory], offset);
        } else if (memory === "f32" || memory === "i32") {
          a.memory(splat ? code.v128Load32Splat : code.v128Load, offset);
        } else if (splat) {
          a.memory(scalarLoads[memory], offset);
          a.op(code.i32x4Splat);
        } else if (memory === "u16") {
          a.memory(code.load16x4Unsigned, offset);
        } else {
          a.memory(code.load32Zero, offset);
          a.op(code.extendLowI8ToI16Unsigned);
          a.op(code.extendLowI16ToI32Unsigned);
        }
        return;
      }
      default:
        this.#operation(value);
    }
  }

  /** Pushes base + index and gives the constant offset (never negative: the format's offset is unsigned). */
  address({ base, index, offset }: Address): number {
    this.push(base);
    if (index !== undefined) {
      this.push(index);
      this.#a.op(code.i32Add);
    }
    if (offset >= 0) return offset;
    this.#a.i32(offset);
    this.#a.op(code.i32Add);
    return 0;
  }

  #constant(type: ValueType, value: number): void {
    const four = (number: number) => Array.from({ length: LANES }, () => number);
    if (type === "f32") this.#a.f32(value);
    else if (type === "vf32") this.#a.vector(four(value), "f32");
    else if (type === "mask") this.#a.vector(four(value === 0 ? 0 : -1), "i32");
    else if (type === "vi32") this.#a.vector(four(value), "i32");
    else this.#a.i32(value);
  }

  #operation(value: Operation): void {
    const { op, args, immediate } = value;
    const instruction = instructions[op]?.[args[0]!.type];
    if (instruction !== undefined) {
      for (const arg of args) this.push(arg);
      this.#a.op(instruction);
      return;
    }
    const [a, b, c] = args as [Value, Value, Value];
    const wide = isVector(a.type);
    switch (op) {
      case "fma":
        this.#fma(a, b, c, wide);
        return;
      case "select":
        this.#select(a, b, c, wide);
        return;
      case "min":
        this.#choose(a, b, code.i32LtSigned);
        return;
      case "max":
        this.#choose(a, b, code.i32GtSigned);
        return;
      case "pmin":
        this.#choose(b, a, code.f32Lt);
        return;
      case "pmax":
        // a < b ? b : a is b > a ? b : a.
        this.#choose(b, a, code.f32Gt);
        return;
      case "abs":
        this.#absolute(a);
        return;
      case "neg":
        this.#a.i32(0);
        this.push(a);
        this.#a.op(code.i32Sub);
        return;
      case "not":
        this.#inverted(a);
        return;
      case "andNot":
        this.push(a);
        if (a.type === "bool") {
          this.push(b);
          this.#a.op(code.i32Eqz);
        } else {
          this.#inverted(b);
        }
        this.#a.op(code.i32And);
        return;
      case "convertToFloat":
      case "convertToInt":
        // Only masks and bools are left: one bit pattern, or the bool as it is.
        this.push(a);
        if (a.type === "bool") return;
        this.#constant(op === "convertToFloat" ? "vf32" : "vi32", 1);
        this.#a.op(code.v128And);
        return;
      case "bitsToFloat":
      case "bitsToInt":
        this.push(a);
        return;
      case "splat":
        this.#a.i32(0);
        this.push(a);
        this.#a.op(code.i32Sub);
        this.#a.op(code.i32x4Splat);
        return;
      case "extract":
        this.push(a);
        this.#a.lane(a.type === "vf32" ? code.f32x4Extract : code.i32x4Extract, immediate[0]!);
        return;
      case "replace":
        this.push(a);
        this.push(b);
        this.#a.lane(a.type === "vf32" ? code.f32x4Replace : code.i32x4Replace, immediate[0]!);
        return;
      case "shuffle":
        this.push(a);
        this.push(b);
        this.#a.shuffle(immediate.flatMap((lane) => [0, 1, 2, 3].map((byte) => lane * 4 + byte)));
        return;
      case "lookup":
        this.#lookUp(a, b);
        return;
      case "mulHighUnsigned":
        this.#mulHigh(a, b, wide);
        return;
      case "reduceAdd":
        this.#reduce(a, "add");
        return;
      case "reduceMul":
        this.#reduce(a, "mul");
        return;
      case "reduceMin":
        this.#reduce(a, "min");
        return;
      case "reduceMax":
        this.#reduce(a, "max");
        return;
      default:
        throw new Error(`wasm: no instruction for ${op} of ${a.type}`);
    }
  }

  #fma(a: Value, b: Value, c: Value, wide: boolean): void {
    this.push(a);
    this.push(b);
    if (wide && this.#options.relaxedFma) {
      this.push(c);
      this.#a.op(code.relaxedMadd);
      return;
    }
    this.#a.op(wide ? code.f32x4Mul : code.f32Mul);
    this.push(c);
    this.#a.op(wide ? code.f32x4Add : code.f32Add);
  }

  #select(condition: Value, a: Value, b: Value, wide: boolean): void {
    // Choosing between a value and zero bits is one instruction with the mask itself.
    if (wide && (isZero(a) || isZero(b))) {
      this.push(isZero(a) ? b : a);
      this.push(condition);
      this.#a.op(isZero(a) ? code.v128AndNot : code.v128And);
      return;
    }
    for (const value of [a, b, condition]) this.push(value);
    this.#a.op(wide ? code.bitselect : code.select);
  }

  /** compare(a, b) ? a : b, of scalars. */
  #choose(a: Value, b: Value, compare: number): void {
    const [left, right] = [this.#evaluated(a), this.#evaluated(b)];
    this.#a.get(left, right, left, right);
    this.#a.op(compare);
    this.#a.op(code.select);
  }

  #absolute(value: Value): void {
    const local = this.#evaluated(value);
    this.#a.i32(0);
    this.#a.get(local);
    this.#a.op(code.i32Sub);
    this.#a.get(local, local);
    this.#a.i32(0);
    this.#a.op(code.i32LtSigned);
    this.#a.op(code.select);
  }

  #inverted(value: Value): void {
    this.push(value);
    this.#a.i32(-1);
    this.#a.op(code.i32Xor);
  }

  /** swizzle takes bytes: those of lane n are 4n, 4n + 1, 4n + 2 and 4n + 3. */
  #lookUp(table: Value, indices: Value): void {
    this.push(table);
    this.push(indices);
    for (const [word, instruction] of [
      [3, code.v128And],
      [0x04040404, code.i32x4Mul],
      [0x03020100, code.i32x4Add],
    ] as const) {
      this.#constant("vi32", word);
      this.#a.op(instruction);
    }
    this.#a.op(code.swizzle);
  }

  #mulHigh(a: Value, b: Value, wide: boolean): void {
    if (wide) {
      const [left, right] = [this.#evaluated(a), this.#evaluated(b)];
      for (const half of [code.extendMulLowUnsigned, code.extendMulHighUnsigned]) {
        this.#a.get(left, right);
        this.#a.op(half);
      }
      this.#a.shuffle(UPPER_HALVES);
      return;
    }
    for (const value of [a, b]) {
      this.push(value);
      this.#a.op(code.i64ExtendI32Unsigned);
    }
    this.#a.op(code.i64Mul);
    this.#a.i64(32);
    this.#a.op(code.i64ShiftRightUnsigned);
    this.#a.op(code.i32WrapI64);
  }

  /** Halves, then quarters: lane i meets lane i + 2, then i + 1. */
  #reduce(vector: Value, op: "add" | "mul" | "min" | "max"): void {
    const instruction = instructions[op]![vector.type]!;
    const local = this.#evaluated(vector);
    for (const shift of [8, 4]) {
      this.#a.get(local, local, local);
      this.#a.shuffle(Array.from({ length: 16 }, (_, byte) => (byte + shift) % 16));
      this.#a.op(instruction);
      this.#a.op(code.localSet, local);
    }
    this.#a.get(local);
    this.#a.lane(vector.type === "vf32" ? code.f32x4Extract : code.i32x4Extract, 0);
  }

  #evaluated(value: Value): number {
    this.push(value);
    const local = this.#a.temporary(value.type);
    this.#a.op(code.localSet, local);
    return local;
  }
}

const isZero = (value: Value): boolean => value.op === "constant" && Object.is(value.value, 0);
