// Run folders that somebody changed: each wrong field is named in one sentence, and no memory is taken for what it claims.

import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { loadSafetensors, saveSafetensors } from "../../src/io/node.ts";
import { type Outcome, runCommand } from "./command.ts";

type Json = Record<string, unknown>;

let cwd = "";
const kasane = (line: string): Promise<Outcome> => runCommand(cwd, line);

beforeAll(async () => {
  cwd = await mkdtemp(join(tmpdir(), "kasane-hostile-"));
  const train =
    "train moons --samples 60 --epochs 2 --hidden 4 --optimizer adamW:weightDecay=0.1 --patience 9 --metric f1Score --loss crossEntropy --out run";
  expect((await kasane(train)).code).toBe(0);
});
afterAll(() => rm(cwd, { recursive: true }));

/** The run with another config.json. */
async function withConfig(change: (config: Json) => void): Promise<void> {
  const config = JSON.parse(await readFile(join(cwd, "run", "config.json"), "utf8")) as Json;
  change(config);
  await cp(join(cwd, "run"), join(cwd, "changed"), { recursive: true });
  await writeFile(join(cwd, "changed", "config.json"), JSON.stringify(config));
}

/** Every place in a JSON value, as lists of keys. */
function* placesIn(value: unknown, path: readonly string[] = []): Generator<readonly string[]> {
  if (path.length > 0) yield path;
  if (typeof value === "object" && value !== null)
    for (const [key, item] of Object.entries(value).slice(0, 30)) yield* placesIn(item, [...path, key]);
}

function put(value: Json, path: readonly string[], item: unknown): void {
  const last = path.at(-1) as string;
  const holder = path.slice(0, -1).reduce((inner, key) => inner[key] as Json, value);
  if (item === undefined && Array.isArray(holder)) holder.splice(Number(last), 1);
  else if (item === undefined) delete holder[last];
  else holder[last] = item;
}

const wrong: readonly unknown[] = [undefined, 1e300, "x\u001b[2J", [22000, 22000]];
const commands = ["summary changed", "predict changed --input 1,2", "train --resume changed", "doctor changed --fresh"];
const required = ["format", "version", "created", "data", "data.kind", "data.seed", "fingerprint", "task", "classNames", "columnNames", "samples", "samples.train", "architecture", "architecture.model", "architecture.input", "architecture.outputs", "architecture.hidden", "architecture.activation", "architecture.dropout", "optimizer", "learningRate", "schedule", "batchSize", "epochs", "seed"]; // biome-ignore format: a list

describe("config.json", () => {
  it.each(required)("without %s is refused by name, by every command", async (field) => {
    await withConfig((config) => put(config, field.split("."), undefined));
    for (const line of commands) {
      const { code, out, err } = await kasane(line);
      expect({ line, code, out }).toEqual({ line, code: 1, out: "" });
      expect(err).toContain(`changed/config.json: ${field}: expected `);
      expect(err).toMatch(/got nothing\n {2}try: /);
    }
  });

  it("is taken, or refused with a sentence, whatever stands in it", async () => {
    const config = JSON.parse(await readFile(join(cwd, "run", "config.json"), "utf8")) as Json;
    for (const path of placesIn(config))
      for (const [n, item] of wrong.entries()) {
        await withConfig((changed) => put(changed, path, item));
        const { code, err } = await kasane(commands[n % 2] as string);
        expect({ path, item, code, isOurs: /inside kasane|\n\s+at /.test(err) }).toEqual({
          path,
          item,
          code: expect.any(Number),
          isOurs: false,
        });
        // Statistics that are numbers may still lead to inputs that the model cannot take: then predict says so itself.
        if (code !== 0) expect(err).toMatch(path[0] === "standardizer" ? /^kasane: / : /^kasane: changed\/config\.json: /);
        // biome-ignore lint/suspicious/noControlCharactersInRegex: that there are none is the point
        expect(err).not.toMatch(/[\u0000-\u0008\u000b-\u001f]/);
      }
  });

  it.each<[string, unknown, RegExp]>([
    [
      "architecture.hidden",
      [22000, 22000],
      /architecture: expected a model of at most 100,000,000 parameters, \[22000, 22000\] hidden units make 484,\d+,\d+ \(1\.8 GiB\)/,
    ],
    ["architecture.hidden", [1e12], /architecture\.hidden\[0\]: expected a whole number from 1 to 10000000, got 1000000000000/],
    ["architecture.input", [1e9], /architecture\.input/],
    ["data.samples", 1e9, /data\.samples: expected at most 10000000 for moons, got 1000000000/],
    ["data.kind", "csv", /data\.path: expected the place of the csv file, got nothing/],
    ["epochs", 1e300, /epochs: expected a whole number from 1 to 1000000000, got 1e\+300/],
    ["optimizer", "adma", /optimizer: expected one of sgd, adam,.*, got "adma"/],
    ["optimizer", "adam:beta1=7", /optimizer: expected .*beta1/],
    ["schedule", "never", /schedule: expected one of constant,/],
    ["metrics", ["rSquared"], /metrics: rSquared is for regression/],
    ["seed", "three", /seed: expected a whole number from 0 to 4294967295, got "three"/],
  ])("with %s of %j", async (field, value, message) => {
    await withConfig((config) => put(config, field.split("."), value));
    for (const line of commands) expect((await kasane(line)).err).toMatch(message);
  });

  it.skipIf(process.platform === "win32")("does not have devices read for data", async () => {
    await withConfig((config) => Object.assign(config.data as Json, { kind: "csv", path: "/dev/zero", target: "kind" }));
    for (const line of ["train --resume changed --epochs 3", "predict changed --sample 0", "doctor changed"])
      expect((await kasane(line)).err).toContain(
        "changed/config.json: data.path: expected a file or a folder, /dev/zero is a device or a pipe",
      );
  });

  it.each(["", "null", "[]", "3", '"x"', "{", "[".repeat(200_000)])("of %.20s is no configuration", async (text) => {
    await withConfig(() => undefined);
    await writeFile(join(cwd, "changed", "config.json"), text);
    expect((await kasane("summary changed")).err).toMatch(/changed\/config\.json: expected (JSON|an object)/);
  });
});

