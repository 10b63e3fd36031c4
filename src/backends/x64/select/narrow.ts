// Elements narrower than a lane: loads that zero-extend them, and stores of the low bytes of lanes.

import { MEMORY_BYTES, type MemoryType, type Value } from "../../../kernels/language/language.ts";
import { type Memory, memory, type Register, register } from "../encode/registers.ts";
import { partialMask } from "./masks.ts";
import type { Selector } from "./selector.ts";

export type NarrowType = Extract<MemoryType, "u8" | "u16">;

export const isNarrow = (memory: MemoryType): memory is NarrowType => MEMORY_BYTES[memory] < 4;

const ROWS = {
  u8: { general: "movzx8", vector: "vpmovzxbd", store: "vpmovdb_store" },
  u16: { general: "movzx16", vector: "vpmovzxwd", store: "vpmovdw_store" },
} as const;

export function loadNarrowVector(s: Selector, type: NarrowType, into: Register, address: Memory, splat: boolean): void {
  if (!splat) {
    s.put(ROWS[type].vector, [into, address]);
    return;
  }
  const element = s.temporary("r32");
  loadNarrow(s, type, element, address);
  s.splatGeneral(into, element);
}

export function loadNarrow(s: Selector, type: NarrowType, into: Register, address: Memory): void {
  s.put(ROWS[type].general, [into, address]);
}

export function storeNarrow(s: Selector, type: NarrowType, to: Memory, from: Register): void {
  if (type === "u8") s.put("mov_store8", [to, register("r8", from.number)]);
  else s.put("mov_store16", [to, register("r16", from.number)]);
}

/** @param count of lanes; undefined: all */
export function storeNarrowVector(s: Selector, type: NarrowType, to: Memory, from: Register, count: Value | undefined): void {
  if (s.wide) {
    if (count === undefined) s.put(ROWS[type].store, [to, from]);
    else s.put(ROWS[type].store, [to, from], { register: partialMask(s, count).number, zero: false });
    return;
  }
  const packed = packedLanes(s, type, from);
  if (count === undefined) s.put(type === "u8" ? "vmovq_store" : "vmovups_store", [to, packed]);
  else storeFirst(s, type, to, packed, count);
}

/**
 * Eight lanes side by side in a register's low bytes, of which the count's bits tell how many to store: 8, else 4, 2
 * and 1.
 */
function storeFirst(s: Selector, type: NarrowType, to: Memory, packed: Register, count: Value): void {
  const bytes = MEMORY_BYTES[type];
  const left = s.temporary("r32");
  s.value(count, left);
  const place = s.temporary("r64");
  s.put("lea", [place, to]);
  const [all, end] = [s.label(), s.label()];
  s.put("cmp_imm", [left, 8]);
  s.put("jge", [all]);
  const whenBit = (lanes: number, then: () => void) => {
    const [skip, bit] = [s.label(), s.temporary("r32")];
    s.move(bit, left);
    s.put("and_imm", [bit, lanes]);
    s.put("je", [skip]);
    then();
    s.place(skip);
  };
  let rest = packed;
  if (type === "u16") {
    // Four lanes fill a general register: the upper four come after the lower ones were stored.
    rest = s.temporary("x");
    s.move(rest, packed);
    whenBit(4, () => {
      s.put("vmovq_store", [memory(place.number), rest]);
      s.put("vpunpckhqdq", [rest, rest, rest]);
      s.put("add_imm", [place, 8]);
    });
  }
  const data = s.temporary("r64");
  s.put("vmovq_general", [data, rest]);
  for (const lanes of type === "u8" ? [4, 2, 1] : [2, 1]) {
    const width = lanes * bytes;
    whenBit(lanes, () => {
      if (width === 4) s.put("mov_store", [memory(place.number), register("r32", data.number)]);
      else storeNarrow(s, width === 2 ? "u16" : "u8", memory(place.number), data);
      if (lanes === 1) return;
      s.put("shr_imm", [data, width * 8]);
      s.put("add_imm", [place, width]);
    });
  }
  s.put("jmp", [end]);
  s.place(all);
  s.put(type === "u8" ? "vmovq_store" : "vmovups_store", [memory(place.number), packed]);
  s.place(end);
}

/** Which bytes of four lanes are kept, as words of a byte shuffle. */
const PICKS = { u8: [0x0c080400, -1, -1, -1], u16: [0x05040100, 0x0d0c0908, -1, -1] } as const;

/** The low bytes of 8 lanes, in the low 8 or 16 bytes. */
function packedLanes(s: Selector, type: NarrowType, from: Register): Register {
  const [high, low, other, packed] = [s.temporary("x"), s.temporary("x"), s.temporary("x"), s.temporary("x")];
  const pick = s.pool.words([...PICKS[type]]);
  s.put("vextractf128", [high, from, 1]);
  s.put("vpshufb", [low, register("x", from.number), pick]);
  s.put("vpshufb", [other, high, pick]);
  s.put(type === "u8" ? "vpunpckldq" : "vpunpcklqdq", [packed, low, other]);
  return packed;
}
