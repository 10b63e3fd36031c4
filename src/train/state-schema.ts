// Schemas of checkpoint notes and of lines of metrics.jsonl.

import * as v from "valibot";
import { anyNumber, fields, fieldsAnd, finite, list, numberFrom, type Schema, text, whole } from "../util/schema.ts";
import type { EpochReport, TrainingState } from "./types.ts";

/** A checkpoint without its tensors. */
export type StateNotes = Omit<TrainingState, "model" | "optimizer" | "bestModel" | "averages"> & {
  readonly optimizer: Omit<TrainingState["optimizer"], "tensors">;
  readonly averageUpdates?: number;
};

const MOST = Number.MAX_SAFE_INTEGER;
const seed = whole(0, 0xffffffff);
const seconds = numberFrom(0, MOST);

/** JSON has no NaN and no infinity: they are texts. Earlier versions wrote null for all of them. */
const score: Schema<number> = v.pipe(
  v.custom<number | string | null>(
    (value) => value === null || typeof value === "number" || ["NaN", "Infinity", "-Infinity"].includes(value as string),
    "a number",
  ),
  v.transform((value) => (value === null ? Number.NaN : Number(value))),
);

const scores = fieldsAnd({ loss: score }, score) as unknown as Schema<EpochReport["train"]>;

export const epochReport: Schema<EpochReport> = fields({
  epoch: whole(1, MOST),
  learningRate: numberFrom(0, Number.MAX_VALUE),
  seconds,
  train: scores,
  validation: v.optional(scores),
});

export const stateNotes: Schema<StateNotes> = fields({
  seed,
  epochs: whole(0, MOST),
  batches: whole(0, MOST),
  epochSeconds: seconds,
  random: fields({ seed, stream: seed }),
  sums: list(list(anyNumber, "a list of numbers"), "lists of numbers"),
  history: list(epochReport, "a list of epochs"),
  best: v.optional(fields({ epoch: whole(1, MOST), monitor: text, value: anyNumber })),
  optimizer: fields({
    kind: text,
    groups: list(
      fieldsAnd({ learningRate: numberFrom(0, Number.MAX_VALUE) }, v.union([finite, v.boolean()], "a number, true or false")),
      "a list of groups",
    ),
    steps: v.record(v.string(), whole(0, MOST), "numbers of steps by name"),
  }),
  averageUpdates: v.optional(whole(0, MOST)),
}) as unknown as Schema<StateNotes>;
