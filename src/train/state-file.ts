// A training state as named tensors and one text, for checkpoint files.

import type { StoredNumbers } from "../nn/index.ts";
import type { HostArray, Tensor } from "../tensor/index.ts";
import { tensor } from "../tensor/index.ts";
import { FileError } from "../util/errors.ts";
import { type Origin, readAs, wrongField } from "../util/schema.ts";
import { type StateNotes, stateNotes } from "./state-schema.ts";
import type { TrainingState } from "./types.ts";

const PARTS = ["model", "optimizer", "best", "averages"] as const;

/** Tensor names begin with "model/", "optimizer/", "best/" or "averages/". */
export function packState(state: TrainingState): { readonly tensors: ReadonlyMap<string, StoredNumbers>; readonly text: string } {
  const { model, optimizer, bestModel, averages, ...rest } = state;
  const { tensors: moments, ...settings } = optimizer;
  const none = new Map<string, Tensor>();
  const named = { model, optimizer: moments, best: bestModel ?? none, averages: averages?.tensors ?? none };
  const tensors = new Map(PARTS.flatMap((part) => [...named[part]].map(([name, value]) => [`${part}/${name}`, value] as const)));
  // JSON has no NaN and no infinity; a metric may be either.
  const text = JSON.stringify({ ...rest, optimizer: settings, averageUpdates: averages?.updates }, (_, value: unknown) =>
    typeof value === "number" && !Number.isFinite(value) ? { number: String(value) } : value,
  );
  return { tensors, text };
}

/** @throws FileError when something is missing, or is not what it should be */
export function unpackState(
  stored: ReadonlyMap<string, { readonly shape: readonly number[]; readonly data: HostArray; readonly dtype: string }>,
  text: string | undefined,
  where: string,
): TrainingState {
  const { averageUpdates, ...notes } = readNotes(text, where);
  const found: Record<(typeof PARTS)[number], Map<string, Tensor>> = {
    model: new Map(),
    optimizer: new Map(),
    best: new Map(),
    averages: new Map(),
  };
  for (const [path, { shape, data, dtype }] of stored) {
    const slash = path.indexOf("/");
    const part = PARTS.find((name) => name === path.slice(0, slash));
    if (part === undefined) throw damaged(where, `the tensor "${path}" belongs to no part of a checkpoint`);
    found[part].set(path.slice(slash + 1), tensor(data, shape, dtype === "BOOL" ? { dtype: "bool" } : {}));
  }
  return {
    ...notes,
    model: found.model,
    optimizer: { ...notes.optimizer, tensors: found.optimizer },
    ...(found.best.size > 0 ? { bestModel: found.best } : {}),
    ...(averageUpdates === undefined ? {} : { averages: { updates: averageUpdates, tensors: found.averages } }),
  };
}

function readNotes(text: string | undefined, where: string): StateNotes {
  if (text === undefined) throw damaged(where, "it has no notes");
  const notes = readAs(stateNotes, parseNotes(text, where), notesOf(where));
  const { epochs, history } = notes;
  if (history.length !== epochs || history.some(({ epoch }, n) => epoch !== n + 1))
    throw wrongField(
      notesOf(where),
      "history",
      `the ${epochs} epochs that are done, from 1 on`,
      history.map(({ epoch }) => epoch),
    );
  return notes;
}

function parseNotes(text: string, where: string): unknown {
  try {
    return JSON.parse(text, (_, value: unknown) => {
      const number = (value as { number?: unknown } | null)?.number;
      return typeof number === "string" ? Number(number) : value;
    });
  } catch (error) {
    throw damaged(where, "its notes are not JSON", error);
  }
}

const HINT = "train anew, or use a run whose files are whole";

function notesOf(where: string): Origin {
  return { where: `${where}: not a checkpoint of a training`, hint: HINT };
}

function damaged(where: string, reason: string, cause?: unknown): FileError {
  return new FileError(`${where}: not a checkpoint of a training: ${reason}`, { hint: HINT, cause });
}
