// A run's folder: configuration, metrics, weights and checkpoints; every file is replaced whole or not at all.

import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import type { StoredTensor, TensorToStore } from "../../io/index.ts";
import { listFolder, makeFolder, removeFile, requireReplaceable } from "../../io/node/folders.ts";
import { isOrphan, removeOrphans } from "../../io/node/temporary.ts";
import { loadSafetensors, readBytes, reasonFor, saveSafetensors, writeFileAtomic } from "../../io/node.ts";
import type { StoredNumbers } from "../../nn/index.ts";
import { readable } from "../../tensor/arrivals.ts";
import { FileError, InputError } from "../../util/errors.ts";
import { nonFiniteAsText } from "../../util/json.ts";
import { checkOptions } from "../../util/options.ts";
import { readAs } from "../../util/schema.ts";
import { quoted } from "../../util/shell.ts";
import { tag } from "../../util/tag.ts";
import { fromUtf8 } from "../../util/text.ts";
import { packState, unpackState } from "../state-file.ts";
import { epochReport } from "../state-schema.ts";
import type { EpochReport, Tensors, TrainingState } from "../types.ts";
import { Claim, isClaim } from "./claim.ts";

/** Weights with the text that says how to build the model they belong to. */
export interface RunModel {
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  /** JSON that only the writer understands; undefined when the file has none. */
  readonly architecture: unknown;
}

const FILES = {
  config: "config.json",
  metrics: "metrics.jsonl",
  model: "model.safetensors",
  checkpoint: "checkpoint.safetensors",
  summary: "summary.json",
  text: "summary.txt",
} as const;

/** What is written into a folder that others can read is never written through a link of theirs to somewhere else. */
const inFolder = { followLinks: false } as const;
/** Of settings and summaries, which hold at most the names of classes and columns. */
const MOST_TEXT = 2 ** 26;
/** A pipe would wait for a reader. */
const appending = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0);

/** A folder with all files of one training: settings, metrics, weights, checkpoint and summary. */
export class RunFolder {
  readonly path: string;
  #claim: Claim | undefined;

  private constructor(path: string) {
    this.path = path;
  }

  /**
   * A new run in this folder, which is made when missing. `replace` gives up a run that is there.
   *
   * @throws InputError when the folder holds a run or other files; FileError when it cannot be made or written
   */
  static async create(path: string, options: { readonly replace?: boolean } = {}): Promise<RunFolder> {
    const { replace = false } = checkOptions<typeof options>("RunFolder.create", options, { replace: true });
    await makeFolder(path, true);
    // Before anything is written into a folder that is perhaps somebody's own, and again once nobody else can change
    // it.
    if (!replace) await checkEmpty(path);
    const folder = new RunFolder(path);
    await folder.claim();
    try {
      if (!replace) await checkEmpty(path);
      // Also without settings among them: a replacement may have been killed. Then nothing of the old run may meet the
      // new one.
      for (const name of Object.values(FILES)) await removeFile(join(path, name));
      return folder;
    } catch (error) {
      await folder.release();
      throw error;
    }
  }

  /** A new run in `parent/name-1`, or the first number that is free. */
  static async createNumbered(parent: string, name: string): Promise<RunFolder> {
    await makeFolder(parent, true);
    const taken = (await listFolder(parent)).flatMap((entry) => {
      const rest = entry.startsWith(`${name}-`) ? entry.slice(name.length + 1) : "";
      // Beyond 15 digits one more is the same number.
      return /^\d{1,15}$/.test(rest) ? [Number(rest)] : [];
    });
    for (let number = Math.max(0, ...taken) + 1; ; number++) {
      const path = join(parent, `${name}-${number}`);
      // Making the folder claims the number: of two runs that start together only one succeeds.
      if (!(await makeFolder(path, false))) continue;
      const folder = new RunFolder(path);
      await folder.claim();
      return folder;
    }
  }

  /** A run that is there. @throws FileError when the folder holds none */
  static async open(path: string): Promise<RunFolder> {
    const names = await listFolder(path);
    if (names.includes(FILES.config)) return new RunFolder(path);
    throw new FileError(`${path} is not a run: it has no ${FILES.config}`, { hint: "give the folder that kasane train named at its end" });
  }

  /**
   * Keeps other processes from training into this folder until `release`, or until this process is gone. What a process
   * that was killed left half written is removed.
   * @throws InputError when another process does; FileError when the folder cannot be written, or holds something else
   * under a file's name
   */
  async claim(): Promise<void> {
    // Now, not after hours of training.
    for (const name of Object.values(FILES)) await requireReplaceable(join(this.path, name));
    this.#claim = await Claim.of(this.path);
    await removeOrphans(this.path);
  }

  /** Ends the claim. */
  async release(): Promise<void> {
    await this.#claim?.release();
    this.#claim = undefined;
  }

  /** Writes the settings of the run as JSON. @throws FileError when it cannot be written */
  async writeConfig(config: object): Promise<void> {
    await this.#write("config", `${JSON.stringify(config, undefined, 2)}\n`);
  }

  /** The settings of the run. @throws FileError when they are missing or no JSON */
  async readConfig(): Promise<unknown> {
    return this.#readJson("config");
  }

  /** Replaces the table of epochs. */
  async writeMetrics(history: readonly EpochReport[]): Promise<void> {
    await this.#write("metrics", history.map(lineOf).join(""));
  }

