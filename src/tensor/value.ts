// The untyped core of a tensor: dense numbers with a shape, and its tape node.

import type { Backend, BackendBuffer, Cell, HostArray } from "../backends/backend.ts";
import { sizeOfShape } from "../nest/evaluate.ts";
import type { DType } from "../nest/nest.ts";
import type { Op } from "../ops/op.ts";
import { InputError } from "../util/errors.ts";
import { tag } from "../util/tag.ts";
import type { Trace } from "./trace/trace-record.ts";

/** A number read anew at every run of a compiled step. */
export interface Live {
  readonly read: () => number;
}

/** Attribute values of one application: numbers, and axis lists. */
export type Attributes = Readonly<Record<string, number | readonly number[] | Live>>;

/** What an op found in a leaf: its numbers, or while a step was traced the buffer that held them. */
export type Found =
  | { readonly value: Value; readonly trace: undefined; readonly version: number; readonly data: Numbers }
  | { readonly value: Value; readonly trace: Trace; readonly buffer: number };

/** Where numbers are: an array, or memory of a backend. */
export type Numbers = HostArray | Held;

/**
 * Memory of a backend that tensors hold. Several may share it: then nothing is written there any more. It goes when the
 * last of them is collected.
 */
export class Held {
  readonly cell: Cell;
  readonly owner: Backend;
  isShared = false;

  constructor(cell: Cell, owner: Backend) {
    this.cell = cell;
    this.owner = owner;
    freeWhenCollected.register(this, cell, cell);
  }

  /** At once, where no other tensor shares it. */
  free(): void {
    if (this.isShared) return;
    freeWhenCollected.unregister(this.cell);
    this.cell.free();
  }
}

/** The error of reading at once what takes time to read. */
function unread({ name }: Backend): InputError {
  return new InputError(`the numbers of this tensor are in the memory of the backend ${name}, where reading takes time`, {
    hint: "await tensor.read() first",
  });
}

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

/** One example of a vmap, and the tensor of all of them. */
interface Mapping {
  readonly level: Level;
  readonly whole: Value;
}

/**
 * The own enumerable properties are what a tensor is to functions that compare, clone or print objects (assert, Jest,
 * structuredClone): shape, dtype and numbers. Everything else is private, with accessors beside it.
 */
export abstract class Value {
  readonly shape: readonly number[];
  readonly dtype: DType;
  /**
   * The numbers, for those who know nothing of tensors; else read `data`. An accessor where they may be newer on a
   * machine or are still to come.
   */
  declare values: HostArray;
  readonly #signature: string;
  #node: TapeNode | undefined = undefined;
  #requiresGrad = false;
  #retainsGrad = false;
  #gradient: Value | undefined = undefined;
  #isConstant = false;
  #mapping: Mapping | undefined = undefined;
  #version = 0;
  /** What `values` gives as an accessor; undefined while only the machine has the numbers. */
  #held: HostArray | undefined = undefined;
  #isElsewhere = false;
  /** Memory of a backend with this tensor's numbers; it may be newer than #held. */
  #memory: Held | undefined = undefined;
  #memoryIsFresh = false;

