// What instruction selection of one function shares: registers for variables, addresses, sources of operands, conditions and statements.
import type { Address, KernelFunction, Machine, Statement, Value, ValueType, Variable } from "../../kernels/language.ts";
import { valuesOf, variableSetBy, visitStatements, visitVariables } from "../../kernels/statements.ts";
import { isVector } from "../../kernels/values.ts";
import type { Masking } from "./assembler.ts";
import { type FunctionCode, firstVirtual, type Item, incoming, outgoing } from "./code.ts";
import { branchOnFloats, floatOperation } from "./floats.ts";
import type { InstructionName } from "./instructions.ts";
import { intOperation } from "./ints.ts";
import { maskConstant, maskOperation, partialMask } from "./masks.ts";
import { bitsOf, type ConstantPool } from "./pool.ts";
import {
  type AssemblyOperand,
  type Label,
  type Memory,
  memory,
  type Register,
  type RegisterClass,
  rax,
  rdx,
  register,
} from "./registers.ts";
import { branchOnInts, scalarOperation } from "./scalars.ts";

export interface Callee {
  readonly entry: Label;
  readonly parameters: readonly ValueType[];
  readonly result: ValueType | undefined;
}

/** The routine that waits for other threads: see await.ts. No function of a module has this name. */
export const awaitName = "(await)";

/** Where the arguments of a call lie: bytes from the start of their area, and its size. */
export function argumentPlaces(types: readonly ValueType[], lanes: number): { places: readonly number[]; bytes: number } {
  let bytes = 0;
  const places = types.map((type) => {
    const size = isVector(type) ? lanes * 4 : 8;
    const place = Math.ceil(bytes / size) * size;
    bytes = place + size;
    return place;
  });
  return { places, bytes: Math.ceil(bytes / 64) * 64 };
}

/** Selects the instructions of one function. */
export function selectFunction(
  fn: KernelFunction,
  machine: Machine,
  pool: ConstantPool,
  callees: ReadonlyMap<string, Callee>,
): FunctionCode {
  return new Selector(fn, machine, pool, callees).select();
}

export class Selector {
  readonly machine: Machine;
  readonly pool: ConstantPool;
  /** Whether masks are k registers and instructions take embedded broadcasts. */
  readonly wide: boolean;
  /** The view of a vector register that a whole vector needs. */
  readonly vector: "y" | "z";
  readonly #fn: KernelFunction;
  readonly #callees: ReadonlyMap<string, Callee>;
  readonly #items: Item[] = [];
  readonly #classes: RegisterClass[] = [];
  readonly #variables = new Map<number, Register>();
  readonly #ofVariables = new Set<number>();
  /** Variables whose registers hold the number sign-extended to 64 bits. */
  readonly #extended = new Set<number>();
  #outgoingBytes = 0;
  #labels = 0;
  #streams = false;

  constructor(fn: KernelFunction, machine: Machine, pool: ConstantPool, callees: ReadonlyMap<string, Callee>) {
    this.#fn = fn;
    this.machine = machine;
    this.pool = pool;
    this.#callees = callees;
    this.wide = machine.lanes === 16;
    this.vector = this.wide ? "z" : "y";
  }

