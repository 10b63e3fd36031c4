// The zoo's fourth house: the trainings of examples/, with their own models and data, cut so that they are quick.

import { vi } from "vitest";
import { type Dataset, type DigitsOptions, digits } from "../../src/data/index.ts";
import { examine, type Finding } from "../../src/inspect/index.ts";
import { manualSeed, normal } from "../../src/tensor/index.ts";
import { type EpochReport, type FitOptions, fit, type Model, type Samples } from "../../src/train/index.ts";

/** Programs that train by fit, and how many samples and epochs are enough for each training to learn. */
export const healthyExamples = {
  "digits-cnn": { samples: 400, epochs: 4 },
  "denoising-autoencoder": { samples: 300, epochs: 6 },
  "image-to-image": { samples: 160, epochs: 4 },
  signals: { samples: 600, epochs: 6 },
  "super-resolution": { samples: 200, epochs: 4 },
  "time-series": { samples: 600, epochs: 4 },
  "transfer-learning": { samples: 600, epochs: 6 },
  voxels: { samples: 320, epochs: 8 },
  "wine-regression": { samples: 1500, epochs: 12 },
  wine: { samples: 800, epochs: 12 },
} as const;

export type HealthyExample = keyof typeof healthyExamples;

/** A training of a program: what is found in its first epochs, and in one more of the model that it gives. */
interface ExampleFindings {
  readonly name: string;
  readonly halfTrained: readonly Finding[];
  readonly trained: readonly Finding[];
}

let [given, size, seed]: [ExampleFindings[], (typeof healthyExamples)[HealthyExample], number] = [[], healthyExamples.wine, 1];
let name = "";

async function examined(
  model: Model,
  data: Dataset<Samples>,
  { callbacks: _, earlyStopping: __, ...options }: FitOptions,
): Promise<{ history: EpochReport[] }> {
  const some = cut(data, size.samples);
  const all = Math.min(options.epochs, size.epochs);
  const own = { ...options, seed };
  const { findings, history } = await examine(model, some, { ...own, epochs: Math.ceil(all / 2) });
  if (all > 1) await fit(model, some, { ...own, epochs: Math.floor(all / 2) });
  const after = await examine(model, some, { ...own, epochs: 1, trained: true });
  const nth = given.length === 0 ? "" : `, training ${given.length + 1}`;
  given.push({ name: `examples/${name}.ts${nth}`, halfTrained: findings, trained: after.findings });
  return { history: [...history] };
}

/** So many samples, drawn by the seed. */
function cut(data: Dataset<Samples>, most: number): Dataset<Samples> {
  if (data.size <= most) return data;
  manualSeed(seed);
  const keys = normal([data.size]).data;
  const order = Int32Array.from({ length: data.size }, (_, n) => n).sort((a, b) => (keys[a] as number) - (keys[b] as number));
  return data.subset(order.slice(0, most));
}

/** Runs a program whose fit examines; its own seeds are moved by the seed, and it saves nothing. */
export async function exampleFindings(program: HealthyExample, ofSeed: number): Promise<readonly ExampleFindings[]> {
  [given, size, seed, name] = [[], healthyExamples[program], ofSeed, program];
  vi.doMock("../../src/train/index.ts", async (original) => ({ ...(await original<object>()), fit: examined }));
  vi.doMock("../../src/data/index.ts", async (original) => ({
    ...(await original<object>()),
    digits: (own: DigitsOptions) => digits({ ...own, count: Math.min(own.count, 2 * size.samples), seed: (own.seed ?? 1) + ofSeed - 1 }),
  }));
  vi.doMock("../../src/index.ts", async (original) => ({
    ...(await original<object>()),
    manualSeed: (own: number) => manualSeed(own + ofSeed - 1),
  }));
  vi.doMock("../../examples/support/output.ts", async (original) => ({
    ...(await original<object>()),
    savePicture: nothing,
    saveText: nothing,
  }));
  const log = vi.spyOn(console, "log").mockImplementation(() => {});
  const args = process.argv;
  process.argv = args.slice(0, 2);
  try {
    await import(new URL(`../../examples/${program}.ts?seed=${ofSeed}`, import.meta.url).href);
  } finally {
    process.argv = args;
    log.mockRestore();
    vi.doUnmock("../../src/data/index.ts");
    vi.doUnmock("../../src/train/index.ts");
    vi.doUnmock("../../src/index.ts");
    vi.doUnmock("../../examples/support/output.ts");
  }
  return given;
}

const nothing = async (): Promise<void> => {};
