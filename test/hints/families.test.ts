// What some hints say beyond the tables: those of a family, and what a command line prints.

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it, vi } from "vitest";
import { readTable } from "../../src/data/index.ts";
import * as library from "../../src/index.ts";
import { tensor } from "../../src/index.ts";
import { examine } from "../../src/inspect/index.ts";
import * as layers from "../../src/nn/index.ts";
import { crossEntropy } from "../../src/nn/index.ts";
import { adam } from "../../src/optim/index.ts";
import { runCommand } from "../cli/command.ts";
import { net, samples, x } from "./models.ts";

const csv = (cell: string): string => `a,b,y\n1,"${cell}",2.5\n2,3,4.5\n`;

afterEach(() => void vi.restoreAllMocks());

describe("a layer's maker that got a tensor", () => {
  it.each(Object.entries(layers).filter(([, make]) => typeof make === "function"))("%s names what there is", (_, make) => {
    let hint = "";
    try {
      (make as (value: unknown) => unknown)(x());
    } catch (error) {
      if (/makes a layer, but got a tensor/.test(String(error))) hint = (error as { readonly hint: string }).hint;
    }
    const [, func] = /import the function (\w+) from "kasane"/.exec(hint) ?? [];
    if (func !== undefined) expect(library).toHaveProperty(func);
    const [, method] = /call x\.(\w+)\(/.exec(hint) ?? [];
    if (method !== undefined) expect(x()).toHaveProperty(method);
    const [, layer] = /write (\w+)\(\)/.exec(hint) ?? [];
    if (layer !== undefined) expect(layers).toHaveProperty(layer);
  });
});

describe("a state that fits in part", () => {
  it("is loaded with a word of what was not", () => {
    const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
    const model = net();
    const report = model.loadStateDict({ "0.weight": tensor([[1, 2], [3, 4], [5, 6], [7, 8]]), head: tensor([1]) }, { strict: false }); // biome-ignore format: a matrix
    expect(report).toEqual({ loaded: ["0.weight"], missing: ["0.bias", "2.weight", "2.bias"], unexpected: ["head"] });
    expect(warn.mock.calls).toEqual([
      ["kasane: sequential: loaded 1 of 4 names: 0.weight; missing 0.bias, 2.weight, 2.bias; unexpected head"],
    ]);
    model.loadStateDict(net().stateDict());
    expect(warn).toHaveBeenCalledTimes(1);
  });
});

describe("numbers with marks between their digits", () => {
  it.each([
    ["1,234", "write 1234 if the comma separates thousands, 1.234 if it separates decimals"],
    ["-12,345", "write -12345 if the comma separates thousands, -12.345 if it separates decimals"],
    ["3,5", "write decimals with a point, and no separators of thousands: 3.5"],
    ["1,23", "write decimals with a point, and no separators of thousands: 1.23"],
    ["1.234,5", "write decimals with a point, and no separators of thousands: 1234.5"],
    ["1,234.5", "write decimals with a point, and no separators of thousands: 1234.5"],
    ["1,234,567", "write it without separators of thousands: 1234567"],
    ["1.234.567", "write it without separators of thousands: 1234567"],
    ["1 234", "write it without separators of thousands: 1234"],
    ["1'234", "write it without separators of thousands: 1234"],
  ])("%s", (cell, hint) => {
    let error: { readonly hint?: string } = {};
    try {
      readTable(csv(cell), { target: "y" });
    } catch (thrown) {
      error = thrown as typeof error;
    }
    expect(error.hint).toBe(hint);
  });
});

describe("kasane train --csv", () => {
  it("leaves a column out as its hint says, and predicts without it", async () => {
    const cwd = await mkdtemp(join(tmpdir(), "kasane-hints-"));
    try {
      const rows = Array.from({ length: 40 }, (_, n) => `${n % 7},note ${n},${n % 5},${n % 7 > 3 ? "yes" : "no"}`);
      await writeFile(join(cwd, "t.csv"), `a,remark,b,y\n${rows.join("\n")}\n`);
      const train = ["train", "--csv", "t.csv", "--target", "y", "--epochs", "1", "--out", "run"];
      const refused = await runCommand(cwd, train);
      expect(refused.err).toContain("--columns");
      const { code } = await runCommand(cwd, [...train, "--columns", "a,b"]);
      expect(code).toBe(0);
      expect((await runCommand(cwd, ["predict", "run", "t.csv"])).code).toBe(0);
    } finally {
      await rm(cwd, { recursive: true });
    }
  });
});

describe("findings", () => {
  it("recommend options that examine takes", async () => {
    const model = net();
    const { evidence } = await examine(model as never, samples(40), { loss: crossEntropy, optimizer: adam(model.parameters()), epochs: 1, control: true, clip: { norm: 1 } } as never); // biome-ignore format: one call
    expect(evidence.control).toHaveLength(1);
  });
});