  static readonly #elsewhere = {
    get(this: Value): HostArray {
      if (this.#held === undefined) {
        if (this.#memory === undefined) throw this.unreadable();
        if (this.#memory.owner.memory === "own") throw unread(this.#memory.owner);
        this.#held = this.#memory.cell.read() as HostArray;
      }
      return this.#held;
    },
    set(this: Value, data: HostArray) {
      this.#held = data;
    },
    enumerable: true,
    configurable: true,
  };

  /** Without data the tensor stands for numbers that a compiled step will compute. */
  constructor(numbers: Numbers | undefined, shape: readonly number[], dtype: DType) {
    this.shape = shape;
    this.dtype = dtype;
    this.#signature = `${dtype}${shape.join("x")}`;
    if (numbers === undefined) this.#moveAway(undefined);
    else if (numbers instanceof Held) this.#hold(numbers);
    else this.values = numbers;
  }

  /** Whether all of a tensor is there: copies that others make, and wrappers of it, have its visible part only. */
  static isWhole(value: Value): boolean {
    return #requiresGrad in value;
  }

  /** dtype and shape as text: the key under which compiled programs are found. */
  get signature(): string {
    return this.#signature;
  }

  /** The tape node that made this tensor; undefined for leaves and where nothing is recorded. */
  get node(): TapeNode | undefined {
    return this.#node;
  }
  set node(value: TapeNode | undefined) {
    this.#node = value;
  }

  get requiresGrad(): boolean {
    return this.#requiresGrad;
  }
  set requiresGrad(value: boolean) {
    this.#requiresGrad = value;
  }

  get retainsGrad(): boolean {
    return this.#retainsGrad;
  }
  set retainsGrad(value: boolean) {
    this.#retainsGrad = value;
  }

  get gradient(): Value | undefined {
    return this.#gradient;
  }
  set gradient(value: Value | undefined) {
    this.#gradient = value;
  }

  /** Made from a number in the program (the 2 of x.mul(2)): never changes. */
  get isConstant(): boolean {
    return this.#isConstant;
  }
  set isConstant(value: boolean) {
    this.#isConstant = value;
  }

  /** Inside vmap: the tensor stands for one example; `whole` holds those of all, along a first dimension more. */
  get mapping(): Mapping | undefined {
    return this.#mapping;
  }
  set mapping(value: Mapping | undefined) {
    this.#mapping = value;
  }

  /** Counts how often other numbers took the place of the present ones. */
  get version(): number {
    return this.#version;
  }
  set version(value: number) {
    this.#version = value;
  }

  /** A tensor of the same class around numbers. */
  abstract make(numbers: Numbers | undefined, shape: readonly number[], dtype: DType): Value;

  /** The error of reading a tensor without numbers. */
  protected abstract unreadable(): Error;

  /**
   * The numbers, row-major; not a copy: do not change them. While a step is traced, what reads them makes it depend on
   * them.
   */
  get data(): HostArray {
    return this.numbers();
  }

  /** The numbers, also while a step is traced: for what looks after their changes itself. */
  numbers(): HostArray {
    return this.values;
  }

  /** The numbers where the host has them; undefined where only a machine does. */
  get atHand(): HostArray | undefined {
    return this.#isElsewhere ? this.#held : this.values;
  }

  /** False while it only stands for numbers to come. */
  get hasNumbers(): boolean {
    return !this.#isElsewhere || this.#held !== undefined || this.#memory !== undefined;
  }

  /** Whether the numbers can be read at once. */
  get isReadable(): boolean {
    return !this.#isElsewhere || this.#held !== undefined || this.#memory?.owner.memory === "host";
  }

  /** Where the numbers are now, to stay as they are: memory elsewhere is shared from now on. */
  share(): Numbers {
    const memory = this.#memory;
    if (memory === undefined || this.isReadable) return this.numbers();
    memory.isShared = true;
    return memory;
  }

  /**
   * The numbers, waited for; undefined where they can be read at once. Afterwards they can, unless others took their
   * place meanwhile.
   */
  fetch(): Promise<HostArray> | undefined {
    const [memory, version] = [this.#memory, this.#version];
    if (this.isReadable || memory === undefined) return undefined;
    return Promise.resolve(memory.cell.read()).then((data) => {
      if (this.#version === version && this.#held === undefined) this.#held = data;
      return data;
    });
  }

  get size(): number {
    return sizeOfShape(this.shape);
  }

  get rank(): number {
    return this.shape.length;
  }

  /** Puts other numbers of the same length in place (parameters, running statistics). */
  replace(numbers: Numbers): void {
    if (numbers instanceof Held) this.#hold(numbers);
    else {
      this.values = numbers;
      this.#memoryIsFresh = false;
      if (this.#memory?.isShared) this.#memory = undefined;
    }
    this.#version++;
  }

  /** Holds other numbers for a while; gives what ends that. */
  lend(numbers: Numbers): () => void {
    const present = this.share();
    this.replace(numbers);
    return () => this.replace(present);
  }

  /**
   * The tensor's memory on a machine, holding its present numbers.
   * @param owner whose memory it must be; moving to another owner goes through the host
   */
  cell(owner: Backend, make: () => Cell): Cell {
    const cell = this.reserve(owner, make);
    if (!this.#memoryIsFresh) cell.write(this.numbers());
    this.#memoryIsFresh = true;
    return cell;
  }

  /** Whether others share the memory that `cell` would give. */
  isSharedOn(owner: Backend): boolean {
    return this.#memory?.owner === owner && this.#memory.isShared;
  }

  /** Holds the memory of a copy, which is not used afterwards. */
  adopt(copy: Value): void {
    this.#memory = copy.#memory;
  }

  /** What a program takes as this tensor's numbers. */
  bufferFor(backend: Backend): BackendBuffer {
    return backend.memory === "host" ? this.data : this.cell(backend, () => backend.makeCell(this));
  }

  /** The memory alone, whatever it holds yet. Where there is none to be had, `make` throws and nothing has changed. */
  reserve(owner: Backend, make: () => Cell): Cell {
    if (this.#memory?.owner === owner) return this.#memory.cell;
    const numbers = this.numbers();
    const made = new Held(make(), owner);
    this.#memory?.free();
    this.#memory = made;
    this.#moveAway(numbers);
    this.#memoryIsFresh = false;
    return made.cell;
  }

  /** A compiled step wrote the cell: what the host holds is out of date. */
  settle(): void {
    this.#held = undefined;
    this.#version++;
  }

  /** Numbers that are nowhere else. */
  #hold(memory: Held): void {
    this.#moveAway(undefined);
    this.#memory = memory;
    this.#memoryIsFresh = true;
  }

  /** From now on the numbers are looked for when they are read. */
  #moveAway(numbers: HostArray | undefined): void {
    this.#held = numbers;
    if (this.#isElsewhere) return;
    this.#isElsewhere = true;
    // V8 makes an object slow whose property becomes an accessor, but not one whose last property is deleted. It is the
    // last as long as no subclass has private members, which come after it.
    delete (this as { values?: HostArray }).values;
    Object.defineProperty(this, "values", Value.#elsewhere);
  }
}

tag(Value, "Tensor");

const freeWhenCollected = new FinalizationRegistry<Cell>((cell) => cell.free());
