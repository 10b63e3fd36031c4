// The untyped core of a tensor: dense numbers with a shape, and how they came to be.

import type { Cell, HostArray } from "../backends/backend.ts";
import { sizeOfShape } from "../formula/evaluate.ts";
import type { DType } from "../formula/nest.ts";
import type { Op } from "../ops/op.ts";
import type { Trace } from "./trace-record.ts";

/** A number read anew at every run of a compiled step. */
export interface Live {
  readonly read: () => number;
}

/** Attribute values of one application: numbers, and axis lists. */
export type Attributes = Readonly<Record<string, number | readonly number[] | Live>>;

/** What an op found in a leaf: its numbers, or while a step was traced the buffer that held them. */
export type Found =
  | { readonly value: Value; readonly trace: undefined; readonly version: number; readonly data: HostArray }
  | { readonly value: Value; readonly trace: Trace; readonly buffer: number };

/** One recorded application of an op. */
export interface TapeNode {
  readonly op: Op;
  readonly inputs: readonly Value[];
  /** What it found in inputs that can take other numbers; undefined where none can. */
  readonly found?: readonly (Found | undefined)[] | undefined;
  readonly attributes: Attributes;
  readonly output: Value;
  /** Names of the layers and composites it ran in, outermost first. */
  readonly scope: readonly string[];
  /** Its stack is the place in the user's program. */
  readonly site: { readonly stack?: string };
  /** Later nodes have larger numbers. */
  readonly order: number;
  /** The gradients by the inputs, where they do not follow from the op's formula (a vmap's border, a checkpoint). */
  readonly pull?: (upstream: Value) => readonly (Value | undefined)[];
}

/** One vmap that runs, or ran. */
export interface Level {
  /** Inner ones have larger numbers. */
  readonly number: number;
  /** How many examples there are. */
  readonly size: number;
}

export abstract class Value {
  readonly shape: readonly number[];
  readonly dtype: DType;
  /** dtype and shape as text: the key under which compiled programs are found. */
  readonly signature: string;
  /** The tape node that made this tensor; undefined for leaves and where nothing is recorded. */
  node: TapeNode | undefined = undefined;
  requiresGrad = false;
  keepsGrad = false;
  gradient: Value | undefined = undefined;
  /** Made from a number in the program (the 2 of x.mul(2)): never changes. */
  isConstant = false;
  /** Inside vmap: the tensor stands for one example; `whole` holds those of all, along a first dimension more. */
  mapping: { readonly level: Level; readonly whole: Value } | undefined = undefined;
  #data: HostArray | undefined;
  /** Machine memory that compiled steps use for this tensor; it may be newer than #data. */
  #cell: { readonly cell: Cell; readonly owner: object } | undefined = undefined;
  #cellIsFresh = false;
  /** Counts how often other numbers took the place of the present ones. */
  version = 0;

  /** Without data the tensor stands for numbers that a compiled step will compute. */
  constructor(data: HostArray | undefined, shape: readonly number[], dtype: DType) {
    this.#data = data;
    this.shape = shape;
    this.dtype = dtype;
    this.signature = `${dtype}${shape.join("x")}`;
  }

  /** A tensor of the same class around an array. */
  abstract make(data: HostArray | undefined, shape: readonly number[], dtype: DType): Value;

  /** The error of reading a tensor without numbers. */
  protected abstract unreadable(): Error;

  /** The numbers, row-major; not a copy: do not change them. While a step is traced, what reads them makes it depend on them. */
  get data(): HostArray {
    return this.numbers();
  }

  /** The numbers, also while a step is traced: for what looks after their changes itself. */
  numbers(): HostArray {
    if (this.#data === undefined) {
      if (this.#cell === undefined) throw this.unreadable();
      this.#data = this.#cell.cell.read();
    }
    return this.#data;
  }

  /** The numbers where the host has them; undefined where only a machine does. */
  get atHand(): HostArray | undefined {
    return this.#data;
  }

  /** False while it only stands for numbers to come. */
  get hasNumbers(): boolean {
    return this.#data !== undefined || this.#cell !== undefined;
  }

  get size(): number {
    return sizeOfShape(this.shape);
  }

  get rank(): number {
    return this.shape.length;
  }

  /** Puts other numbers of the same length in place (parameters, running statistics). */
  replace(data: HostArray): void {
    this.#data = data;
    this.#cellIsFresh = false;
    this.version++;
  }

  /** Holds other numbers for a while; gives what ends that. */
  lend(data: HostArray): () => void {
    const present = this.numbers();
    this.replace(data);
    return () => this.replace(present);
  }

  /**
   * The tensor's memory on a machine, holding its present numbers.
   * @param owner whose memory it must be; moving to another owner goes through the host
   */
  cell(owner: object, make: () => Cell): Cell {
    const cell = this.reserve(owner, make);
    if (!this.#cellIsFresh) cell.write(this.numbers());
    this.#cellIsFresh = true;
    return cell;
  }

  /** The memory alone, whatever it holds yet. Where there is none to be had, `make` throws and nothing has changed. */
  reserve(owner: object, make: () => Cell): Cell {
    if (this.#cell?.owner === owner) return this.#cell.cell;
    const numbers = this.numbers();
    const before = this.#cell?.cell;
    const made = make();
    this.#cell = { cell: made, owner };
    if (before !== undefined) {
      freeWhenCollected.unregister(before);
      before.free();
    }
    freeWhenCollected.register(this, made, made);
    this.#data = numbers;
    this.#cellIsFresh = false;
    return made;
  }

  /** A compiled step wrote the cell: what the host holds is out of date. */
  settle(): void {
    this.#data = undefined;
    this.version++;
  }
}

const freeWhenCollected = new FinalizationRegistry<Cell>((cell) => cell.free());
