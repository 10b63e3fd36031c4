// Rewrites a module so that every load and store is checked against the bounds of its buffer.

import { ModuleBuilder } from "./builder.ts";
import type {
  Address,
  KernelFunction,
  KernelModule,
  LoadValue,
  Machine,
  Region,
  Statement,
  StoreStatement,
  Value,
  ValueType,
  Variable,
} from "./language.ts";
import { MEMORY_BYTES, SLACK } from "./language.ts";
import { variableSetBy, visitStatements } from "./statements.ts";
import * as v from "./values.ts";

export interface CheckedModule {
  readonly module: KernelModule;
  /** In the order of the numbers that failing accesses report. */
  readonly regions: readonly CheckedRegion[];
}

export interface CheckedRegion extends Region {
  /** The parameter of the entry: in0, out, params, scratch. */
  readonly buffer: string;
}

/**
 * What a failing access leaves at the place of reports, as words (i32): region + 1, byte offset, bytes (negative when
 * written).
 */
export const REPORT_WORDS = 3;

/**
 * Entries keep their names and parameters. An access out of its buffer (reads: by more than 128 bytes) does not happen,
 * a read gives 0, and the first one of all is reported. What no entry calls stays as it is.
 *
 * How: a pointer is accompanied by its byte offset in its buffer, that buffer's length and its region's number.
 *
 * @param report where the report goes: words that are 0 as long as nothing failed
 */
export function checkAccesses(module: KernelModule, machine: Machine, report: Value): CheckedModule {
  const regions: CheckedRegion[] = [];
  const byName = new Map(module.functions.map((fn) => [fn.name, fn]));
  const checked = reachable(byName, [...module.regions.keys()]);
  const plain = reachable(
    byName,
    module.functions.filter((fn) => fn.exported && !module.regions.has(fn.name)).map((fn) => fn.name),
    (name) => !module.regions.has(name),
  );
  const reporter = defineReporter(machine, report, (name) => byName.has(name));
  const functions: KernelFunction[] = [reporter];
  const checkedName = (name: string) => `${name}/checked`;
  for (const fn of module.functions) {
    if (checked.has(fn.name)) functions.push(new FunctionChecker(fn, machine, reporter.name, checkedName).write());
    const entry = module.regions.get(fn.name);
    if (entry !== undefined) {
      const pointers = fn.parameters.filter(({ type }) => type === "pointer");
      const known = pointers.map(({ name }) => ({ ...entry[name]!, buffer: name }));
      functions.push(wrapper(fn, checkedName(fn.name), known, regions.length));
      regions.push(...known);
    } else if (plain.has(fn.name)) {
      functions.push(fn);
    }
  }
  return { module: { name: module.name, functions, regions: new Map() }, regions };
}

/** All functions that are called from some, themselves included. */
function reachable(
  functions: ReadonlyMap<string, KernelFunction>,
  roots: readonly string[],
  counts: (name: string) => boolean = () => true,
): ReadonlySet<string> {
  const found = new Set<string>();
  const visit = (name: string): void => {
    if (found.has(name) || !counts(name)) return;
    found.add(name);
    visitStatements(functions.get(name)!.body, (statement) => {
      if (statement.kind === "call") visit(statement.callee);
    });
  };
  roots.forEach(visit);
  return found;
}

/** out_of_range(region, offset, bytes): keeps the first report. */
function defineReporter(machine: Machine, report: Value, taken: (name: string) => boolean): KernelFunction {
  let name = "out_of_range";
  while (taken(name)) name += "_";
  const builder = new ModuleBuilder(name, machine);
  builder.define(name, { region: "i32", offset: "i32", bytes: "i32" }, (k, { region, offset, bytes }) => {
    const words = [v.add(region, 1), offset, bytes];
    k.if(v.eq(v.loadAs("i32", "i32", v.at(report)), 0), () =>
      words.forEach((word, position) => {
        k.store(v.at(report, undefined, position * 4), word);
      }),
    );
  });
  return builder.build().functions[0]!;
}

/** The entry as it was, handing on where its pointers lie. */
function wrapper(fn: KernelFunction, callee: string, regions: readonly Region[], first: number): KernelFunction {
  const given = regions.flatMap(({ bytes }, number) => [v.i32(0), v.i32(bytes), v.i32(first + number)]);
  return { ...fn, body: [{ kind: "call", callee, args: [...fn.parameters, ...given], result: undefined }] };
}

