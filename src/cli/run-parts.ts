// The parts of a run that commands use: its configuration, its model with its weights or fresh ones, and its data.

import { resolve } from "node:path";
import type { Layer } from "../nn/index.ts";
import { manualSeed } from "../tensor/index.ts";
import { RunFolder } from "../train/node.ts";
import { FileError } from "../util/errors.ts";
import { checkDataPlace, type RunConfig, readConfig } from "./config.ts";
import { type Architecture, buildModel, readArchitecture } from "./models.ts";
import { loadSource, type Source } from "./sources.ts";

export interface RunParts {
  readonly folder: RunFolder;
  readonly config: RunConfig;
  readonly model: Layer;
  readonly source: Source;
}

/** @throws FileError when the folder holds no run, or its files are damaged or gone */
export async function openRun(cwd: string, name: string, weights: "trained" | "fresh"): Promise<RunParts> {
  const { folder, config } = await openFolder(cwd, name);
  manualSeed(config.seed);
  const model = weights === "fresh" ? buildModel(config.architecture) : await trainedModel(folder, config, name);
  return { folder, config, model, source: await sourceOf(config, name) };
}

/** @throws FileError when the folder holds no run, or its settings are not those of one */
export async function openFolder(cwd: string, name: string): Promise<{ readonly folder: RunFolder; readonly config: RunConfig }> {
  const folder = await RunFolder.open(resolve(cwd, name));
  return { folder, config: readConfig(await folder.readConfig(), `${name}/config.json`) };
}

/** The data of a run, as they are now. @throws FileError or InputError when they are missing or malformed */
export async function sourceOf(config: RunConfig, name: string): Promise<Source> {
  await checkDataPlace(config, `${name}/config.json`);
  return loadSource(config.data);
}

/** The model with the weights that were trained. @throws FileError when there are none, or those of another model */
export async function trainedModel(folder: RunFolder, { architecture }: RunConfig, name: string): Promise<Layer> {
  const where = `${name}/model.safetensors`;
  const stored = await folder.loadModel();
  const differing = (Object.entries(readArchitecture(stored.architecture, where)) as [keyof Architecture, unknown][]).find(
    ([field, value]) => String(value) !== String(architecture[field] ?? value),
  );
  if (differing !== undefined)
    throw new FileError(
      `${where}: its ${differing[0]} is ${differing[1]}, that of ${name}/config.json is ${architecture[differing[0]]}: they belong to two runs`,
      { hint: "put both files back as kasane train wrote them" },
    );
  const model = buildModel(architecture);
  model.loadStateDict(stored.tensors);
  return model;
}
