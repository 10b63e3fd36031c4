// Builds kernel functions statement by statement, with type checks.

import type {
  Address,
  KernelFunction,
  KernelModule,
  Machine,
  MemoryType,
  Regions,
  Statement,
  Value,
  ValueType,
  Variable,
} from "./language.ts";
import { interleaved } from "./statements.ts";
import type { Input } from "./values.ts";
import { elementType, i32, isVector, shuffle } from "./values.ts";

type ParameterTypes = { readonly [name: string]: ValueType };
type Parameters<P extends ParameterTypes> = { readonly [name in keyof P]: Variable };

/** Collects the functions of one module. Names are made unique with `unique`. */
export class ModuleBuilder {
  readonly machine: Machine;
  readonly #name: string;
  readonly #functions: KernelFunction[] = [];
  readonly #names = new Set<string>();
  readonly #regions = new Map<string, Regions>();

  constructor(name: string, machine: Machine) {
    this.#name = name;
    this.machine = machine;
  }

  unique(name: string): string {
    let candidate = name;
    for (let i = 2; this.#names.has(candidate); i++) candidate = `${name}_${i}`;
    return candidate;
  }

  /**
   * Defines a function; `write` writes its body and may return the value the function gives. Callees must be defined
   * before.
   * @returns the (unique) name to call it by
   */
  define<P extends ParameterTypes>(
    name: string,
    parameters: P,
    write: (k: FunctionBuilder, parameters: Parameters<P>) => unknown,
    exported = false,
  ): string {
    const unique = this.unique(name);
    this.#names.add(unique);
    const builder = new FunctionBuilder(this.machine, this);
    const variables = Object.entries(parameters).map(([parameter, type]) => builder.parameter(parameter, type));
    const named = Object.fromEntries(variables.map((variable) => [variable.name, variable])) as Parameters<P>;
    const written = write(builder, named);
    const result = isValue(written) ? written : undefined;
    this.#functions.push({ name: unique, parameters: variables, body: builder.statements(), result, exported });
    return unique;
  }

  resultType(callee: string): ValueType | undefined {
    const found = this.#functions.find((candidate) => candidate.name === callee);
    if (found === undefined) throw new Error(`kernel language: ${callee} is called before it is defined`);
    return found.result?.type;
  }

  parameterTypes(callee: string): readonly ValueType[] {
    return this.#functions.find((candidate) => candidate.name === callee)?.parameters.map((parameter) => parameter.type) ?? [];
  }

  /** Says what the pointers of an entry point at, so that its accesses can be checked. */
  confine(entry: string, regions: Regions): void {
    this.#regions.set(entry, regions);
  }

  build(): KernelModule {
    return { name: this.#name, functions: [...this.#functions], regions: new Map(this.#regions) };
  }
}

export class FunctionBuilder {
  readonly machine: Machine;
  readonly #module: ModuleBuilder;
  #block: Statement[] = [];
  #variables = 0;

  constructor(machine: Machine, module: ModuleBuilder) {
    this.machine = machine;
    this.#module = module;
  }

  parameter(name: string, type: ValueType): Variable {
    return { op: "variable", type, id: this.#variables++, name };
  }

  /** A new variable with a first value. Its lifetime is the block it is declared in. */
  let(value: Value, name = "t"): Variable {
    const id = this.#variables++;
    const variable: Variable = { op: "variable", type: value.type, id, name: `${name}${id}` };
    this.#block.push({ kind: "set", variable, value });
    return variable;
  }

  set(variable: Variable, value: Value): void {
    if (variable.type !== value.type) throw new Error(`kernel language: ${variable.name} is ${variable.type}, set to ${value.type}`);
    this.#block.push({ kind: "set", variable, value });
  }

  /** Stores a scalar or a full vector. */
  store(address: Address, value: Value, memory: MemoryType = memoryOf(value.type)): void {
    this.#store(address, value, memory, undefined);
  }

  /** Stores a full vector past the caches; the address is a multiple of a vector's size. */
  storeStreaming(address: Address, value: Value): void {
    if (!isVector(value.type)) throw new Error("kernel language: storeStreaming takes a vector");
    this.#store(address, value, memoryOf(value.type), undefined, true);
  }

  /** Stores the first `count` lanes (0…lanes) of a vector. */
  storePartial(address: Address, value: Value, count: Value, memory: MemoryType = memoryOf(value.type)): void {
    if (!isVector(value.type)) throw new Error("kernel language: storePartial takes a vector");
    if (count.op === "constant" && count.value <= 0) return;
    const full = count.op === "constant" && count.value >= this.machine.lanes;
    this.#store(address, value, memory, full ? undefined : count);
  }

  #store(address: Address, value: Value, memory: MemoryType, count: Value | undefined, stream = false): void {
    const fits = elementType(value.type) === (memory === "f32" ? "f32" : "i32");
    if (!fits) throw new Error(`kernel language: a ${value.type} is stored as ${memory}`);
    this.#block.push({ kind: "store", memory, address, value, count, stream });
  }

  /** Says that what lies at the address will soon be written. */
  prefetchForWriting(address: Address): void {
    this.#block.push({ kind: "prefetch", address, write: true });
  }

  /** Says that what lies at the address will soon be read. */
  prefetch(address: Address): void {
    this.#block.push({ kind: "prefetch", address, write: false });
  }

  /** for (i = start; i < end; i += step). With constant bounds of at most one step there is no loop. */
  loop(start: Input, end: Input, step: number, write: (i: Value) => void, name = "i"): void {
    if (!(step > 0)) throw new Error("kernel language: a loop's step is positive");
    const first = typeof start === "number" ? i32(start) : start;
    let last = typeof end === "number" ? i32(end) : end;
    if (first.op === "constant" && last.op === "constant") {
      if (first.value >= last.value) return;
      if (first.value + step >= last.value) {
        write(first);
        return;
      }
    }
    if (last.op !== "constant" && last.op !== "variable") last = this.let(last, "end");
    const id = this.#variables++;
    const variable: Variable = { op: "variable", type: "i32", id, name: `${name}${id}` };
    const body = this.block(() => write(variable));
    this.#block.push({ kind: "loop", variable, start: first, end: last, step, body });
  }

  while(condition: Value, write: () => void): void {
    this.#block.push({ kind: "while", condition, body: this.block(write) });
  }

  if(condition: Value, then: () => void, otherwise: () => void = () => {}): void {
    if (condition.type !== "bool") throw new Error(`kernel language: if takes a bool, got ${condition.type}`);
    if (condition.op === "constant") {
      if (condition.value !== 0) then();
      else otherwise();
      return;
    }
    this.#block.push({ kind: "if", condition, body: this.block(then), otherwise: this.block(otherwise) });
  }

  /** Calls a function defined before; gives its result, if it has one. */
  call(callee: string, inputs: readonly Input[]): Variable | undefined {
    const type = this.#module.resultType(callee);
    const types = this.#module.parameterTypes(callee);
    const args = inputs.map((input) => (typeof input === "number" ? i32(input) : input));
    const fits = types.length === args.length && args.every((arg, position) => arg.type === types[position]);
    if (!fits) throw new Error(`kernel language: ${callee}(${types}) is called with (${args.map((arg) => arg.type)})`);
    const id = this.#variables++;
    const result: Variable | undefined = type === undefined ? undefined : { op: "variable", type, id, name: `${callee}${id}` };
    this.#block.push({ kind: "call", callee, args, result });
    return result;
  }

  /** Adds to an i32 that other threads use too; gives the number before. */
  atomicAdd(address: Address, value: Input): Variable {
    const id = this.#variables++;
    const result: Variable = { op: "variable", type: "i32", id, name: `before${id}` };
    this.#block.push({ kind: "atomicAdd", address, value: typeof value === "number" ? i32(value) : value, result });
    return result;
  }

  /** Waits until the i32 at the address, to which other threads add, is at least the value. */
  await(address: Address, value: Input): void {
    this.#block.push({ kind: "await", address, value: typeof value === "number" ? i32(value) : value });
  }

  comment(text: string): void {
    this.#block.push({ kind: "comment", text });
  }

  /** Transposes `lanes` vectors (rows become columns) in log2(lanes) rounds of two-source shuffles. */
  transpose(rows: readonly Value[]): Variable[] {
    const lanes = this.machine.lanes;
    if (rows.length !== lanes) throw new Error(`kernel language: transpose takes ${lanes} vectors, got ${rows.length}`);
    const low = Array.from({ length: lanes }, (_, i) => (i >> 1) + (i & 1) * lanes);
    const high = low.map((source) => source + lanes / 2);
    let current = rows.map((row) => (row.op === "variable" ? row : this.let(row, "row")));
    // Interleaving row i with row i + lanes/2, log2(lanes) times, is a transpose.
    for (let round = 1; round < lanes; round *= 2) {
      const next: Variable[] = [];
      for (let i = 0; i < lanes / 2; i++) {
        const a = current[i]!;
        const b = current[i + lanes / 2]!;
        next.push(this.let(shuffle(a, b, low), "row"), this.let(shuffle(a, b, high), "row"));
      }
      current = next;
    }
    return current;
  }

  /** The statements that `write` writes, kept apart. */
  block(write: () => void): Statement[] {
    const outer = this.#block;
    this.#block = [];
    try {
      write();
      return this.#block;
    } finally {
      this.#block = outer;
    }
  }

  /** Writes several pieces of straight-line code in turns; none needs what another stores. */
  interleave(pieces: readonly (() => void)[]): void {
    const start = this.#block.length;
    const ends = pieces.map((write) => {
      write();
      return this.#block.length;
    });
    const written = this.#block.splice(start);
    this.#block.push(...interleaved(ends.map((end, piece) => written.slice((ends[piece - 1] ?? start) - start, end - start))));
  }

  /** Identity of the block being written: what is set here may be read here and in blocks inside, not outside. */
  currentBlock(): object {
    return this.#block;
  }

  statements(): readonly Statement[] {
    return this.#block;
  }
}

/** What the writer of a function returned: a value is the function's result, anything else is ignored. */
function isValue(written: unknown): written is Value {
  return typeof written === "object" && written !== null && "op" in written;
}

function memoryOf(type: ValueType): MemoryType {
  return elementType(type) === "f32" ? "f32" : "i32";
}
