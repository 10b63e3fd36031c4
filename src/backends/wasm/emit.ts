// Emits the body of one kernel function: its statements as WebAssembly instructions.

import {
  type AwaitStatement,
  type KernelFunction,
  type LoopStatement,
  MEMORY_BYTES,
  type Statement,
  type StoreStatement,
  type Value,
} from "../../kernels/language/language.ts";
import { isVector } from "../../kernels/language/values.ts";
import { Assembler } from "./assembler.ts";
import { type EmitOptions, LOW_BYTES, ValueEmitter } from "./emit-value.ts";
import { findDeaths } from "./locals.ts";
import { code } from "./opcodes.ts";

export type { EmitOptions } from "./emit-value.ts";

/** @returns the function's entry of the code section, without its length */
export function emitFunction(fn: KernelFunction, indexOf: (callee: string) => number, options: EmitOptions): Uint8Array<ArrayBuffer> {
  return new FunctionEmitter(fn, indexOf, options).emit();
}

const LANES = 4;
/** Looks before the first nap, some tens of microseconds. */
const PATIENCE = 20_000;
const NAP_NANOSECONDS = 50_000;

class FunctionEmitter {
  readonly #fn: KernelFunction;
  readonly #indexOf: (callee: string) => number;
  readonly #a: Assembler;
  readonly #options: EmitOptions;
  readonly #values: ValueEmitter;
  readonly #deaths: ReturnType<typeof findDeaths>;

  constructor(fn: KernelFunction, indexOf: (callee: string) => number, options: EmitOptions) {
    this.#fn = fn;
    this.#options = options;
    this.#indexOf = indexOf;
    this.#a = new Assembler(fn.name, fn.parameters);
    this.#values = new ValueEmitter(this.#a, options);
    this.#deaths = findDeaths(fn.body, fn.parameters);
  }

  emit(): Uint8Array<ArrayBuffer> {
    // The result is read after the body: what the outermost block holds must outlive it.
    this.#block(this.#fn.body, this.#fn.result === undefined);
    if (this.#fn.result !== undefined) this.#values.push(this.#fn.result);
    return this.#a.finish();
  }

  #block(block: readonly Statement[], release = true): void {
    const deaths = this.#deaths.get(block);
    block.forEach((statement, position) => {
      this.#statement(statement);
      this.#a.endStatement();
      if (release) for (const variable of deaths?.get(position) ?? []) this.#a.release(variable);
    });
  }

  #statement(statement: Statement): void {
    const a = this.#a;
    switch (statement.kind) {
      case "comment":
      case "prefetch":
        return;
      case "set":
        this.#values.push(statement.value);
        a.op(code.localSet, a.localOf(statement.variable));
        return;
      case "store":
        if (statement.count === undefined) this.#store(statement);
        else this.#storePartial(statement, statement.count);
        return;
      case "call":
        for (const arg of statement.args) this.#values.push(arg);
        a.op(code.call, this.#indexOf(statement.callee));
        if (statement.result !== undefined) a.op(code.localSet, a.localOf(statement.result));
        return;
      case "atomicAdd": {
        const offset = this.#values.address(statement.address);
        this.#values.push(statement.value);
        a.atomic(code.atomicAdd, offset);
        if (statement.result === undefined) a.op(code.drop);
        else a.op(code.localSet, a.localOf(statement.result));
        return;
      }
      case "await":
        this.#await(statement);
        return;
      case "loop":
        this.#loop(statement);
        return;
      case "while":
        a.open(code.block);
        a.open(code.loop);
        this.#values.push(statement.condition);
        a.op(code.i32Eqz);
        a.op(code.branchIf, 1);
        this.#block(statement.body);
        a.op(code.branch, 0);
        a.op(code.end);
        a.op(code.end);
        return;
      case "if":
        this.#values.push(statement.condition);
        a.open(code.if);
        this.#block(statement.body);
        if (statement.otherwise.length > 0) {
          a.op(code.else);
          this.#block(statement.otherwise);
        }
        a.op(code.end);
        return;
    }
  }

