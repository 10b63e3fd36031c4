// Emits the body of one kernel function as WebAssembly instructions.
import type { Address, KernelFunction, Operation, Statement, StoreStatement, Value, ValueType, Variable } from "../../kernels/language.ts";
import { isVector } from "../../kernels/values.ts";
import { Bytes } from "./bytes.ts";
import { findDeaths, LocalPool } from "./locals.ts";
import { code, instructions } from "./opcodes.ts";

export interface EmitOptions {
  /** Emit f32x4.relaxed_madd for vector `fma`. */
  readonly relaxedFma: boolean;
}

const lanes = 4;
const emptyBlock = 0x40;
const firstCode = 0x10000;

/** @returns the function's entry of the code section, without its length */
export function emitFunction(fn: KernelFunction, indexOf: (callee: string) => number, options: EmitOptions): Uint8Array<ArrayBuffer> {
  const emitter = new FunctionEmitter(fn, indexOf, options);
  return emitter.emit();
}

class FunctionEmitter {
  readonly #fn: KernelFunction;
  readonly #indexOf: (callee: string) => number;
  readonly #options: EmitOptions;
  readonly #out = new Bytes();
  readonly #pool: LocalPool;
  readonly #local = new Map<number, number>();
  readonly #deaths: ReturnType<typeof findDeaths>;
  #temporaries: { type: ValueType; local: number }[] = [];

  constructor(fn: KernelFunction, indexOf: (callee: string) => number, options: EmitOptions) {
    this.#fn = fn;
    this.#indexOf = indexOf;
    this.#options = options;
    this.#pool = new LocalPool(fn.parameters.length);
    fn.parameters.forEach((parameter, position) => {
      this.#local.set(parameter.id, position);
    });
    this.#deaths = findDeaths(fn.body, fn.parameters);
  }

  emit(): Uint8Array<ArrayBuffer> {
    // The result is read after the body: its variables must outlive every block.
    this.#block(this.#fn.body, this.#fn.result === undefined);
    if (this.#fn.result !== undefined) this.#value(this.#fn.result);
    this.#op(code.end);
    const whole = new Bytes();
    const runs: { type: number; count: number }[] = [];
    for (const type of this.#pool.types()) {
      const last = runs.at(-1);
      if (last?.type === type) last.count++;
      else runs.push({ type, count: 1 });
    }
    whole.unsigned(runs.length);
    for (const { type, count } of runs) {
      whole.unsigned(count);
      whole.byte(type);
    }
    whole.raw(this.#out.bytes());
    return whole.bytes();
  }

  #block(block: readonly Statement[], release = true): void {
    const deaths = this.#deaths.get(block);
    block.forEach((statement, position) => {
      this.#statement(statement);
      for (const { type, local } of this.#temporaries) this.#pool.release(type, local);
      this.#temporaries = [];
      if (!release) return;
      for (const variable of deaths?.get(position) ?? []) {
        this.#pool.release(variable.type, this.#local.get(variable.id)!);
        this.#local.delete(variable.id);
      }
    });
  }

  #statement(statement: Statement): void {
    switch (statement.kind) {
      case "comment":
        return;
      case "set":
        this.#value(statement.value);
        this.#op(code.localSet, this.#localOf(statement.variable));
        return;
      case "store":
        this.#store(statement);
        return;
      case "call":
        for (const arg of statement.args) this.#value(arg);
        this.#op(code.call, this.#indexOf(statement.callee));
        if (statement.result !== undefined) this.#op(code.localSet, this.#localOf(statement.result));
        return;
      case "loop": {
        const { start, end, step } = statement;
        this.#value(start);
        const counter = this.#localOf(statement.variable);
        this.#op(code.localSet, counter);
        const entered = start.op === "constant" && end.op === "constant" && start.value < end.value;
        if (!entered) {
          this.#op(code.localGet, counter);
          this.#value(end);
          this.#op(code.i32LtSigned);
          this.#op(code.if);
          this.#out.byte(emptyBlock);
        }
        this.#op(code.loop);
        this.#out.byte(emptyBlock);
        this.#block(statement.body);
        this.#op(code.localGet, counter);
        this.#i32(step);
        this.#op(code.i32Add);
        this.#op(code.localTee, counter);
        this.#value(end);
        this.#op(code.i32LtSigned);
        this.#op(code.branchIf, 0);
        this.#op(code.end);
        if (!entered) this.#op(code.end);
        return;
      }
      case "while":
        this.#op(code.block);
        this.#out.byte(emptyBlock);
        this.#op(code.loop);
        this.#out.byte(emptyBlock);
        this.#value(statement.condition);
        this.#op(code.i32Eqz);
        this.#op(code.branchIf, 1);
        this.#block(statement.body);
        this.#op(code.branch, 0);
        this.#op(code.end);
        this.#op(code.end);
        return;
      case "if":
        this.#value(statement.condition);
        this.#op(code.if);
        this.#out.byte(emptyBlock);
        this.#block(statement.body);
        if (statement.otherwise.length > 0) {
          this.#op(code.else);
          this.#block(statement.otherwise);
        }
        this.#op(code.end);
        return;
    }
  }

  #store({ memory, address, value, count }: StoreStatement): void {
    if (count !== undefined) {
      this.#storePartial({ memory, address, value, count });
      return;
    }
    const offset = this.#address(address);
    if (value.op === "extract" && memory !== "u8") {
      this.#value(value.args[0]!);
      this.#memory(code.store32Lane, offset);
      this.#out.byte(value.immediate[0]!);
      return;
    }
    this.#value(value);
    if (!isVector(value.type)) {
      this.#memory(memory === "u8" ? code.i32Store8 : memory === "i32" ? code.i32Store : code.f32Store, offset);
    } else if (memory === "u8") {
      this.#op(code.localTee, this.#temporary("vi32"));
      this.#op(code.localGet, this.#temporaries.at(-1)!.local);
      this.#shuffleBytes(lowBytes);
      this.#memory(code.store32Lane, offset);
      this.#out.byte(0);
    } else {
      this.#memory(code.v128Store, offset);
    }
  }