/** Where a pointer lies: byte offset in its buffer, bytes of that, number of its region. */
interface Whereabouts {
  readonly offset: Value;
  readonly bytes: Value;
  readonly region: Value;
}

const PLACES = ["offset", "bytes", "region"] as const satisfies (keyof Whereabouts)[];

class FunctionChecker {
  readonly #fn: KernelFunction;
  readonly #machine: Machine;
  readonly #reporter: string;
  readonly #checkedName: (callee: string) => string;
  /** By the pointer's id. */
  readonly #companions = new Map<number, Record<keyof Whereabouts, Variable>>();
  #variables: number;
  #block: Statement[] = [];

  constructor(fn: KernelFunction, machine: Machine, reporter: string, checkedName: (callee: string) => string) {
    this.#fn = fn;
    this.#machine = machine;
    this.#reporter = reporter;
    this.#checkedName = checkedName;
    this.#variables = 1 + Math.max(-1, ...fn.parameters.map(({ id }) => id));
    visitStatements(fn.body, (statement) => {
      this.#variables = Math.max(this.#variables, (variableSetBy(statement)?.id ?? -1) + 1);
    });
  }

  write(): KernelFunction {
    const pointers = this.#fn.parameters.filter((parameter) => parameter.type === "pointer");
    const added = pointers.flatMap((pointer) => {
      const companions = this.#companionsOf(pointer);
      return PLACES.map((place) => companions[place]);
    });
    let result: Value | undefined;
    const body = this.#written(() => {
      this.#fn.body.forEach((statement) => {
        this.#statement(statement);
      });
      result = this.#fn.result && this.#value(this.#fn.result);
    });
    return { name: this.#checkedName(this.#fn.name), parameters: [...this.#fn.parameters, ...added], body, result, exported: false };
  }

  #statement(statement: Statement): void {
    switch (statement.kind) {
      case "comment":
        this.#block.push(statement);
        return;
      case "prefetch":
        // Accesses nothing, and is of no use beside checks.
        return;
      case "set":
        this.#set(statement.variable, this.#value(statement.value));
        return;
      case "store":
        this.#store(statement);
        return;
      case "loop": {
        const [start, end] = [this.#value(statement.start), this.#value(statement.end)];
        this.#block.push({ ...statement, start, end, body: this.#statements(statement.body) });
        return;
      }
      case "while": {
        const holds = this.#let(this.#value(statement.condition));
        const body = this.#written(() => {
          statement.body.forEach((inner) => {
            this.#statement(inner);
          });
          this.#set(holds, this.#value(statement.condition));
        });
        this.#block.push({ kind: "while", condition: holds, body });
        return;
      }
      case "if": {
        const condition = this.#value(statement.condition);
        const [body, otherwise] = [this.#statements(statement.body), this.#statements(statement.otherwise)];
        this.#block.push({ kind: "if", condition, body, otherwise });
        return;
      }
      case "call": {
        const args = statement.args.map((arg) => this.#value(arg));
        const added = args.flatMap((arg) => {
          if (arg.type !== "pointer") return [];
          const { offset, bytes, region } = this.#whereabouts(arg);
          return [offset, bytes, region];
        });
        this.#block.push({ ...statement, callee: this.#checkedName(statement.callee), args: [...args, ...added] });
        return;
      }
      case "atomicAdd":
      case "await":
        throw new Error(`kernels: ${this.#fn.name} waits for other threads, which only what calls entries does`);
    }
  }

  #set(variable: Variable, value: Value): void {
    if (variable.type === "pointer") {
      const companions = this.#companionsOf(variable);
      const known = this.#whereabouts(value);
      for (const place of PLACES) if (known[place] !== companions[place]) this.#set(companions[place], known[place]);
    }
    this.#block.push({ kind: "set", variable, value });
  }

  #store(statement: StoreStatement): void {
    const value = this.#value(statement.value);
    const count = statement.count && this.#value(statement.count);
    const address = this.#address(statement.address);
    const size = MEMORY_BYTES[statement.memory];
    const bytes = count === undefined ? v.i32(size * this.#lanes(value.type)) : this.#let(v.mul(count, size));
    const store: Statement = { ...statement, address, value, count };
    if (count === undefined) this.#within(address, bytes, v.neg(bytes), 0, [store]);
    // No lane at all may be stored anywhere.
    else {
      const block = this.#written(() => this.#within(address, bytes, v.neg(bytes), 0, [store]));
      this.#block.push({ kind: "if", condition: v.gt(bytes, 0), body: block, otherwise: [] });
    }
  }

  /** The value with its loads done before it, each into a variable. */
  #value(value: Value): Value {
    if (value.op === "load") return this.#load(value);
    if (!("args" in value)) return value;
    const args = value.args.map((arg) => this.#value(arg));
    return args.every((arg, position) => arg === value.args[position]) ? value : { ...value, args };
  }

  #load(load: LoadValue): Value {
    const count = load.count && this.#value(load.count);
    const address = this.#address(load.address);
    const read = this.#let(v.constant(load.type, 0));
    const bytes = v.i32(MEMORY_BYTES[load.memory] * (load.splat ? 1 : this.#lanes(load.type)));
    this.#within(address, bytes, bytes, SLACK, [{ kind: "set", variable: read, value: { ...load, address, count } }]);
    return read;
  }

  #address({ base, index, offset }: Address): Address {
    return { base: this.#value(base), index: index && this.#value(index), offset };
  }

  /** Does what accesses the bytes at an address where they lie in their buffer; reports where they do not. */
  #within({ base, index, offset }: Address, bytes: Value, reported: Value, reach: number, access: readonly Statement[]): void {
    const known = this.#whereabouts(base);
    const place = this.#let(v.add(index === undefined ? known.offset : v.add(known.offset, index), offset));
    // From −reach on as one unsigned comparison; a buffer shorter than the access has no room at all.
    const room = v.max(v.sub(v.add(known.bytes, 2 * reach + 1), bytes), 0);
    const args = [known.region, place, reported];
    this.#block.push({
      kind: "if",
      condition: v.ltUnsigned(v.add(place, reach), room),
      body: access,
      otherwise: [{ kind: "call", callee: this.#reporter, args, result: undefined }],
    });
  }

  #whereabouts(pointer: Value): Whereabouts {
    if (pointer.op === "variable") return this.#companionsOf(pointer);
    if (pointer.op === "advance") {
      const from = this.#whereabouts(pointer.args[0]!);
      return { ...from, offset: v.add(from.offset, pointer.args[1]!) };
    }
    if (pointer.op === "select") {
      const [condition, a, b] = pointer.args as [Value, Value, Value];
      const [first, second] = [this.#whereabouts(a), this.#whereabouts(b)];
      const either = (place: keyof Whereabouts) =>
        first[place] === second[place] ? first[place] : v.select(condition, first[place], second[place]);
      return { offset: either("offset"), bytes: either("bytes"), region: either("region") };
    }
    throw new Error(`kernels: ${this.#fn.name} makes a pointer by ${pointer.op}, of which no buffer is known`);
  }

  #companionsOf(pointer: Variable): Record<keyof Whereabouts, Variable> {
    let found = this.#companions.get(pointer.id);
    if (found === undefined) {
      const make = (place: string) => this.#variable("i32", `${pointer.name}_${place}`);
      found = { offset: make("offset"), bytes: make("bytes"), region: make("region") };
      this.#companions.set(pointer.id, found);
    }
    return found;
  }

  #lanes(type: ValueType): number {
    return v.isVector(type) ? this.#machine.lanes : 1;
  }

  #variable(type: ValueType, name: string): Variable {
    return { op: "variable", type, id: this.#variables++, name };
  }

  #let(value: Value): Variable {
    const variable = this.#variable(value.type, `c${this.#variables}`);
    this.#block.push({ kind: "set", variable, value });
    return variable;
  }

  #statements(block: readonly Statement[]): Statement[] {
    return this.#written(() => {
      block.forEach((statement) => {
        this.#statement(statement);
      });
    });
  }

  #written(write: () => void): Statement[] {
    const outer = this.#block;
    this.#block = [];
    write();
    const written = this.#block;
    this.#block = outer;
    return written;
  }
}
