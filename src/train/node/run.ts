// A run's folder: what was asked, what was measured, the weights, and what it takes to go on; every file is replaced whole or not at all.

import { appendFile, mkdir, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { StoredTensor, TensorToStore } from "../../io/index.ts";
import { loadSafetensors, readBytes, reasonFor, saveSafetensors, writeFileAtomic } from "../../io/node.ts";
import type { StoredNumbers } from "../../nn/index.ts";
import { FileError, InputError } from "../../util/errors.ts";
import { packState, unpackState } from "../state-file.ts";
import type { EpochReport, Tensors, TrainingState } from "../types.ts";

/** Weights with the text that says how to build the model they belong to. */
export interface RunModel {
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  /** JSON that only the writer understands; undefined when the file has none. */
  readonly architecture: unknown;
}

const files = {
  config: "config.json",
  metrics: "metrics.jsonl",
  model: "model.safetensors",
  checkpoint: "checkpoint.safetensors",
  summary: "summary.json",
  text: "summary.txt",
} as const;

/** Holds the number of the process that trains into the folder. */
const claimFile = "training.pid";

/** A folder with all files of one training: settings, metrics, weights, checkpoint and summary. */
export class RunFolder {
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  /**
   * A new run in this folder, which is made when missing. `replace` gives up a run that is there.
   *
   * @throws InputError when the folder holds a run or other files; FileError when it cannot be made or written
   */
  static async create(path: string, { replace = false } = {}): Promise<RunFolder> {
    await makeFolder(path, true);
    const folder = new RunFolder(path);
    await folder.claim();
    const names = (await listFolder(path)).filter((name) => name !== claimFile);
    const isRun = names.includes(files.config);
    if (names.length > 0 && !replace) {
      await folder.release();
      throw isRun
        ? new InputError(`${path} already holds a run`, {
            hint: `another folder, --resume to go on with that run, or --force to replace it`,
          })
        : new InputError(`${path} is not empty: it holds ${names.slice(0, 3).join(", ")}${names.length > 3 ? ", …" : ""}`, {
            hint: "a folder of its own for the run, or --force",
          });
    }
    await folder.#checkWritable();
    if (isRun) for (const name of Object.values(files)) await rm(join(path, name), { force: true });
    return folder;
  }

  /** A new run in `parent/name-1`, or the first number that is free. */
  static async createNumbered(parent: string, name: string): Promise<RunFolder> {
    await makeFolder(parent, true);
    const taken = (await listFolder(parent)).flatMap((entry) => {
      const number = entry.startsWith(`${name}-`) ? Number(entry.slice(name.length + 1)) : Number.NaN;
      return Number.isInteger(number) ? [number] : [];
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
    if (names.includes(files.config)) return new RunFolder(path);
    throw new FileError(`${path} is not a run: it has no ${files.config}`, { hint: "give the folder that kasane train named at its end" });
  }

  /**
   * Keeps other processes from training into this folder until `release`, or until this process is gone.
   * @throws InputError when another process does
   */
  async claim(): Promise<void> {
    const path = join(this.path, claimFile);
    for (let attempt = 0; attempt < 3; attempt++) {
      try {
        await writeFile(path, String(process.pid), { flag: "wx" });
        return;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "EEXIST")
          throw new FileError(`cannot write ${path}: ${reasonFor(error)}`, { cause: error });
      }
      const owner = Number(await readFile(path, "utf8").catch(() => ""));
      if (owner === process.pid) return;
      if (isAlive(owner))
        throw new InputError(`process ${owner} is training into ${this.path}`, {
          hint: `another folder, or stop that process; if it is something else by now, delete ${path}`,
        });
      // Its process is gone, killed perhaps.
      await rm(path, { force: true });
    }
  }

  /** Ends the claim. */
  async release(): Promise<void> {
    await rm(join(this.path, claimFile), { force: true });
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
    await this.#write("metrics", history.map((report) => `${JSON.stringify(report)}\n`).join(""));
  }

  /** Adds one line of JSON for an epoch. @throws FileError when it cannot be written */
  async appendMetrics(report: EpochReport): Promise<void> {
    const path = join(this.path, files.metrics);
    await appendFile(path, `${JSON.stringify(report)}\n`).catch((error: unknown) => {
      throw new FileError(`cannot write ${path}: ${reasonFor(error)}`, { cause: error });
    });
  }

  /** The epochs on record; a last line that a crash cut short is left out. */
  async readMetrics(): Promise<EpochReport[]> {
    if (!(await this.has("metrics"))) return [];
    const path = join(this.path, files.metrics);
    const lines = new TextDecoder().decode(await readBytes(path)).split("\n");
    lines.pop();
    return lines.map((line, n) => parseJson(line, `${path}: line ${n + 1}`) as EpochReport);
  }

  /**
   * Writes the weights and what is needed to build the model again.
   * @param architecture JSON that says how to build the model
   * @throws FileError when it cannot be written
   */
  async saveModel(tensors: Tensors, architecture: unknown): Promise<void> {
    await saveSafetensors(join(this.path, files.model), tensorsToStore(tensors), {
      format: "kasane",
      architecture: JSON.stringify(architecture),
    });
  }

  /** The weights and the description of the model. @throws FileError when there are none yet or the file is damaged */
  async loadModel(): Promise<RunModel> {
    const path = join(this.path, files.model);
    if (!(await this.has("model"))) {
      const isResumable = await this.has("checkpoint");
      throw new FileError(`${this.path} has no ${isResumable ? "final weights" : "weights"} yet: ${files.model} is missing`, {
        hint: isResumable ? `it was interrupted; go on: kasane train --resume ${this.path}` : "let it train for at least one epoch",
      });
    }
    const { tensors, metadata } = await loadSafetensors(path);
    const text = metadata.get("architecture");
    return { tensors, architecture: text === undefined ? undefined : parseJson(text, `${path}: architecture`) };
  }

  /** Writes a state to go on from. @throws FileError when it cannot be written */
  async saveCheckpoint(state: TrainingState): Promise<void> {
    const { tensors, text } = packState(state);
    await saveSafetensors(join(this.path, files.checkpoint), tensorsToStore(tensors), { format: "kasane checkpoint", state: text });
  }

  /** @throws FileError when there is none or it is damaged */
  async loadCheckpoint(): Promise<TrainingState> {
    const path = join(this.path, files.checkpoint);
    if (!(await this.has("checkpoint")))
      throw new FileError(`${this.path} cannot be resumed: ${files.checkpoint} is missing`, { hint: "train anew" });
    const { tensors, metadata } = await loadSafetensors(path);
    return unpackState(tensors, metadata.get("state"), path);
  }

  /** The summary for programs and for people. */
  async writeSummary(summary: object, text: string): Promise<void> {
    await this.#write("text", text);
    await this.#write("summary", `${JSON.stringify(summary, undefined, 2)}\n`);
  }

  /** Undefined while the run has not come to its end. */
  async readSummary(): Promise<unknown> {
    return (await this.has("summary")) ? this.#readJson("summary") : undefined;
  }

  /** Whether the folder has that file already. */
  async has(file: keyof typeof files): Promise<boolean> {
    return (await listFolder(this.path)).includes(files[file]);
  }

  async #write(file: keyof typeof files, text: string): Promise<void> {
    await writeFileAtomic(join(this.path, files[file]), text);
  }

  async #readJson(file: keyof typeof files): Promise<unknown> {
    const path = join(this.path, files[file]);
    return parseJson(new TextDecoder().decode(await readBytes(path)), path);
  }

  /** Better now than after the first epoch. */
  async #checkWritable(): Promise<void> {
    const probe = join(this.path, `.write-test-${process.pid}`);
    await writeFileAtomic(probe, "");
    await rm(probe, { force: true });
  }
}

