// Brings the values of a function into registers, or into operands that instructions read from memory.

import type { Address, LaneConstant, Machine, Value, ValueType, Variable } from "../../../kernels/language/language.ts";
import { isVector } from "../../../kernels/language/values.ts";
import { bitsOf, type ConstantPool } from "../encode/pool.ts";
import { type Memory, memory, type Register, register } from "../encode/registers.ts";
import type { Callee } from "./calls.ts";
import { FunctionDraft } from "./draft.ts";
import { floatOperation } from "./floats.ts";
import { intOperation } from "./ints.ts";
import { maskConstant, maskOperation } from "./masks.ts";
import { isNarrow, loadNarrow, loadNarrowVector } from "./narrow.ts";
import { scalarOperation } from "./scalars.ts";

export class Selector extends FunctionDraft {
  readonly pool: ConstantPool;
  readonly #callees: ReadonlyMap<string, Callee>;
  /** Variables whose registers hold the number sign-extended to 64 bits. */
  readonly #extended = new Set<number>();

  constructor(name: string, machine: Machine, pool: ConstantPool, callees: ReadonlyMap<string, Callee>) {
    super(name, machine);
    this.pool = pool;
    this.#callees = callees;
  }

  callee(name: string): Callee {
    const found = this.#callees.get(name);
    if (found === undefined) throw new Error(`x64: ${this.name} calls ${name}, which is not in the module`);
    return found;
  }

  /** Evaluates into `target`, or into any register. */
  value(value: Value, target?: Register): Register {
    switch (value.op) {
      case "variable":
        return this.delivered(this.read(value), target);
      case "constant":
        return this.#constant(value.type, value.value, target ?? this.temporary(this.classOf(value.type)));
      case "lanes": {
        const into = target ?? this.temporary(this.vector);
        this.put("vmovups_load", [into, this.#lanes(value)]);
        return into;
      }
      case "load":
        return this.#load(value, target ?? this.temporary(this.classOf(value.type)));
      default: {
        const type = value.args[value.op === "select" ? 1 : 0]!.type;
        if (type === "mask") return maskOperation(this, value, target);
        if (type === "vf32" || type === "f32") return floatOperation(this, value, target);
        if (type === "vi32") return intOperation(this, value, target);
        return scalarOperation(this, value, target);
      }
    }
  }

  /**
   * A register, or memory that an instruction can read in place of one. `broadcast`: whether the instruction takes one
   * element for all lanes; scalar arithmetic reads 4 bytes.
   */
  source(value: Value, broadcast = true): Register | Memory {
    const scalar = value.type === "f32";
    const splats = this.wide && broadcast;
    if (value.op === "constant" && (value.value !== 0 || Object.is(value.value, -0))) {
      if (scalar && !broadcast) return this.pool.words([bitsOf(value.value)]);
      return this.constantVector(value.type === "vf32" || value.type === "f32" ? bitsOf(value.value) : value.value, broadcast);
    }
    if (value.op === "lanes") return this.#lanes(value);
    if (value.op === "load" && value.count === undefined && !isNarrow(value.memory)) {
      if (scalar) return broadcast ? this.value(value) : this.address(value.address);
      if (isVector(value.type) && !value.splat) return this.address(value.address);
      if (isVector(value.type) && splats) return { ...this.address(value.address), broadcast: true };
    }
    return this.value(value);
  }

  #lanes({ type, values }: LaneConstant): Memory {
    return this.pool.words(type === "vf32" ? values.map(bitsOf) : values);
  }

  /** The same 32 bits in all lanes, as memory. */
  constantVector(word: number, broadcast = true): Memory {
    if (this.wide && broadcast) return { ...this.pool.words([word]), broadcast: true };
    return this.pool.words(new Array(this.machine.lanes).fill(word));
  }

  #constant(type: ValueType, value: number, into: Register): Register {
    switch (type) {
      case "pointer":
        this.put(value >= 0 && value < 2 ** 31 ? "mov_imm" : "mov_imm64", [
          register(value >= 0 && value < 2 ** 31 ? "r32" : "r64", into.number),
          value,
        ]);
        return into;
      case "i32":
      case "bool":
        this.put("mov_imm", [into, value]);
        return into;
      case "mask":
        return maskConstant(this, value !== 0, into);
      default: {
        const word = type === "f32" || type === "vf32" ? bitsOf(value) : value;
        if (word === 0) this.zero(into);
        else if (type === "f32") this.put("vmovss_load", [into, this.pool.words([word])]);
        else this.put("vbroadcastss", [into, this.pool.words([word])]);
        return into;
      }
    }
  }

  #load(load: Extract<Value, { op: "load" }>, into: Register): Register {
    const address = this.address(load.address);
    const { memory: how } = load;
    if (isNarrow(how)) {
      if (isVector(load.type)) loadNarrowVector(this, how, into, address, load.splat);
      else loadNarrow(this, how, into, address);
    } else if (isVector(load.type)) {
      this.put(load.splat ? "vbroadcastss" : "vmovups_load", [into, address]);
    } else {
      this.put(how === "i32" ? "mov_load" : "vmovss_load", [into, address]);
    }
    return into;
  }

  /** A general register's 32 bits into all lanes. */
  splatGeneral(into: Register, from: Register): void {
    if (this.wide) {
      this.put("vpbroadcastd_general", [into, register("r32", from.number)]);
      return;
    }
    const low = this.temporary("x");
    this.put("vmovd_load", [low, register("r32", from.number)]);
    this.put("vpbroadcastd", [into, low]);
  }

  /** base + index + offset with whatever constants and small factors of 2 they hold folded in. */
  address({ base, index, offset }: Address): Memory {
    let from = base;
    let by = index;
    let displacement = offset;
    while (from.op === "advance") {
      const [pointer, bytes] = from.args as [Value, Value];
      if (bytes.op === "constant") displacement += bytes.value;
      else if (by === undefined) by = bytes;
      else break;
      from = pointer;
    }
    const start = this.value(from).number;
    if (by === undefined) return memory(start, displacement);
    if (by.op === "add" && by.args[1]!.op === "constant") {
      displacement += by.args[1]!.value;
      by = by.args[0]!;
    }
    const { value, scale } = scaled(by);
    return memory(start, displacement, this.extended(value).number, scale);
  }

  /** From now on the variable's register holds its number sign-extended to 64 bits. */
  markExtended(variable: Variable): void {
    this.#extended.add(variable.id);
  }

  /** An i32 sign-extended to 64 bits. */
  extended(value: Value): Register {
    if (value.op === "variable" && this.#extended.has(value.id)) return register("r64", this.value(value).number);
    const into = this.temporary("r64");
    if (value.op === "load" && value.memory === "i32") this.put("movsxd", [into, this.address(value.address)]);
    else this.put("movsxd", [into, this.value(value)]);
    return into;
  }
}

/** x · 2ᵏ as x and a scale that addresses can have. */
function scaled(value: Value): { value: Value; scale: Memory["scale"] } {
  if (value.op === "shiftLeft" || value.op === "mul") {
    const [x, by] = value.args as [Value, Value];
    const factor = by.op !== "constant" ? 0 : value.op === "mul" ? by.value : by.value >= 0 && by.value < 4 ? 2 ** by.value : 0;
    if (factor === 1 || factor === 2 || factor === 4 || factor === 8) return { value: x, scale: factor };
  }
  return { value, scale: 1 };
}