  select(): FunctionCode {
    const { parameters, body, result, name } = this.#fn;
    const { places } = argumentPlaces(
      parameters.map((parameter) => parameter.type),
      this.machine.lanes,
    );
    const used = usedVariables(this.#fn);
    parameters.forEach((parameter, position) => {
      if (used.has(parameter.id)) this.#loadArgument(this.#variable(parameter), parameter.type, memory(incoming, places[position]!));
    });
    this.#block(body);
    // Other cores see streamed stores in order only after a fence.
    if (this.#streams) this.put("sfence", []);
    if (result !== undefined) this.#return(this.value(result), result.type);
    const entry = this.#callees.get(name)!.entry;
    return { name, entry, items: this.#items, classes: this.#classes, outgoingBytes: this.#outgoingBytes };
  }

  // Writing code.

  put(name: InstructionName, operands: readonly AssemblyOperand[], masking?: Masking): void {
    this.#items.push({ kind: "instruction", name, operands, masking });
  }

  label(): Label {
    return { kind: "label", name: `${this.#fn.name}_${this.#labels++}` };
  }

  place(label: Label, align = false): void {
    this.#items.push({ kind: "label", label, align });
  }

  /** The view of a register that holds a value of this type. */
  classOf(type: ValueType): RegisterClass {
    switch (type) {
      case "pointer":
        return "r64";
      case "i32":
      case "bool":
        return "r32";
      case "f32":
        return "x";
      case "mask":
        return this.wide ? "k" : "y";
      default:
        return this.vector;
    }
  }

  /** A new register. */
  temporary(kind: RegisterClass): Register {
    this.#classes.push(kind === "r32" || kind === "r8" ? "r64" : kind);
    return register(kind, firstVirtual + this.#classes.length - 1);
  }

  /** True when nothing else will read this register. */
  isTemporary(operand: Register): boolean {
    return !this.#ofVariables.has(operand.number);
  }

  /** The wanted register, unless `sources` (which are read after it is first written) hold it. */
  destination(target: Register | undefined, kind: RegisterClass, sources: readonly AssemblyOperand[] = []): Register {
    if (target === undefined || sources.some((source) => mentions(source, target.number))) return this.temporary(kind);
    return target;
  }

  /** Moves to the wanted register, where it is another one. */
  delivered(result: Register, target: Register | undefined): Register {
    if (target === undefined || target.number === result.number) return result;
    this.move(target, result);
    return target;
  }

  move(to: Register, from: Register): void {
    if (to.number === from.number) return;
    if (to.class === "k") this.put("kmovw", [to, from]);
    else if (to.class.startsWith("r")) this.put("mov", [to, register(to.class, from.number)]);
    else this.put("vmovaps", [to, register(to.class, from.number)]);
  }

  // Values.

  /** Evaluates into `target`, or into any register. */
  value(value: Value, target?: Register): Register {
    switch (value.op) {
      case "variable": {
        const found = this.#variables.get(value.id);
        if (found === undefined) throw new Error(`x64: ${this.#fn.name} reads ${value.name} before it is set`);
        return this.delivered(found, target);
      }
      case "constant":
        return this.#constant(value.type, value.value, target ?? this.temporary(this.classOf(value.type)));
      case "lanes": {
        const into = target ?? this.temporary(this.vector);
        this.put("vmovups_load", [into, this.pool.words(value.values.map((number) => (value.type === "vf32" ? bitsOf(number) : number)))]);
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
   * A register, or memory that an instruction can read in place of one. `broadcast`: whether the instruction takes one element for all
   * lanes; scalar arithmetic reads 4 bytes.
   */
  source(value: Value, broadcast = true): Register | Memory {
    const scalar = value.type === "f32";
    const splats = this.wide && broadcast;
    if (value.op === "constant" && (value.value !== 0 || Object.is(value.value, -0))) {
      if (scalar && !broadcast) return this.pool.words([bitsOf(value.value)]);
      return this.constantVector(value.type === "vf32" || value.type === "f32" ? bitsOf(value.value) : value.value, broadcast);
    }
    if (value.op === "load" && value.count === undefined && value.memory !== "u8") {
      if (scalar) return broadcast ? this.value(value) : this.address(value.address);
      if (isVector(value.type) && !value.splat) return this.address(value.address);
      if (isVector(value.type) && splats) return { ...this.address(value.address), broadcast: true };
    }
    return this.value(value);
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

  zero(into: Register): void {
    this.put("vxorps", [into, into, into]);
  }

  #load(load: Extract<Value, { op: "load" }>, into: Register): Register {
    const address = this.address(load.address);
    if (!isVector(load.type)) {
      this.put(load.memory === "u8" ? "movzx8" : load.memory === "i32" ? "mov_load" : "vmovss_load", [into, address]);
    } else if (load.memory === "u8") {
      if (load.splat) this.splatGeneral(into, this.#byte(address));
      else this.put("vpmovzxbd", [into, address]);
    } else {
      this.put(load.splat ? "vbroadcastss" : "vmovups_load", [into, address]);
    }
    return into;
  }

  #byte(address: Memory): Register {
    const into = this.temporary("r32");
    this.put("movzx8", [into, address]);
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

  /** An i32 sign-extended to 64 bits. */
  extended(value: Value): Register {
    if (value.op === "variable" && this.#extended.has(value.id)) return register("r64", this.value(value).number);
    const into = this.temporary("r64");
    if (value.op === "load" && value.memory === "i32") this.put("movsxd", [into, this.address(value.address)]);
    else this.put("movsxd", [into, this.value(value)]);
    return into;
  }

  // Conditions.

  /** Jumps to `label` when the condition is `when`. */
  branch(condition: Value, label: Label, when: boolean): void {
    if (condition.op === "not") {
      this.branch(condition.args[0]!, label, !when);
      return;
    }
    if (condition.op === "and" || condition.op === "or") {
      const [a, b] = condition.args as [Value, Value];
      if ((condition.op === "or") === when) {
        this.branch(a, label, when);
        this.branch(b, label, when);
        return;
      }
      const past = this.label();
      this.branch(a, past, !when);
      this.branch(b, label, when);
      this.place(past);
      return;
    }
    if ("args" in condition && condition.args[0]?.type === "f32" && comparisons.has(condition.op)) {
      branchOnFloats(this, condition.op, condition, label, when);
      return;
    }
    branchOnInts(this, condition, label, when);
  }

  // Statements.

  #block(block: readonly Statement[]): void {
    for (const statement of block) this.#statement(statement);
  }

  #statement(statement: Statement): void {
    switch (statement.kind) {
      case "comment":
        this.#items.push(statement);
        return;
      case "set":
        this.value(statement.value, this.#variable(statement.variable));
        return;
      case "store":
        this.#store(statement);
        return;
      case "call":
        this.#call(statement);
        return;
      case "atomicAdd": {
        const value = this.value(statement.value);
        const to = this.address(statement.address);
        const sum = register("r32", rdx);
        this.put("mov", [sum, register("r32", value.number)]);
        this.put("lock_xadd", [to, sum]);
        if (statement.result !== undefined) this.put("mov", [register("r32", this.#variable(statement.result).number), sum]);
        return;
      }
      case "await":
        this.#await(statement);
        return;
      case "loop":
        this.#loop(statement);
        return;
      case "while": {
        const [top, test] = [this.label(), this.label()];
        this.#items.push({ kind: "loop", start: true });
        this.put("jmp", [test]);
        this.place(top);
        this.#block(statement.body);
        this.place(test);
        this.branch(statement.condition, top, true);
        this.#items.push({ kind: "loop", start: false });
        return;
      }
      case "if": {
        const [otherwise, end] = [this.label(), this.label()];
        this.branch(statement.condition, otherwise, false);
        this.#block(statement.body);
        if (statement.otherwise.length > 0) this.put("jmp", [end]);
        this.place(otherwise);
        this.#block(statement.otherwise);
        this.place(end);
        return;
      }
    }
  }

  #await({ address, value }: Extract<Statement, { kind: "await" }>): void {
    const place = this.temporary("r64");
    this.put("lea", [place, this.address(address)]);
    const { entry, parameters } = this.#callees.get(awaitName) as Callee;
    const { places, bytes } = argumentPlaces(parameters, this.machine.lanes);
    this.#outgoingBytes = Math.max(this.#outgoingBytes, bytes);
    this.put("mov_store", [memory(outgoing, places[0]!), place]);
    this.#passArgument(value, memory(outgoing, places[1]!));
    this.#items.push({ kind: "call", callee: entry, result: undefined, type: undefined });
  }

  #loop({ variable, start, end, step, body }: Extract<Statement, { kind: "loop" }>): void {
    const counter = register("r64", this.#variable(variable).number);
    const low = register("r32", counter.number);
    if (start.op === "constant" && start.value >= 0) this.put("mov_imm", [low, start.value]);
    else this.put("movsxd", [counter, this.value(start)]);
    this.#extended.add(variable.id);
    const limit = end.op === "constant" ? end.value : this.value(end);
    const [top, past] = [this.label(), this.label()];
    const entered = start.op === "constant" && end.op === "constant" && start.value < end.value;
    const test = () => this.put(typeof limit === "number" ? "cmp_imm" : "cmp", [low, limit]);
    if (!entered) {
      test();
      this.put("jge", [past]);
    }
    this.#items.push({ kind: "loop", start: true });
    this.place(top, !body.some((statement) => statement.kind === "loop" || statement.kind === "while"));
    this.#block(body);
    this.put("add_imm", [counter, step]);
    test();
    this.put("jl", [top]);
    this.#items.push({ kind: "loop", start: false });
    this.place(past);
  }

  #store({ memory: how, address, value, count, stream }: Extract<Statement, { kind: "store" }>): void {
    if (!isVector(value.type)) {
      const from = this.value(value);
      const to = this.address(address);
      if (how === "f32") this.put("vmovss_store", [to, from]);
      else if (how === "i32") this.put("mov_store", [to, from]);
      else this.put("mov_store8", [to, register("r8", from.number)]);
      return;
    }
    const from = this.value(value);
    const to = this.address(address);
    if (count !== undefined) {
      this.#storePartial(how === "u8", to, from, count);
    } else if (how !== "u8") {
      this.#streams ||= stream;
      this.put(stream ? "vmovntps" : "vmovups_store", [to, from]);
    } else if (this.wide) {
      this.put("vpmovdb_store", [to, from]);
    } else {
      this.put("vmovq_store", [to, this.#packedBytes(from)]);
    }
  }

  #storePartial(bytes: boolean, to: Memory, from: Register, count: Value): void {
    if (this.wide || !bytes) {
      const mask = partialMask(this, count);
      if (!this.wide) this.put("vmaskmovps_store", [to, mask, from]);
      else this.put(bytes ? "vpmovdb_store" : "vmovups_store", [to, from], { register: mask.number, zero: false });
      return;
    }
    // Eight bytes in rax, of which the count's bits tell how many to store: 8, then 4, 2 and 1.
    const low = this.#packedBytes(from);
    const left = this.temporary("r32");
    this.value(count, left);
    const place = this.temporary("r64");
    this.put("lea", [place, to]);
    const data = this.temporary("r64");
    this.put("vmovq_general", [data, low]);
    const end = this.label();
    const all = this.label();
    this.put("cmp_imm", [left, 8]);
    this.put("jge", [all]);
    for (const [width, name, kind] of [
      [4, "mov_store", "r32"],
      [2, "mov_store16", "r16"],
      [1, "mov_store8", "r8"],
    ] as const) {
      const skip = this.label();
      const bit = this.temporary("r32");
      this.move(bit, left);
      this.put("and_imm", [bit, width]);
      this.put("je", [skip]);
      this.put(name, [memory(place.number), register(kind, data.number)]);
      if (width > 1) {
        this.put("shr_imm", [data, width * 8]);
        this.put("add_imm", [place, width]);
      }
      this.place(skip);
    }
    this.put("jmp", [end]);
    this.place(all);
    this.put("vmovq_store", [memory(place.number), low]);
    this.place(end);
  }

  /** The low bytes of 8 lanes, in the low 8 bytes. */
  #packedBytes(from: Register): Register {
    const [high, bytes, other, packed] = [this.temporary("x"), this.temporary("x"), this.temporary("x"), this.temporary("x")];
    const pick = this.pool.words([0x0c080400, -1, -1, -1]);
    this.put("vextractf128", [high, from, 1]);
    this.put("vpshufb", [bytes, register("x", from.number), pick]);
    this.put("vpshufb", [other, high, pick]);
    this.put("vpunpckldq", [packed, bytes, other]);
    return packed;
  }

  #call({ callee, args, result }: Extract<Statement, { kind: "call" }>): void {
    const target = this.#callees.get(callee);
    if (target === undefined) throw new Error(`x64: ${this.#fn.name} calls ${callee}, which is not in the module`);
    const { places, bytes } = argumentPlaces(target.parameters, this.machine.lanes);
    this.#outgoingBytes = Math.max(this.#outgoingBytes, bytes);
    args.forEach((arg, position) => {
      this.#passArgument(arg, memory(outgoing, places[position]!));
    });
    const into = result === undefined ? undefined : this.#variable(result);
    this.#items.push({ kind: "call", callee: target.entry, result: into, type: target.result });
  }

  #passArgument(arg: Value, to: Memory): void {
    if (arg.type === "mask") {
      const from = this.value(arg);
      this.put(this.wide ? "kmovw_store" : "vmovups_store", [to, from]);
      return;
    }
    const from =
      arg.op === "constant" && !isVector(arg.type) && arg.type !== "f32"
        ? this.#constant(arg.type, arg.value, register(arg.type === "pointer" ? "r64" : "r32", rax))
        : this.value(arg);
    if (arg.type === "f32") this.put("vmovss_store", [to, from]);
    else this.put(isVector(arg.type) ? "vmovups_store" : "mov_store", [to, from]);
  }

  #loadArgument(into: Register, type: ValueType, from: Memory): void {
    if (type === "mask") this.put(this.wide ? "kmovw" : "vmovups_load", [into, from]);
    else if (type === "f32") this.put("vmovss_load", [into, from]);
    else this.put(isVector(type) ? "vmovups_load" : "mov_load", [into, from]);
  }

  #return(result: Register, type: ValueType): void {
    this.move(resultRegister(this.classOf(type)), result);
  }

  #variable(variable: Variable): Register {
    let found = this.#variables.get(variable.id);
    if (found === undefined) {
      found = this.temporary(this.classOf(variable.type));
      this.#variables.set(variable.id, found);
      this.#ofVariables.add(found.number);
    }
    return found;
  }
}

/** Where a function leaves its result. */
export function resultRegister(kind: RegisterClass): Register {
  return register(kind, kind === "k" ? 1 : kind.startsWith("r") ? rax : 0);
}

const comparisons: ReadonlySet<string> = new Set(["eq", "ne", "lt", "le", "gt", "ge", "ltUnsigned", "geUnsigned"]);

function mentions(operand: AssemblyOperand, number: number): boolean {
  if (typeof operand === "number" || operand.kind === "label") return false;
  return operand.kind === "register" ? operand.number === number : operand.base === number || operand.index === number;
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

/** Ids of the variables that a function reads or sets. */
function usedVariables(fn: KernelFunction): Set<number> {
  const used = new Set<number>();
  const read = (value: Value): void => visitVariables(value, ({ id }) => void used.add(id));
  visitStatements(fn.body, (statement) => {
    valuesOf(statement).forEach(read);
    const set = variableSetBy(statement);
    if (set !== undefined) used.add(set.id);
  });
  if (fn.result !== undefined) read(fn.result);
  return used;
}
