// Clears and copies whole buffers, in blocks that several threads share.

import type { FunctionBuilder, ModuleBuilder } from "../../kernels/language/builder.ts";
import type { Value } from "../../kernels/language/language.ts";
import * as v from "../../kernels/language/values.ts";
import { requireSize } from "../../kernels/lowered.ts";
import type { Reach } from "./program.ts";
import type { Piece, Span } from "./share.ts";

const BLOCK = 2 ** 16;

/** @param write does the bytes [from, to); sizes are rounded up to whole vectors, into the slack */
function inBlocks(
  bytes: number,
  reads: readonly Span[],
  writes: readonly Span[],
  write: (k: FunctionBuilder, from: Value, to: Value) => void,
): Piece {
  requireSize(bytes, "a tensor");
  const slices = Math.max(1, Math.ceil(bytes / BLOCK));
  return {
    slices,
    perCall: slices,
    work: bytes / 4,
    setup: 0,
    reads,
    writes,
    write: (k, begin, end) => write(k, v.mul(begin, BLOCK), v.min(v.mul(end, BLOCK), bytes)),
  };
}

/** Fills a buffer with zeros. @param clear what `defineClear` gave */
export function clearing(clear: string, buffer: number, bytes: number, { address, span }: Reach): Piece {
  return inBlocks(bytes, [], [span(buffer)], (k, from, to) => k.call(clear, [address(k, buffer), from, to]));
}

/** A function that fills bytes [from, to) with zeros. */
export function defineClear(module: ModuleBuilder): string {
  const step = module.machine.lanes * 4;
  return module.define("clear", { start: "pointer", from: "i32", to: "i32" }, (k, { start, from, to }) => {
    k.loop(from, to, step, (i) => k.store(v.at(start, i), v.constant("vf32", 0)));
  });
}

/** Copies a buffer into a cell. */
export function copying(from: number, cell: number, bytes: number, { address, span }: Reach): Piece {
  return inBlocks(bytes, [span(from)], [span(cell)], (k, begin, end) => {
    const [source, target] = [k.let(address(k, from), "from"), k.let(address(k, cell), "to")];
    k.loop(begin, end, k.machine.lanes * 4, (i) => k.store(v.at(target, i), v.loadVector(v.at(source, i))));
  });
}
