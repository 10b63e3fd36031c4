// Selects the instructions of stores: whole, partial, streamed and narrowed to bytes.
import type { Statement, Value } from "../../kernels/language.ts";
import { isVector } from "../../kernels/values.ts";
import { partialMask } from "./masks.ts";
import { type Memory, memory, type Register, register } from "./registers.ts";
import type { Selector } from "./selector.ts";

/** A scalar, a vector, its first lanes, or the low bytes of either. */
export function selectStore(s: Selector, { memory: how, address, value, count, stream }: Extract<Statement, { kind: "store" }>): void {
  if (!isVector(value.type)) {
    const from = s.value(value);
    const to = s.address(address);
    if (how === "f32") s.put("vmovss_store", [to, from]);
    else if (how === "i32") s.put("mov_store", [to, from]);
    else s.put("mov_store8", [to, register("r8", from.number)]);
    return;
  }
  const from = s.value(value);
  const to = s.address(address);
  if (count !== undefined) {
    storePartial(s, how === "u8", to, from, count);
  } else if (how !== "u8") {
    s.put(stream ? "vmovntps" : "vmovups_store", [to, from]);
  } else if (s.wide) {
    s.put("vpmovdb_store", [to, from]);
  } else {
    s.put("vmovq_store", [to, packedBytes(s, from)]);
  }
}

function storePartial(s: Selector, bytes: boolean, to: Memory, from: Register, count: Value): void {
  if (s.wide || !bytes) {
    const mask = partialMask(s, count);
    if (!s.wide) s.put("vmaskmovps_store", [to, mask, from]);
    else s.put(bytes ? "vpmovdb_store" : "vmovups_store", [to, from], { register: mask.number, zero: false });
    return;
  }
  // Eight bytes in rax, of which the count's bits tell how many to store: 8, then 4, 2 and 1.
  const low = packedBytes(s, from);
  const left = s.temporary("r32");
  s.value(count, left);
  const place = s.temporary("r64");
  s.put("lea", [place, to]);
  const data = s.temporary("r64");
  s.put("vmovq_general", [data, low]);
  const end = s.label();
  const all = s.label();
  s.put("cmp_imm", [left, 8]);
  s.put("jge", [all]);
  for (const [width, name, kind] of [
    [4, "mov_store", "r32"],
    [2, "mov_store16", "r16"],
    [1, "mov_store8", "r8"],
  ] as const) {
    const skip = s.label();
    const bit = s.temporary("r32");
    s.move(bit, left);
    s.put("and_imm", [bit, width]);
    s.put("je", [skip]);
    s.put(name, [memory(place.number), register(kind, data.number)]);
    if (width > 1) {
      s.put("shr_imm", [data, width * 8]);
      s.put("add_imm", [place, width]);
    }
    s.place(skip);
  }
  s.put("jmp", [end]);
  s.place(all);
  s.put("vmovq_store", [memory(place.number), low]);
  s.place(end);
}

/** The low bytes of 8 lanes, in the low 8 bytes. */
function packedBytes(s: Selector, from: Register): Register {
  const [high, bytes, other, packed] = [s.temporary("x"), s.temporary("x"), s.temporary("x"), s.temporary("x")];
  const pick = s.pool.words([0x0c080400, -1, -1, -1]);
  s.put("vextractf128", [high, from, 1]);
  s.put("vpshufb", [bytes, register("x", from.number), pick]);
  s.put("vpshufb", [other, high, pick]);
  s.put("vpunpckldq", [packed, bytes, other]);
  return packed;
}
