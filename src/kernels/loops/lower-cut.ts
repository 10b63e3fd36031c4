// Lowers a long reduction to few results in two phases that threads share: parts, and what they come to.

import { byteLength } from "../../nest/arrays.ts";
import type { Nest, Operand } from "../../nest/nest.ts";
import { findsPositions } from "../expressions/access.ts";
import type { ModuleBuilder } from "../language/builder.ts";
import { aligned, SLACK } from "../language/language.ts";
import * as v from "../language/values.ts";
import { entryParameters, type LoweredNest, nameOf, outNames } from "../lowered.ts";
import { cutReduction } from "./cut.ts";
import { type Given, joinParts, type NestCall } from "./join-parts.ts";
import { lowerPart } from "./lower-part.ts";
import { planLoops } from "./plan.ts";
import { canonicalize } from "./schedule.ts";
import { planSlices } from "./slices.ts";
import { planTranspose } from "./transpose.ts";

/**
 * Elements that a part of a cut reduction works on at least, and the most parts there are: enough for threads to end
 * together.
 */
const LEAST_CUT = 2 ** 16;
const MOST_PARTS = 256;
/** A nest in fewer slices leaves threads idle. */
const FEW_SLICES = 8;

/** A long reduction to few results, in two phases: parts, and what they come to. Undefined for others. */
export function lowerCut(original: Nest, module: ModuleBuilder): LoweredNest | undefined {
  const { reducer, output } = original;
  if (reducer === undefined || findsPositions(original) || output.accumulate) return undefined;
  const { nest, sources } = canonicalize(original);
  const extentOf = (axis: number) => nest.axes[axis]!.extent;
  const elements = nest.axes.reduce((product, axis) => product * axis.extent, 1);
  const wanted = Math.min(MOST_PARTS, Math.floor(elements / LEAST_CUT));
  if (wanted < 2) return undefined;
  const plan = planLoops(nest, module.machine);
  const { slices } = planSlices(nest, plan, planTranspose(nest, plan, module.machine), module.machine.lanes);
  if (slices >= FEW_SLICES) return undefined;
  const longest = plan.reduced.reduce((a, b) => (extentOf(b) > extentOf(a) ? b : a));
  const axis = plan.reduced.find((each) => extentOf(each) >= wanted) ?? longest;
  const unit = axis === plan.vector ? module.machine.lanes * plan.unroll : 1;
  const length = Math.ceil(extentOf(axis) / wanted / unit) * unit;
  if (length >= extentOf(axis)) return undefined;
  const cut = cutReduction(nest, axis, length);
  const parameters = entryParameters(original, true);
  const operands = (p: Given) => sources.map((source) => p[`in${source}`]!);
  const { places, bytes } = placesOf(cut.partials);
  const partialAt = (p: Given, place: number) => v.advance(p.shared!, place);
  const outs = outNames(original);
  const parts = cut.parts.map((part): NestCall => {
    const pointers = (p: Given) => outs.map((out, number) => (places[number] === undefined ? p[out]! : partialAt(p, places[number])));
    return { lowered: lowerPart(part, module, false), pointers: (p) => [...operands(p), ...pointers(p), p.params!, p.scratch!] };
  });
  const known = places.filter((place) => place !== undefined);
  const late = outs.filter((_, number) => places[number] !== undefined);
  const last: NestCall = {
    lowered: lowerPart(cut.last, module, false),
    pointers: (p) => [...operands(p), ...known.map((place) => partialAt(p, place)), ...late.map((out) => p[out]!), p.params!, p.scratch!],
  };
  return {
    ...joinParts(nameOf(nest), parameters, [last], module),
    before: [joinParts(`${nameOf(nest)}_parts`, parameters, parts, module)],
    sharedBytes: bytes,
    scratchBytes: 0,
    sequential: false,
    notes: [`parts of ${nest.axes[axis]!.name}`, ...[...parts, last].flatMap((part) => part.lowered.notes)],
  };
}

/** Where in shared memory the results of parts lie. */
function placesOf(partials: readonly (Operand | undefined)[]): {
  readonly places: readonly (number | undefined)[];
  readonly bytes: number;
} {
  let bytes = 0;
  const places = partials.map((partial) => {
    if (partial === undefined) return undefined;
    const place = bytes;
    bytes += aligned(byteLength(partial) + SLACK);
    return place;
  });
  return { places, bytes };
}