  /** Adds one line of JSON for an epoch. @throws FileError when it cannot be written */
  async appendMetrics(report: EpochReport): Promise<void> {
    const path = join(this.path, FILES.metrics);
    try {
      const file = await open(path, appending);
      await file.writeFile(lineOf(report)).finally(() => file.close());
    } catch (error) {
      throw new FileError(`cannot write ${path}: ${reasonFor(error)}`, { cause: error });
    }
  }

  /** The epochs on record; a last line that a crash cut short is left out. */
  async readMetrics(): Promise<EpochReport[]> {
    if (!(await this.has("metrics"))) return [];
    const path = join(this.path, FILES.metrics);
    const lines = fromUtf8(await readBytes(path, { most: 2 ** 29 - 32 })).split("\n");
    lines.pop();
    const hint = "train anew, or leave the damaged lines out";
    return lines.map((line, n) => {
      const where = `${path}: line ${n + 1}`;
      return readAs(epochReport, parseJson(line, where), { where, hint });
    });
  }

  /**
   * Writes the weights and what is needed to build the model again.
   * @param architecture JSON that says how to build the model
   * @throws FileError when it cannot be written
   */
  async saveModel(tensors: Tensors, architecture: unknown): Promise<void> {
    const metadata = { format: "kasane", architecture: JSON.stringify(architecture) };
    await saveSafetensors(join(this.path, FILES.model), await tensorsToStore(tensors), metadata, inFolder);
  }

  /** The weights and the description of the model. @throws FileError when there are none yet or the file is damaged */
  async loadModel(): Promise<RunModel> {
    const path = join(this.path, FILES.model);
    if (!(await this.has("model"))) {
      const isResumable = await this.has("checkpoint");
      throw new FileError(`${this.path} has no ${isResumable ? "final weights" : "weights"} yet: ${FILES.model} is missing`, {
        hint: isResumable ? `it was interrupted; go on: kasane train --resume ${quoted(this.path)}` : "let it train for at least one epoch",
      });
    }
    const { tensors, metadata } = await loadSafetensors(path);
    const text = metadata.get("architecture");
    return { tensors, architecture: text === undefined ? undefined : parseJson(text, `${path}: architecture`) };
  }

  /** Writes a state to resume from. @throws FileError when it cannot be written */
  async saveCheckpoint(state: TrainingState): Promise<void> {
    const { tensors, text } = packState(state);
    const metadata = { format: "kasane checkpoint", state: text };
    await saveSafetensors(join(this.path, FILES.checkpoint), await tensorsToStore(tensors), metadata, inFolder);
  }

  /** @throws FileError when there is none or it is damaged */
  async loadCheckpoint(): Promise<TrainingState> {
    const path = join(this.path, FILES.checkpoint);
    if (!(await this.has("checkpoint")))
      throw new FileError(`${this.path} cannot be resumed: ${FILES.checkpoint} is missing`, { hint: "train anew" });
    const { tensors, metadata } = await loadSafetensors(path);
    return unpackState(tensors, metadata.get("state"), path);
  }

  /** The summary, as JSON and as text. */
  async writeSummary(summary: object, text: string): Promise<void> {
    await this.#write("text", text);
    await this.#write("summary", `${JSON.stringify(summary, undefined, 2)}\n`);
  }

  /** Undefined while the run has not ended. */
  async readSummary(): Promise<unknown> {
    return (await this.has("summary")) ? this.#readJson("summary") : undefined;
  }

  /** Whether the folder has that file already. */
  async has(file: keyof typeof FILES): Promise<boolean> {
    return (await listFolder(this.path)).includes(FILES[file]);
  }

  async #write(file: keyof typeof FILES, text: string): Promise<void> {
    await writeFileAtomic(join(this.path, FILES[file]), text, inFolder);
  }

  async #readJson(file: keyof typeof FILES): Promise<unknown> {
    const path = join(this.path, FILES[file]);
    return parseJson(fromUtf8(await readBytes(path, { most: MOST_TEXT })), path);
  }

  static {
    tag(RunFolder, "RunFolder", (candidate) => #claim in candidate);
  }
}

/** NaN and infinities are texts. */
function lineOf(report: EpochReport): string {
  return `${JSON.stringify(report, nonFiniteAsText)}\n`;
}

/** @throws InputError when there is more than what a killed process leaves */
async function checkEmpty(path: string): Promise<void> {
  const names = (await listFolder(path)).filter((name) => !isClaim(name) && !isOrphan(name));
  if (names.length === 0) return;
  if (names.includes(FILES.config))
    throw new InputError(`${path} already holds a run`, {
      hint: `another folder, --resume to go on with that run, or --force to replace it`,
    });
  throw new InputError(`${path} is not empty: it holds ${names.slice(0, 3).join(", ")}${names.length > 3 ? ", …" : ""}`, {
    hint: "a folder of its own for the run, or --force",
  });
}

async function tensorsToStore(
  tensors: ReadonlyMap<string, StoredNumbers & { readonly dtype?: string }>,
): Promise<(readonly [string, TensorToStore])[]> {
  await readable(tensors.values());
  return [...tensors].map(([name, { shape, data, dtype }]) => [
    name,
    { shape, data, ...(dtype === "bool" ? { dtype: "BOOL" as const } : {}) },
  ]);
}

function parseJson(text: string, where: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new FileError(`${where}: expected JSON, it is damaged or was edited`, { cause: error });
  }
}