  /** Looks again and again; where threads may sleep, it naps between looks after a while. Nobody wakes it. */
  #await({ address, value }: AwaitStatement): void {
    const a = this.#a;
    const [place, wanted, found, looks] = [a.temporary("i32"), a.temporary("i32"), a.temporary("i32"), a.temporary("i32")];
    const offset = this.#values.address(address);
    a.op(code.localSet, place);
    this.#values.push(value);
    a.op(code.localSet, wanted);
    a.i32(0);
    a.op(code.localSet, looks);
    a.open(code.block);
    a.open(code.loop);
    a.get(place);
    a.atomic(code.atomicLoad, offset);
    a.op(code.localTee, found);
    a.get(wanted);
    a.op(code.i32GeSigned);
    a.op(code.branchIf, 1);
    if (this.#options.shared?.mayBlock) {
      a.get(looks);
      a.i32(1);
      a.op(code.i32Add);
      a.op(code.localTee, looks);
      a.i32(PATIENCE);
      a.op(code.i32LtSigned);
      a.op(code.branchIf, 0);
      a.get(place, found);
      a.i64(NAP_NANOSECONDS);
      a.atomic(code.atomicWait32, offset);
      a.op(code.drop);
    }
    a.op(code.branch, 0);
    a.op(code.end);
    a.op(code.end);
  }

  /** The test stands at the end; the one before the first step is left out where it is known to hold. */
  #loop({ variable, start, end, step, body }: LoopStatement): void {
    const a = this.#a;
    this.#values.push(start);
    const counter = a.localOf(variable);
    a.op(code.localSet, counter);
    const entered = start.op === "constant" && end.op === "constant" && start.value < end.value;
    if (!entered) {
      a.get(counter);
      this.#values.push(end);
      a.op(code.i32LtSigned);
      a.open(code.if);
    }
    a.open(code.loop);
    this.#block(body);
    a.get(counter);
    a.i32(step);
    a.op(code.i32Add);
    a.op(code.localTee, counter);
    this.#values.push(end);
    a.op(code.i32LtSigned);
    a.op(code.branchIf, 0);
    a.op(code.end);
    if (!entered) a.op(code.end);
  }

  #store({ memory, address, value }: StoreStatement): void {
    const a = this.#a;
    const offset = this.#values.address(address);
    if (value.op === "extract" && MEMORY_BYTES[memory] === 4) {
      this.#values.push(value.args[0]!);
      a.memory(code.store32Lane, offset, value.immediate[0]!);
      return;
    }
    this.#values.push(value);
    if (!isVector(value.type)) {
      a.memory({ u8: code.i32Store8, u16: code.i32Store16, i32: code.i32Store, f32: code.f32Store }[memory], offset);
    } else if (memory === "u8" || memory === "u16") {
      this.#gatherBytes(memory);
      a.memory(memory === "u8" ? code.store32Lane : code.store64Lane, offset, 0);
    } else {
      a.memory(code.v128Store, offset);
    }
  }

  /** Replaces the vector on the stack by its lanes' low bytes, side by side. */
  #gatherBytes(memory: keyof typeof LOW_BYTES): void {
    const vector = this.#a.temporary("vi32");
    this.#a.op(code.localTee, vector);
    this.#a.get(vector);
    this.#a.shuffle(LOW_BYTES[memory]);
  }

  /** A constant count becomes lane stores; a variable one tests its bits: 4, then 2, then 1. */
  #storePartial({ memory, address, value }: StoreStatement, count: Value): void {
    const a = this.#a;
    const vector = a.temporary("vi32");
    const place = a.temporary("i32");
    const offset = this.#values.address(address);
    a.op(code.localSet, place);
    this.#values.push(value);
    if (memory === "u8" || memory === "u16") this.#gatherBytes(memory);
    a.op(code.localSet, vector);
    const size = MEMORY_BYTES[memory];
    const store = (width: number, lane: number) => {
      a.get(place, vector);
      if (width * size === 16) {
        a.memory(code.v128Store, offset);
        return;
      }
      const instruction = { 1: code.store8Lane, 2: code.store16Lane, 4: code.store32Lane, 8: code.store64Lane }[width * size]!;
      a.memory(instruction, offset + lane * size, lane / width);
    };
    if (count.op === "constant") {
      let lane = 0;
      for (let width = LANES; width >= 1; width /= 2) {
        if ((Math.min(count.value, LANES) & width) === 0) continue;
        store(width, lane);
        lane += width;
      }
      return;
    }
    const valid = a.temporary("i32");
    this.#values.push(count);
    a.op(code.localSet, valid);
    const when = (bit: number, then: () => void, otherwise?: () => void) => {
      a.get(valid);
      a.i32(bit);
      a.op(code.i32And);
      a.open(code.if);
      then();
      if (otherwise !== undefined) {
        a.op(code.else);
        otherwise();
      }
      a.op(code.end);
    };
    const one = (lane: number) => () => when(1, () => store(1, lane));
    const two = () => {
      store(2, 0);
      one(2)();
    };
    when(
      4,
      () => store(4, 0),
      () => when(2, two, one(0)),
    );
  }
}
