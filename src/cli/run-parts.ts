// The parts of a run that commands train on: its configuration, its model with its weights or fresh ones, and its data.

import { resolve } from "node:path";
import type { Layer } from "../nn/index.ts";
import { manualSeed } from "../tensor/index.ts";
import { RunFolder } from "../train/node.ts";
import { type RunConfig, readConfig } from "./config.ts";
import { buildModel, readArchitecture } from "./models.ts";
import { loadSource, type Source } from "./sources.ts";

export interface RunParts {
  readonly folder: RunFolder;
  readonly config: RunConfig;
  readonly model: Layer;
  readonly source: Source;
}

/** @throws FileError when the folder holds no run, or its files are damaged or gone */
export async function openRun(cwd: string, name: string, weights: "trained" | "fresh"): Promise<RunParts> {
  const folder = await RunFolder.open(resolve(cwd, name));
  const config = readConfig(await folder.readConfig(), `${name}/config.json`);
  manualSeed(config.seed);
  if (weights === "fresh") {
    const model = buildModel(readArchitecture(config.architecture, `${name}/config.json`));
    return { folder, config, model, source: await loadSource(config.data) };
  }
  const stored = await folder.loadModel();
  const model = buildModel(readArchitecture(stored.architecture, `${name}/model.safetensors`));
  model.loadStateDict(stored.tensors);
  return { folder, config, model, source: await loadSource(config.data) };
}
