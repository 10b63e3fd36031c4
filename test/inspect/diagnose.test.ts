// The doctor in the zoo: every disease is found and named at the right place, and nothing is found in what is healthy.

import { describe, expect, it } from "vitest";
import { diagnose, examine, findingsText, THRESHOLDS } from "../../src/inspect/index.ts";
import { healthy, sick } from "./zoo.ts";

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

describe("healthy runs", () => {
  it("are fifteen", () => expect(healthy).toHaveLength(15));

  it.each(healthy)("$name", async ({ make }) => {
    const { model, data, options } = make();
    const { findings, history } = await examine(model, data, options);
    expect(findings.map(({ kind, where, what }) => `${kind} at ${where}: ${what}`)).toEqual([]);
    expect(history.at(-1)?.train.loss).toBeLessThan(0.9 * (history[0]?.train.loss as number));
  });
});

describe("diagnose", () => {
  it("finds nothing in nothing", () => expect(diagnose({ events: [], history: [] })).toEqual([]));

  it("takes other thresholds", async () => {
    const { model, data, options } = (healthy[0] as (typeof healthy)[number]).make();
    const { evidence } = await examine(model, data, options);
    expect(diagnose(evidence, { deadUnits: 0 }).map(({ kind }) => kind)).toEqual(["dead units"]);
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