/** Whether there is such a process. */
function isAlive(pid: number): boolean {
  if (!Number.isInteger(pid) || pid < 1) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

function* tensorsToStore(
  tensors: ReadonlyMap<string, StoredNumbers & { readonly dtype?: string }>,
): Generator<readonly [string, TensorToStore]> {
  for (const [name, { shape, data, dtype }] of tensors)
    yield [name, { shape, data, ...(dtype === "bool" ? { dtype: "BOOL" as const } : {}) }];
}

/** False when it is there already. */
async function makeFolder(path: string, recursive: boolean): Promise<boolean> {
  try {
    if (recursive) await makeParents(path);
    await mkdir(path);
    return true;
  } catch (error) {
    const exists = (error as NodeJS.ErrnoException).code === "EEXIST";
    if (exists && (!recursive || (await isFolder(path)))) return false;
    const reason = exists ? "there is a file of that name" : reasonFor(error);
    throw new FileError(`cannot make the folder ${path}: ${reason}`, { hint: "choose another folder with --out", cause: error });
  }
}

/** Node 20's own recursive mkdir never returns where a folder cannot be made in one that exists (/proc). */
async function makeParents(path: string): Promise<void> {
  const parent = dirname(path);
  if (parent === path || (await isFolder(parent))) return;
  await makeParents(parent);
  await mkdir(parent).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "EEXIST") throw error;
  });
}

async function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
}

async function listFolder(path: string): Promise<string[]> {
  return readdir(path).catch((error: unknown) => {
    throw new FileError(`cannot read the folder ${path}: ${reasonFor(error)}`, { cause: error });
  });
}

function parseJson(text: string, where: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new FileError(`${where}: expected JSON, it is damaged or was edited`, { cause: error });
  }
}
