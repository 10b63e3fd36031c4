// Calls between functions of a module: where arguments and results lie, and how they get there.

import type { Statement, Value, ValueType } from "../../../kernels/language/language.ts";
import { isVector } from "../../../kernels/language/values.ts";
import { OUTGOING } from "../encode/code.ts";
import { type Label, type Memory, memory, RAX, type Register, type RegisterClass, register } from "../encode/registers.ts";
import type { Selector } from "./selector.ts";

export interface Callee {
  readonly entry: Label;
  readonly parameters: readonly ValueType[];
  readonly result: ValueType | undefined;
}

/** The routine that waits for other threads: see await.ts. No function of a module has this name. */
export const AWAIT_NAME = "(await)";

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

/** Where a function leaves its result. */
export function resultRegister(kind: RegisterClass): Register {
  return register(kind, kind === "k" ? 1 : kind.startsWith("r") ? RAX : 0);
}

/** A call of another function of the module. */
export function selectCall(s: Selector, { callee, args, result }: Extract<Statement, { kind: "call" }>): void {
  const target = s.callee(callee);
  const { places, bytes } = argumentPlaces(target.parameters, s.machine.lanes);
  s.reserveOutgoing(bytes);
  args.forEach((arg, position) => {
    passArgument(s, arg, memory(OUTGOING, places[position]!));
  });
  const into = result === undefined ? undefined : s.variable(result);
  s.add({ kind: "call", callee: target.entry, result: into, type: target.result });
}

export function selectAwait(s: Selector, { address, value }: Extract<Statement, { kind: "await" }>): void {
  const place = s.temporary("r64");
  s.put("lea", [place, s.address(address)]);
  const { entry, parameters } = s.callee(AWAIT_NAME);
  const { places, bytes } = argumentPlaces(parameters, s.machine.lanes);
  s.reserveOutgoing(bytes);
  s.put("mov_store", [memory(OUTGOING, places[0]!), place]);
  passArgument(s, value, memory(OUTGOING, places[1]!));
  s.add({ kind: "call", callee: entry, result: undefined, type: undefined });
}

function passArgument(s: Selector, arg: Value, to: Memory): void {
  if (arg.type === "mask") {
    const from = s.value(arg);
    s.put(s.wide ? "kmovw_store" : "vmovups_store", [to, from]);
    return;
  }
  const from =
    arg.op === "constant" && !isVector(arg.type) && arg.type !== "f32"
      ? s.value(arg, register(arg.type === "pointer" ? "r64" : "r32", RAX))
      : s.value(arg);
  if (arg.type === "f32") s.put("vmovss_store", [to, from]);
  else s.put(isVector(arg.type) ? "vmovups_store" : "mov_store", [to, from]);
}

export function loadArgument(s: Selector, into: Register, type: ValueType, from: Memory): void {
  if (type === "mask") s.put(s.wide ? "kmovw" : "vmovups_load", [into, from]);
  else if (type === "f32") s.put("vmovss_load", [into, from]);
  else s.put(isVector(type) ? "vmovups_load" : "mov_load", [into, from]);
}
