// Selects the instructions of stores: whole, partial, streamed and narrowed.

import type { Statement } from "../../../kernels/language/language.ts";
import { isVector } from "../../../kernels/language/values.ts";
import { partialMask } from "./masks.ts";
import { isNarrow, storeNarrow, storeNarrowVector } from "./narrow.ts";
import type { Selector } from "./selector.ts";

/** A scalar, a vector, its first lanes, or the low bytes of any of these. */
export function selectStore(s: Selector, { memory: how, address, value, count, stream }: Extract<Statement, { kind: "store" }>): void {
  const from = s.value(value);
  const to = s.address(address);
  if (isNarrow(how)) {
    if (isVector(value.type)) storeNarrowVector(s, how, to, from, count);
    else storeNarrow(s, how, to, from);
  } else if (!isVector(value.type)) {
    s.put(how === "f32" ? "vmovss_store" : "mov_store", [to, from]);
  } else if (count === undefined) {
    s.put(stream ? "vmovntps" : "vmovups_store", [to, from]);
  } else {
    const mask = partialMask(s, count);
    if (s.wide) s.put("vmovups_store", [to, from], { register: mask.number, zero: false });
    else s.put("vmaskmovps_store", [to, mask, from]);
  }
}
