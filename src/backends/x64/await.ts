// The routine behind every `await`: spins for a while, then yields the processor between looks.

import type { Assembler } from "./encode/assembler.ts";
import { memory, R11, RAX, RCX, RDX, RSP, register } from "./encode/registers.ts";
import { YIELD_NUMBER } from "./runtime/system-calls.ts";
import type { Callee } from "./select/calls.ts";

/** Looks before the first yield, some tens of microseconds, and between later ones. */
const [patience, impatience] = [1000, 50];

export const AWAIT_PARAMETERS: Callee["parameters"] = ["pointer", "i32"];

/**
 * await(pointer, value), called as functions of a module call each other. Loads on x86 are never taken before earlier
 * ones.
 */
export function writeAwait(assembler: Assembler, entry: Callee["entry"]): void {
  const [eax, ecx] = [register("r32", RAX), register("r32", RCX)];
  const [again, done] = [assembler.label("await_again"), assembler.label("await_done")];
  const r64 = (number: number) => register("r64", number);
  const look = () => assembler.emit("cmp", [eax, memory(RDX, 0)]);
  assembler.align(16);
  assembler.place(entry);
  assembler.emit("mov_load", [r64(RDX), memory(RSP, 8)]);
  assembler.emit("mov_load", [eax, memory(RSP, 16)]);
  assembler.emit("push", [r64(RCX)]);
  look();
  assembler.emit("jle", [done]);
  assembler.emit("mov_imm", [ecx, patience]);
  assembler.place(again);
  assembler.emit("pause", []);
  look();
  assembler.emit("jle", [done]);
  assembler.emit("sub_imm", [ecx, 1]);
  assembler.emit("jne", [again]);
  assembler.emit("push", [r64(R11)]);
  assembler.emit("push", [r64(RAX)]);
  assembler.emit("mov_imm", [eax, YIELD_NUMBER]);
  assembler.emit("syscall", []);
  assembler.emit("pop", [r64(RAX)]);
  assembler.emit("pop", [r64(R11)]);
  assembler.emit("mov_imm", [ecx, impatience]);
  assembler.emit("jmp", [again]);
  assembler.place(done);
  assembler.emit("pop", [r64(RCX)]);
  assembler.emit("ret", []);
}
