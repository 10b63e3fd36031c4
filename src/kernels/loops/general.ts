// The general lowering of a nest: loops over its free axes, by residue classes or in phases where that pays.

import type { Nest } from "../../nest/nest.ts";
import type { ModuleBuilder } from "../language/builder.ts";
import { entryParameters, type LoweredNest, nameOf } from "../lowered.ts";
import { joinParts, type NestCall } from "./join-parts.ts";
import { lowerCut } from "./lower-cut.ts";
import { lowerPart, type Rows } from "./lower-part.ts";
import { splitQuotients } from "./split-quotients.ts";

export type { Rows } from "./lower-part.ts";

export function lowerLoops(nest: Nest, module: ModuleBuilder): LoweredNest {
  const parts = splitQuotients(nest) ?? [nest];
  if (parts.length === 1) return lowerCut(parts[0]!, module) ?? lowerPart(parts[0]!, module, true);
  const parameters = entryParameters(nest);
  const names = Object.keys(parameters).filter((name) => name !== "begin" && name !== "end");
  const joined = parts.map(
    (part): NestCall => ({ lowered: lowerPart(part, module, false), pointers: (p) => names.map((name) => p[name]!) }),
  );
  const notes = [`${parts.length} parts`, ...joined.flatMap((part) => part.lowered.notes)];
  return {
    ...joinParts(`${nameOf(nest)}_classes`, parameters, joined, module),
    scratchBytes: 0,
    sequential: nest.output.accumulate,
    notes,
  };
}

/** A nest without divided indices, in slices of so many rows. */
export function lowerRows(nest: Nest, rows: Rows, module: ModuleBuilder): LoweredNest {
  return lowerPart(nest, module, true, rows);
}
