// The code of one function while it is selected: its items, labels and virtual registers.

import type { Machine, ValueType, Variable } from "../../../kernels/language/language.ts";
import type { Masking } from "../encode/assembler.ts";
import { FIRST_VIRTUAL, type FunctionCode, type Item } from "../encode/code.ts";
import type { InstructionName } from "../encode/instructions.ts";
import { type AssemblyOperand, type Label, type Register, type RegisterClass, register } from "../encode/registers.ts";

export class FunctionDraft {
  readonly name: string;
  readonly machine: Machine;
  /** Whether masks are k registers and instructions take embedded broadcasts. */
  readonly wide: boolean;
  /** The view of a vector register that a whole vector needs. */
  readonly vector: "y" | "z";
  readonly #items: Item[] = [];
  readonly #classes: RegisterClass[] = [];
  readonly #variables = new Map<number, Register>();
  readonly #ofVariables = new Set<number>();
  #outgoingBytes = 0;
  #labels = 0;

  constructor(name: string, machine: Machine) {
    this.name = name;
    this.machine = machine;
    this.wide = machine.lanes === 16;
    this.vector = this.wide ? "z" : "y";
  }

  /** What has been written. */
  code(entry: Label): FunctionCode {
    return { name: this.name, entry, items: this.#items, classes: this.#classes, outgoingBytes: this.#outgoingBytes };
  }

  put(name: InstructionName, operands: readonly AssemblyOperand[], masking?: Masking): void {
    this.add({ kind: "instruction", name, operands, masking });
  }

  add(item: Item): void {
    this.#items.push(item);
  }

  uses(name: InstructionName): boolean {
    return this.#items.some((item) => item.kind === "instruction" && item.name === name);
  }

  /** Makes room for the arguments of a call. */
  reserveOutgoing(bytes: number): void {
    this.#outgoingBytes = Math.max(this.#outgoingBytes, bytes);
  }

  label(): Label {
    return { kind: "label", name: `${this.name}_${this.#labels++}` };
  }

  place(label: Label, align = false): void {
    this.add({ kind: "label", label, align });
  }

  /** The register of a variable, a new one where it has none yet. */
  variable(variable: Variable): Register {
    let found = this.#variables.get(variable.id);
    if (found === undefined) {
      found = this.temporary(this.classOf(variable.type));
      this.#variables.set(variable.id, found);
      this.#ofVariables.add(found.number);
    }
    return found;
  }

  /** The register of a variable that has been set. */
  read(variable: Variable): Register {
    const found = this.#variables.get(variable.id);
    if (found === undefined) throw new Error(`x64: ${this.name} reads ${variable.name} before it is set`);
    return found;
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
    return register(kind, FIRST_VIRTUAL + this.#classes.length - 1);
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

  zero(into: Register): void {
    this.put("vxorps", [into, into, into]);
  }
}

function mentions(operand: AssemblyOperand, number: number): boolean {
  if (typeof operand === "number" || operand.kind === "label") return false;
  return operand.kind === "register" ? operand.number === number : operand.base === number || operand.index === number;
}
