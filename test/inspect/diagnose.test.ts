// The doctor in the zoo: every disease is found and named at the right place, and nothing is found in what is healthy.

import { describe, expect, it } from "vitest";
import { baselineOf, diagnose, examine, findingsText, THRESHOLDS } from "../../src/inspect/index.ts";
import { absoluteError, binaryCrossEntropy, binaryCrossEntropyLogits, crossEntropy, meanSquaredError } from "../../src/nn/index.ts";
import type { FitOptions } from "../../src/train/index.ts";
import { healthy, sick } from "./zoo.ts";
import { blameless, SEEDS, seeded, unruled } from "./zoo-seeds.ts";

describe("sick runs", () => {
  it("are thirty", () => expect(sick).toHaveLength(30));

  it.each(sick)("$name: $disease", async ({ disease, where, consequences = [], make }) => {
    const { model, data, options } = make();
    const { findings } = await examine(model, data, options);
    const told = findings.map((finding) => `${finding.kind} at ${finding.where}`).join("; ");
    expect(findings[0]?.kind, told).toBe(disease);
    expect(where, told).toContain(findings[0]?.where);
    for (const { kind } of findings.slice(1)) expect([disease, ...consequences], told).toContain(kind);
    for (const { what, why, advice } of findings) for (const text of [what, why, ...advice]) expect(text).not.toMatch(/NaN of|undefined/);
  });
});

describe("sick runs, three seeds each", () => {
  it.each(seeded)("$name: $disease", async ({ disease, findings }) => {
    for (const seed of SEEDS) {
      const found = await findings(seed);
      expect(found[0]?.kind, `seed ${seed}: ${found.map(({ kind, where }) => `${kind} at ${where}`).join("; ")}`).toBe(disease);
      for (const { what, why, advice } of found) for (const text of [what, why, ...advice]) expect(text).not.toMatch(/NaN of|undefined/);
    }
  });

  it("are joined by ten that no rule was written for", () => expect(unruled).toHaveLength(10));
});

describe("good data", () => {
  it.each(blameless)("is not blamed for $name", async ({ seeds, findings }) => {
    for (const seed of seeds)
      expect(
        (await findings(seed)).filter(({ where }) => where === "data"),
        `seed ${seed}`,
      ).toEqual([]);
  });
});

describe("healthy runs", () => {
  it("are fifteen", () => expect(healthy).toHaveLength(15));

  it.each(healthy)("$name", async ({ make }) => {
    const { model, data, options } = make();
    const { findings, history } = await examine(model, data, options);
    expect(findings.map(({ kind, where, what }) => `${kind} at ${where}: ${what}`)).toEqual([]);
    expect(history.at(-1)?.train.loss).toBeLessThan(0.9 * (history[0]?.train.loss as number));
  });
});

describe("examine", () => {
  it("tells label errors by their number in the data, though a part of it is held out, and blames no held-out sample", async () => {
    const { model, data, options } = (sick.find(({ disease }) => disease === "label errors") as (typeof sick)[number]).make();
    const { findings, evidence } = await examine(model, data, { ...options, validation: 0.3 });
    const which = findings.find(({ kind }) => kind === "label errors")?.evidence.which as number[];
    // Every sixteenth label was changed.
    expect(which.length).toBeGreaterThan(5);
    for (const sample of which) expect(sample % 16).toBe(0);
    const [train] = data.split(0.7, { seed: 1 });
    const rows = new Set(Array.from({ length: train.size }, (_, n) => train.fields.x.data.slice(6 * n, 6 * n + 6).join()));
    for (const sample of which) expect(rows).toContain(data.fields.x.data.slice(6 * sample, 6 * sample + 6).join());
    expect(evidence.heldPredictions?.samples).toBe(144);
  });

  it("takes control: true, as a finding recommends, and leaves the model as trained", async () => {
    const { model, data, options } = (healthy[0] as (typeof healthy)[number]).make();
    const plain = (healthy[0] as (typeof healthy)[number]).make();
    const { evidence } = await examine(model, data, { ...options, control: true });
    expect(evidence.control).toHaveLength(options.epochs);
    expect(evidence.control?.at(-1)).toBeGreaterThan(evidence.history.at(-1)?.train.loss as number);
    await examine(plain.model, plain.data, { ...plain.options, control: false, trial: false });
    for (const [name, weight] of model.namedParameters())
      expect([...weight.data]).toEqual([...(plain.model.namedParameters().get(name)?.data ?? [])]);
  });

  it.each([
    ["class numbers", "int32", [0, 0, 0, 1], [2], crossEntropy, -(0.75 * Math.log(0.75) + 0.25 * Math.log(0.25))],
    ["numbers, squared error", "float32", [1, 2, 6], [1], meanSquaredError, 14 / 3],
    ["numbers, absolute error", "float32", [1, 2, 6], [1], absoluteError, 5 / 3],
    ["truths", "float32", [1, 1, 1, 0], [1], binaryCrossEntropyLogits, -(0.75 * Math.log(0.75) + 0.25 * Math.log(0.25))],
    ["probabilities", "float32", [1, 1, 1, 0], [1], binaryCrossEntropy, -(0.75 * Math.log(0.75) + 0.25 * Math.log(0.25))],
  ] as const)("knows what %s cost who does not look", (_, dtype, targets, output, loss, least) => {
    const data = dtype === "int32" ? Int32Array.from(targets) : Float32Array.from(targets);
    const shape = dtype === "int32" ? [targets.length] : [targets.length, 1];
    expect(baselineOf(loss as FitOptions["loss"], output, { data, shape })).toBeCloseTo(least, 4);
  });
});

describe("diagnose", () => {
  it("finds nothing in nothing", () => expect(diagnose({ events: [], history: [] })).toEqual([]));

  it("takes other thresholds", async () => {
    const { model, data, options } = (healthy[0] as (typeof healthy)[number]).make();
    const { evidence } = await examine(model, data, options);
    expect(diagnose(evidence, { deadUnits: 0, mostlyDead: 0 }).map(({ kind }) => kind)).toEqual(["dead units"]);
    expect(diagnose(evidence, { inputScale: 0.1 })[0]).toMatchObject({ kind: "unscaled inputs", where: "data" });
    expect(THRESHOLDS.deadUnits).toBeGreaterThan(0);
  });

  it("is told in words", () => {
    const text = findingsText([
      {
        kind: "dead units",
        where: "relu1",
        what: "12 of 16 units of relu1 (relu) gave 0 for every sample of the last 20 steps",
        evidence: {},
        why: "a large step killed them",
        advice: ["a smaller learning rate"],
      },
    ]);
    expect(text).toBe(
      `dead units: relu1
  12 of 16 units of relu1 (relu) gave 0 for every sample of the last 20 steps
  why: a large step killed them
  try: a smaller learning rate`,
    );
    for (const line of text.split("\n")) expect(line.length).toBeLessThanOrEqual(80);
    expect(findingsText([])).toContain("no findings");
  });
});
