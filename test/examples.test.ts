// Runs every program in examples/, the long ones at their smallest size, and looks at what they print and save.

import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";

/** What each program must print, word for word or as a pattern. */
const expected: Readonly<Record<string, readonly (string | RegExp)[]>> = {
  "forward-and-gradients": [
    "  u1 = [11, -14]",
    "  h1 = [11, 0]",
    "  y  = 33",
    "  squared error for t = 20: 169",
    "  y = 0.95257194",
    "  dL/dW2 = [-1.72104507e+00, -1.43112111e-06]",
    "  dL/dW1 = [-1.72463398e-04, -2.58695098e-04, -8.62316992e-05]",
    "           [-5.72447970e-06, -8.58671954e-06, -2.86223985e-06]",
  ],
  "gradient-descent": ["w = 3, gradient 3, learning rate 0.5: w becomes 1.5", "w = 1.5, gradient -1, learning rate 0.5: w becomes 2"],
  "vanishing-gradient": ["largest: 0.25", "through 2 sigmoid layers at most 0.0625 of a gradient is left"],
  "convolution-window": [
    "sums of the first window over the channels: -2, 0, 1",
    "with bias 1 the first output is -2 + 0 + 1 + 1 = 0",
    "5×5×3 becomes 3×3×2",
  ],
  "one-by-one-convolution": ["shape 1×2×4×4, largest difference below 0.000001"],
  pooling: ["224×224×64 becomes 112×112×64", "of 1, 3, 5, 7 the largest is 7, the average 4"],
  "cross-entropy": [/^softmax of 2, 1, 0.1: 0.6590, 0.2424, 0.0986; together 1.0000$/, /cross entropy.* 0\.4170$/, /textbook's.* 0\.1390$/],
  wine: [/^4 measurements -> 2 classes; .*together 1\.000$/, /^accuracy on held-out bottles: (9[3-9]\.\d|100\.0) %$/],
};

/** Programs that train: what they print at their smallest size, and the files they save. */
const trained: Readonly<Record<string, { readonly prints: readonly RegExp[]; readonly saves: readonly string[] }>> = {
  "digits-cnn": { prints: [/^epoch 1: loss \d\.\d{4}, \d+\.\d\d %$/, /^accuracy on digits/], saves: ["digits-cnn-mistakes.png"] },
  "denoising-autoencoder": { prints: [/^on digits it has not seen: noisy 0\.\d+, cleaned 0\.\d+$/], saves: ["denoising-autoencoder.png"] },
  vae: { prints: [/^epoch 1: reconstruction \d+\.\d, divergence \d+\.\d nats/], saves: ["vae-drawn.png", "vae-between.png"] },
  dcgan: { prints: [/^epoch 1: loss of the judge \d\.\d{3}, of the drawer \d\.\d{3}$/], saves: ["dcgan.png"] },
  "super-resolution": {
    prints: [/^bicubic interpolation: \d+\.\d\d dB, similarity 0\.\d{3}$/, /^network: -?\d+\.\d\d dB, similarity -?0\.\d{3}$/],
    saves: ["super-resolution.png"],
  },
  "image-to-image": { prints: [/^epoch 1: mean error 0\.\d{4}, of outlines it has not seen 0\.\d{4}$/], saves: ["image-to-image.png"] },
  "time-series": { prints: [/^mean error of the next 6 hours: \d+\.\d\d degrees; "as yesterday" \d+\.\d\d$/], saves: ["time-series.txt"] },
  "wine-regression": { prints: [/^2 epochs: mean error \d+\.\d\d years, R² -?\d+\.\d\d on wines/], saves: ["wine-regression.txt"] },
  "character-rnn": {
    prints: [/^step 3: \d\.\d{3} nats per letter$/, /^a table of pairs of letters would need \d\.\d{3}$/, /^The /],
    saves: ["character-rnn.txt"],
  },
  "small-gpt": { prints: [/^step 3: \d\.\d{3} nats per letter$/, /^The formula of a layer is /], saves: ["small-gpt.txt"] },
  voxels: { prints: [/^accuracy on solids it has not seen: \d+\.\d %$/], saves: ["voxels.png"] },
  signals: { prints: [/^accuracy on signals it has not seen: \d+\.\d %$/], saves: ["signals.txt"] },
  "transfer-learning": { prints: [/^25 pictures, nothing known: /, /^then all of it fine-tuned: /], saves: ["transfer-learning.txt"] },
};

const folder = new URL("../examples/", import.meta.url);
const output = mkdtempSync(join(tmpdir(), "kasane-examples-"));
beforeAll(() => {
  vi.stubEnv("KASANE_EXAMPLES", "small");
  vi.stubEnv("KASANE_OUTPUT", output);
});
afterEach(() => vi.restoreAllMocks());
afterAll(() => {
  vi.unstubAllEnvs();
  rmSync(output, { recursive: true });
});

/** Runs the program and gives what it printed. */
async function run(name: string): Promise<string[]> {
  const printed: string[] = [];
  vi.spyOn(console, "log").mockImplementation((line: unknown) => void printed.push(String(line)));
  const given = process.argv;
  process.argv = given.slice(0, 2);
  try {
    await import(new URL(`${name}.ts`, folder).href);
  } finally {
    process.argv = given;
  }
  return printed;
}

describe("examples", () => {
  it("are all listed here", () => {
    const names = readdirSync(folder).flatMap((file) => (file.endsWith(".ts") ? [file.slice(0, -3)] : []));
    expect(names.sort()).toEqual([...Object.keys(expected), ...Object.keys(trained)].sort());
  });

  it.each(Object.entries(expected))("%s prints the textbook's numbers", async (name, wanted) => {
    const printed = await run(name);
    for (const line of wanted) expect(printed).toContainEqual(typeof line === "string" ? line : expect.stringMatching(line));
  });

  it.each(Object.entries(trained))("%s trains and saves what it drew or found", async (name, { prints, saves }) => {
    const printed = await run(name);
    for (const line of prints) expect(printed).toContainEqual(expect.stringMatching(line));
    for (const file of saves) expect(existsSync(join(output, file)), file).toBe(true);
  });
});