  /** A constant count becomes lane stores; a variable one tests its bits: 4, then 2, then 1. */
  #storePartial({
    memory,
    address,
    value,
    count,
  }: Required<Pick<StoreStatement, "memory" | "address" | "value">> & { count: Value }): void {
    const vector = this.#temporary("vi32");
    const place = this.#temporary("i32");
    const offset = this.#address(address);
    this.#op(code.localSet, place);
    this.#value(value);
    if (memory === "u8") {
      this.#op(code.localTee, vector);
      this.#op(code.localGet, vector);
      this.#shuffleBytes(lowBytes);
    }
    this.#op(code.localSet, vector);
    const size = memory === "u8" ? 1 : 4;
    const store = (width: number, lane: number) => {
      this.#op(code.localGet, place);
      this.#op(code.localGet, vector);
      if (width === lanes && size === 4) {
        this.#memory(code.v128Store, offset);
        return;
      }
      const bytes = width * size;
      const instruction = { 1: code.store8Lane, 2: code.store16Lane, 4: code.store32Lane, 8: code.store64Lane }[bytes]!;
      this.#memory(instruction, offset + lane * size);
      this.#out.byte(lane / width);
    };
    if (count.op === "constant") {
      let lane = 0;
      for (let width = lanes; width >= 1; width /= 2) {
        if ((Math.min(count.value, lanes) & width) === 0) continue;
        store(width, lane);
        lane += width;
      }
      return;
    }
    const valid = this.#temporary("i32");
    this.#value(count);
    this.#op(code.localSet, valid);
    const when = (bit: number, then: () => void, otherwise?: () => void) => {
      this.#op(code.localGet, valid);
      this.#i32(bit);
      this.#op(code.i32And);
      this.#op(code.if);
      this.#out.byte(emptyBlock);
      then();
      if (otherwise !== undefined) {
        this.#op(code.else);
        otherwise();
      }
      this.#op(code.end);
    };
    const one = (lane: number) => () => when(1, () => store(1, lane));
    const two = () =>
      when(
        2,
        () => {
          store(2, 0);
          one(2)();
        },
        one(0),
      );
    when(4, () => store(4, 0), two);
  }

  #value(value: Value): void {
    switch (value.op) {
      case "variable": {
        const local = this.#local.get(value.id);
        if (local === undefined) throw new Error(`wasm: ${this.#fn.name} reads ${value.name} before it is set`);
        this.#op(code.localGet, local);
        return;
      }
      case "constant":
        this.#constant(value.type, value.value);
        return;
      case "lanes":
        this.#op(code.v128Const);
        for (let lane = 0; lane < lanes; lane++) {
          if (value.type === "vf32") this.#out.f32(value.values[lane]!);
          else this.#out.i32(value.values[lane]!);
        }
        return;
      case "load": {
        const offset = this.#address(value.address);
        if (!isVector(value.type)) {
          this.#memory({ u8: code.i32Load8Unsigned, i32: code.i32Load, f32: code.f32Load }[value.memory], offset);
        } else if (value.splat && value.memory === "u8") {
          this.#memory(code.i32Load8Unsigned, offset);
          this.#op(code.i32x4Splat);
        } else if (value.splat) {
          this.#memory(code.v128Load32Splat, offset);
        } else if (value.memory === "u8") {
          this.#memory(code.load32Zero, offset);
          this.#op(code.extendLowI8ToI16Unsigned);
          this.#op(code.extendLowI16ToI32Unsigned);
        } else {
          this.#memory(code.v128Load, offset);
        }
        return;
      }
      default:
        this.#operation(value);
    }
  }

  #constant(type: ValueType, value: number): void {
    switch (type) {
      case "f32":
        this.#op(code.f32Const);
        this.#out.f32(value);
        return;
      case "vf32":
        this.#op(code.v128Const);
        for (let lane = 0; lane < lanes; lane++) this.#out.f32(value);
        return;
      case "vi32":
      case "mask":
        this.#op(code.v128Const);
        for (let lane = 0; lane < lanes; lane++) this.#out.i32(type === "mask" && value !== 0 ? -1 : value);
        return;
      default:
        this.#i32(value);
    }
  }

  #operation(value: Operation): void {
    const { op, args, immediate } = value;
    const [a, b, c] = args as [Value, Value, Value];
    const instruction = instructions[op]?.[a.type];
    if (instruction !== undefined) {
      for (const arg of args) this.#value(arg);
      this.#op(instruction);
      return;
    }
    const wide = isVector(a.type);
    switch (op) {
      case "fma":
        this.#value(a);
        this.#value(b);
        if (wide && this.#options.relaxedFma) {
          this.#value(c);
          this.#op(code.relaxedMadd);
          return;
        }
        this.#op(wide ? code.f32x4Mul : code.f32Mul);
        this.#value(c);
        this.#op(wide ? code.f32x4Add : code.f32Add);
        return;
      case "select": {
        // Choosing between a value and zero bits is one instruction with the mask itself.
        if (wide && (isZero(b) || isZero(c))) {
          this.#value(isZero(b) ? c : b);
          this.#value(a);
          this.#op(isZero(b) ? code.v128AndNot : code.v128And);
          return;
        }
        this.#value(b);
        this.#value(c);
        this.#value(a);
        this.#op(wide ? code.bitselect : code.select);
        return;
      }
      case "min":
      case "max":
        this.#choose(a, b, op === "min" ? code.i32LtSigned : code.i32GtSigned, false);
        return;
      case "pmin":
        this.#choose(b, a, code.f32Lt, true);
        return;
      case "pmax": {
        // a < b ? b : a
        const [left, right] = [this.#evaluated(a), this.#evaluated(b)];
        for (const local of [right, left, left, right]) this.#op(code.localGet, local);
        this.#op(code.f32Lt);
        this.#op(code.select);
        return;
      }
      case "abs": {
        const local = this.#evaluated(a);
        this.#i32(0);
        this.#op(code.localGet, local);
        this.#op(code.i32Sub);
        this.#op(code.localGet, local);
        this.#op(code.localGet, local);
        this.#i32(0);
        this.#op(code.i32LtSigned);
        this.#op(code.select);
        return;
      }
      case "neg":
        this.#i32(0);
        this.#value(a);
        this.#op(code.i32Sub);
        return;
      case "not":
        this.#value(a);
        this.#i32(-1);
        this.#op(code.i32Xor);
        return;
      case "andNot":
        this.#value(a);
        this.#value(b);
        if (a.type === "bool") this.#op(code.i32Eqz);
        else {
          this.#i32(-1);
          this.#op(code.i32Xor);
        }
        this.#op(code.i32And);
        return;
      case "convertToFloat":
        this.#value(a);
        this.#constant("vf32", 1);
        this.#op(code.v128And);
        return;
      case "convertToInt":
        this.#value(a);
        if (a.type === "bool") return;
        this.#constant("vi32", 1);
        this.#op(code.v128And);
        return;
      case "bitsToFloat":
      case "bitsToInt":
        this.#value(a);
        return;
      case "splat":
        this.#i32(0);
        this.#value(a);
        this.#op(code.i32Sub);
        this.#op(code.i32x4Splat);
        return;
      case "extract":
        this.#value(a);
        this.#op(a.type === "vf32" ? code.f32x4Extract : code.i32x4Extract);
        this.#out.byte(immediate[0]!);
        return;
      case "replace":
        this.#value(a);
        this.#value(b);
        this.#op(a.type === "vf32" ? code.f32x4Replace : code.i32x4Replace);
        this.#out.byte(immediate[0]!);
        return;
      case "shuffle":
        this.#value(a);
        this.#value(b);
        this.#shuffleBytes(immediate.flatMap((lane) => [0, 1, 2, 3].map((byte) => lane * 4 + byte)));
        return;
      case "mulHighUnsigned":
        this.#mulHigh(a, b, wide);
        return;
      case "reduceAdd":
      case "reduceMul":
      case "reduceMin":
      case "reduceMax":
        this.#reduce(a, ({ reduceAdd: "add", reduceMul: "mul", reduceMin: "min", reduceMax: "max" } as const)[op]);
        return;
      default:
        throw new Error(`wasm: no instruction for ${op} of ${a.type} in ${this.#fn.name}`);
    }
  }

  /** compare(a, b) ? a : b. */
  #choose(a: Value, b: Value, compare: number, swapped: boolean): void {
    // The arguments are evaluated in their written order even when the comparison is the other way round.
    const [first, second] = swapped ? [b, a] : [a, b];
    const one = this.#evaluated(first);
    const two = this.#evaluated(second);
    const [left, right] = swapped ? [two, one] : [one, two];
    for (const local of [left, right, left, right]) this.#op(code.localGet, local);
    this.#op(compare);
    this.#op(code.select);
  }

  #mulHigh(a: Value, b: Value, wide: boolean): void {
    if (!wide) {
      this.#value(a);
      this.#op(code.i64ExtendI32Unsigned);
      this.#value(b);
      this.#op(code.i64ExtendI32Unsigned);
      this.#op(code.i64Mul);
      this.#op(code.i64Const);
      this.#out.signed(32);
      this.#op(code.i64ShiftRightUnsigned);
      this.#op(code.i32WrapI64);
      return;
    }
    const [left, right] = [this.#evaluated(a), this.#evaluated(b)];
    for (const half of [code.extendMulLowUnsigned, code.extendMulHighUnsigned]) {
      this.#op(code.localGet, left);
      this.#op(code.localGet, right);
      this.#op(half);
    }
    this.#shuffleBytes([4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31]);
  }

  #reduce(vector: Value, op: "add" | "mul" | "min" | "max"): void {
    const type = vector.type;
    const instruction = instructions[op]![type]!;
    const local = this.#evaluated(vector);
    for (const shift of [8, 4]) {
      this.#op(code.localGet, local);
      this.#op(code.localGet, local);
      this.#op(code.localGet, local);
      this.#shuffleBytes(Array.from({ length: 16 }, (_, byte) => (byte + shift) % 16));
      this.#op(instruction);
      this.#op(code.localSet, local);
    }
    this.#op(code.localGet, local);
    this.#op(type === "vf32" ? code.f32x4Extract : code.i32x4Extract);
    this.#out.byte(0);
  }

  /** Pushes base + index and gives the constant offset (never negative: the format's offset is unsigned). */
  #address({ base, index, offset }: Address): number {
    this.#value(base);
    if (index !== undefined) {
      this.#value(index);
      this.#op(code.i32Add);
    }
    if (offset >= 0) return offset;
    this.#i32(offset);
    this.#op(code.i32Add);
    return 0;
  }

  #memory(instruction: number, offset: number): void {
    this.#op(instruction);
    this.#out.byte(0);
    this.#out.unsigned(offset);
  }

  #shuffleBytes(bytes: readonly number[]): void {
    this.#op(code.shuffle);
    for (const byte of bytes) this.#out.byte(byte);
  }

  #i32(value: number): void {
    this.#op(code.i32Const);
    this.#out.signed(value);
  }

  /** Instruction numbers above 0xFFFF are a prefix byte and a LEB128 number. */
  #op(instruction: number, operand?: number): void {
    if (instruction >= firstCode) {
      this.#out.byte(instruction >>> 16);
      this.#out.unsigned(instruction & 0xffff);
    } else {
      this.#out.byte(instruction);
    }
    if (operand !== undefined) this.#out.unsigned(operand);
  }

  /** The local of a variable; given one when it is first set. */
  #localOf(variable: Variable): number {
    let local = this.#local.get(variable.id);
    if (local === undefined) {
      local = this.#pool.take(variable.type);
      this.#local.set(variable.id, local);
    }
    return local;
  }

  #temporary(type: ValueType): number {
    const local = this.#pool.take(type);
    this.#temporaries.push({ type, local });
    return local;
  }

  /** Evaluates into a temporary that lives until the end of the statement. */
  #evaluated(value: Value): number {
    this.#value(value);
    const local = this.#temporary(value.type);
    this.#op(code.localSet, local);
    return local;
  }
}

const isZero = (value: Value): boolean => value.op === "constant" && Object.is(value.value, 0);

/** Takes byte 0 of every 32-bit lane, four times over. */
const lowBytes = [0, 4, 8, 12, 0, 4, 8, 12, 0, 4, 8, 12, 0, 4, 8, 12];
