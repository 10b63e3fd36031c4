// Combines several lowered nests that write different elements into one phase.

import type { ModuleBuilder } from "../language/builder.ts";
import type { Value, Variable } from "../language/language.ts";
import * as v from "../language/values.ts";
import type { entryParameters, LoweredNest, Phase } from "../lowered.ts";

/** The parameters of a function, by name. */
export type Given = Readonly<Record<string, Variable>>;

/**
 * A lowered nest with what its entry takes before `begin` and `end`, from the parameters of the function that calls it.
 */
export interface NestCall {
  readonly lowered: LoweredNest;
  readonly pointers: (p: Given) => readonly Value[];
}

/**
 * Several nests that write different elements, in turn; neighbours that are cut alike slice by slice, which find what
 * they share in the cache.
 */
export function joinParts(
  name: string,
  parameters: ReturnType<typeof entryParameters>,
  parts: readonly NestCall[],
  module: ModuleBuilder,
): Phase {
  const groups: NestCall[][] = [];
  for (const part of parts) {
    const last = groups.at(-1);
    if (last?.[0]?.lowered.slices === part.lowered.slices) last.push(part);
    else groups.push([part]);
  }
  const slicesOf = (group: readonly NestCall[]): number => group[0]!.lowered.slices;
  const entry = module.define(
    name,
    parameters,
    (k, given) => {
      const p = given as Given;
      const call = (part: NestCall, begin: Value, end: Value) => k.call(part.lowered.entry, [...part.pointers(p), begin, end]);
      const all = (group: readonly NestCall[], from: Value, to: Value) => {
        if (group.length === 1) {
          call(group[0]!, from, to);
          return;
        }
        k.loop(from, to, 1, (slice) => {
          const next = k.let(v.add(slice, 1), "next");
          for (const part of group) call(part, slice, next);
        });
      };
      if (groups.length === 1) {
        all(groups[0]!, p.begin!, p.end!);
        return;
      }
      let start = 0;
      for (const group of groups) {
        const from = k.let(v.max(v.sub(p.begin!, start), 0), "from");
        const to = k.let(v.min(v.sub(p.end!, start), slicesOf(group)), "to");
        k.if(v.lt(from, to), () => all(group, from, to));
        start += slicesOf(group);
      }
    },
    true,
  );
  const perCall = groups.map((group) => Math.min(...group.map((part) => part.lowered.slicesPerCall)) / group.length);
  return {
    entry,
    slices: groups.reduce((sum, group) => sum + slicesOf(group), 0),
    slicesPerCall: Math.max(1, Math.floor(Math.min(...perCall))),
    work: parts.reduce((sum, part) => sum + part.lowered.work, 0),
    setup: 0,
  };
}
