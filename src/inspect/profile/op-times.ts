// Time per recorded op, from a profile of the compiled step: a kernel's time is shared by the ops fused into it.

import { checkArguments } from "../../util/arguments.ts";
import { OPS, PROFILE } from "../kinds.ts";
import type { RecordedOp } from "../record/recording.ts";
import type { KernelOrigin, StepProfile } from "./profile.ts";

/**
 * Milliseconds of each op. A kernel counts for each of its origins alike; ops that are alike (same op, layer, pass and
 * line) share what was found for them. Ops that the compiler left out take none.
 */
export function opTimes(ops: readonly RecordedOp[], profile: Pick<StepProfile, "kernels">): ReadonlyMap<RecordedOp, number> {
  checkArguments("opTimes", { ops: [ops, OPS], profile: [profile, PROFILE] });
  const { kernels } = profile;
  const times = new Map<RecordedOp, number>(ops.map((op) => [op, 0]));
  const exact = grouped(ops, (op) => [keyOf(op.op.name, op.path, op.pass), op.site].join("\n"));
  const alike = grouped(ops, (op) => keyOf(op.op.name, op.path, op.pass));
  for (const { milliseconds, origins } of kernels)
    for (const origin of origins) {
      const key = keyOf(origin.op, origin.layer, origin.pass);
      // A recorded line may be missing where the compiled step's is known, or the other way round.
      const found = exact.get([key, origin.line].join("\n")) ?? alike.get(key) ?? [];
      for (const op of found) times.set(op, times.get(op)! + milliseconds / origins.length / found.length);
    }
  return times;
}

function keyOf(op: string, layer: string, pass: KernelOrigin["pass"]): string {
  return [pass, layer, op].join("\n");
}

function grouped(ops: readonly RecordedOp[], keyFor: (op: RecordedOp) => string): ReadonlyMap<string, readonly RecordedOp[]> {
  const groups = new Map<string, RecordedOp[]>();
  for (const op of ops) {
    const key = keyFor(op);
    groups.set(key, [...(groups.get(key) ?? []), op]);
  }
  return groups;
}