describe("a checkpoint", () => {
  async function resumeWith(change: (notes: Json) => void): Promise<string> {
    await withConfig(() => undefined);
    const path = join(cwd, "run", "checkpoint.safetensors");
    const { tensors, metadata } = await loadSafetensors(path);
    const notes = JSON.parse(metadata.get("state") ?? "") as Json;
    change(notes);
    await saveSafetensors(join(cwd, "changed", "checkpoint.safetensors"), tensors as never, {
      ...Object.fromEntries(metadata),
      state: JSON.stringify(notes),
    });
    const { err } = await kasane("train --resume changed --epochs 3");
    expect(err).not.toMatch(/inside kasane|\n\s+at /);
    return err;
  }

  it.each<[string, unknown, RegExp]>([
    ["batches", 1e9, /the resumed state has done 1000000000 batches of epoch 3, there are 2\n/],
    ["batches", -1, /batches: expected a whole number from 0/],
    ["batches", undefined, /batches: expected a whole number from 0 to \d+, got nothing/],
    ["seed", 1e20, /seed: expected a whole number from 0 to 4294967295/],
    ["epochs", 1, /history: expected the 1 epochs that are done, from 1 on, got \[1, 2\]/],
    ["history", {}, /history: expected a list of epochs, got an object/],
    ["history.0.train", [], /history\[0\]\.train: expected an object, got a list of 0|got \[\]/],
    ["random.stream", "x", /random\.stream: expected a whole number from 0 to 4294967295, got "x"/],
    ["optimizer.kind", "sgd", /belongs to another optimizer, sgd/],
    ["optimizer.groups", [{}], /optimizer\.groups\[0\]\.learningRate: expected a number/],
    ["optimizer.steps", 3, /optimizer\.steps: expected/],
    ["sums", "x", /sums: expected lists of numbers/],
  ])("with %s of %j is refused by name", async (field, value, message) => {
    expect(await resumeWith((notes) => put(notes, field.split("."), value))).toMatch(message);
  });

  it("is taken, or refused with a sentence, whatever stands in it", async () => {
    const { metadata } = await loadSafetensors(join(cwd, "run", "checkpoint.safetensors"));
    for (const path of placesIn(JSON.parse(metadata.get("state") ?? "")))
      for (const item of [undefined, null, 1e300, "x"]) await resumeWith((notes) => put(notes, path, item));
  });
});

describe("weights and metrics", () => {
  it("of another run are refused", async () => {
    expect((await kasane("train moons --samples 60 --epochs 1 --hidden 5 --out other")).code).toBe(0);
    await withConfig(() => undefined);
    await cp(join(cwd, "other", "model.safetensors"), join(cwd, "changed", "model.safetensors"));
    expect((await kasane("predict changed --input 1,2")).err).toMatch(
      /its hidden is 5, that of changed\/config\.json is 4: they belong to two runs/,
    );
  });

  it("that are damaged are named with their line", async () => {
    await withConfig(() => undefined);
    await writeFile(join(cwd, "changed", "metrics.jsonl"), '{"epoch": 1, "learningRate": 0.1, "seconds": 1, "train": {"loss": "many"}}\n');
    expect((await kasane("summary changed")).err).toMatch(/metrics\.jsonl: line 1: train\.loss: expected a number, got "many"/);
  });
});
