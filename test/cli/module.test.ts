// Commands on a user's own module: one convention for all of them, and a sentence for each export that is missing or wrong.

import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type CommandOptions, runCommand } from "./command.ts";

const from = (path: string): string => JSON.stringify(new URL(`../../src/${path}`, import.meta.url).href);
const start = `
import { tensor } from ${from("index.ts")};
import { Dataset, moons, tableDataset } from ${from("data/index.ts")};
import { crossEntropy, linear, relu, sequential } from ${from("nn/index.ts")};
import { adam, sgd } from ${from("optim/index.ts")};
const net = sequential(linear(2, 16), relu, linear(16, 2));
const points = tableDataset(moons({ count: 320, seed: 1 }));
const rule = adam(net.parameters(), { learningRate: 0.01 });
`;
const whole = "export const model = net, data = points, loss = crossEntropy, optimizer = rule, batchSize = 16;";

let cwd = "";
const kasane = (line: string, more: CommandOptions = {}) => runCommand(cwd, line, more);
let files = 0;
async function module(text: string): Promise<string> {
  const name = `module${files++}.mjs`;
  await writeFile(join(cwd, name), start + text);
  return name;
}

beforeAll(async () => {
  cwd = await mkdtemp(join(tmpdir(), "kasane-module-"));
  await writeFile(join(cwd, "training.mjs"), start + whole);
});
afterAll(() => rm(cwd, { recursive: true }));

describe("a module with a training", () => {
  it("is swept by lr-find", async () => {
    const { code, out } = await kasane("lr-find training.mjs --svg rates.svg");
    expect(code).toBe(0);
    expect(out).toContain("training.mjs: loss by learning rate, adam");
    expect(await readFile(join(cwd, "rates.svg"), "utf8")).toContain("</svg>");
    const { name, range } = JSON.parse((await kasane("lr-find training.mjs --json")).out);
    expect(name).toBe("training.mjs");
    expect(range.low).toBeLessThan(range.best);
  });

  it("is examined by doctor", async () => {
    expect(await kasane("doctor training.mjs --epochs 3")).toMatchObject({
      code: 0,
      out: "no findings: nothing looks wrong in this run\n",
    });
    const slow = await module(
      "export default { model: net, data: points, loss: crossEntropy, optimizer: sgd(net.parameters(), { learningRate: 1e-9 }) };",
    );
    const sick = await kasane(`doctor ${slow} --json --epochs 3`);
    expect(sick.code).toBe(1);
    expect(JSON.parse(sick.out)).toMatchObject({ name: slow, findings: [{ kind: "learning rate too low", where: "optimizer" }] });
  });

  it("is told by doctor where its data are no numbers", async () => {
    const bad = await module(
      `${whole.replace("points", "new Dataset({ x: { shape: [32, 2], data: new Float32Array(64).fill(NaN) }, y: tensor(Array(32).fill(1), { dtype: 'int32' }) }, { allowNonFinite: true })")}`,
    );
    const { code, out } = await kasane(`doctor ${bad}`);
    expect(code).toBe(1);
    expect(out).toMatch(/^not finite: 0\n[\s\S]*with the data\)[\s\S]*x\[0, 0\] = NaN/m);
    const sweep = await kasane(`lr-find ${bad}`);
    expect(sweep.out).toContain("from the first step on, NaN");
    expect(sweep.out).toContain("  x[0, 0] = NaN, data");
    expect(JSON.parse((await kasane(`lr-find ${bad} --json`)).out).nonFinite).toContain("x[0, 0] = NaN");
  });

  it("is explained, drawn, checked, compiled and profiled by the step it makes", async () => {
    expect((await kasane("explain training.mjs --depth 0")).out).toMatch(/^loss of mean = /);
    expect((await kasane("explain training.mjs --at 2[15,1] --depth 0")).out).toMatch(/^prediction\[15, 1\] of 2 \(linearBias\)/);
    expect((await kasane("graph training.mjs")).out).toMatch(/0 \(linear\)/);
    expect((await kasane("check-gradients training.mjs")).out).toContain("gradients agree");
    expect((await kasane("compile training.mjs")).out).toContain("training step of fit(float32[16, 2], int32[16])");
    expect((await kasane("profile training.mjs --runs 1")).out).toContain("by pass:");
  });

  it("can be stopped", async () => {
    const stopped = await kasane("lr-find training.mjs --steps 3000", { signal: "SIGINT" });
    expect(stopped).toMatchObject({ code: 130, out: "Stopped; training.mjs is as it was.\n" });
  });
});

describe("a module with a function", () => {
  it("is compiled where it is plain", async () => {
    const plain = await module("export default (x) => net(x).softmax(); export const inputs = [tensor([[1, 2]])];");
    expect((await kasane(`compile ${plain}`)).out).toContain("(float32[1, 2])");
    expect((await kasane(`profile ${plain} --runs 1`)).out).toContain("softmax");
    expect((await kasane(`graph ${plain}`)).out).toContain("softmax");
    const late = await module("export default async () => { await null; return net(tensor([[1, 2]])).softmax().sum(); };");
    for (const command of ["graph", "explain"]) expect((await kasane(`${command} ${late}`)).out).toContain("softmax");
    const layer = await module("export default net; export const inputs = [tensor([[1, 2]])];");
    expect((await kasane(`graph ${layer}`)).out).toContain("0.weight");
  });
});

describe("what is missing or wrong is said", () => {
  it.each([
    ["lr-find", whole.replace("optimizer =", "optimiser ="), /missing: optimizer\n {2}try: is optimiser meant to be optimizer\?/],
    ["doctor", "export const model = net, data = points;", /missing: loss, optimizer\n {2}try: export const loss = crossEntropy/],
    ["doctor", "", /to train with; it exports nothing/],
    ["lr-find", "export default () => 3;", /to train with; it exports a function as default/],
    [
      "doctor",
      whole.replace("crossEntropy", '"crossEntropy"'),
      /expected loss to be a function of prediction and target, got the string crossEntropy/,
    ],
    [
      "doctor",
      whole.replace("= rule", "= adam"),
      /expected optimizer to be an optimizer, got a function\n {2}try: .*adam\(model\.parameters\(\)\)/,
    ],
    ["doctor", whole.replace("= rule", "= adam(linear(2, 2).parameters())"), /its optimizer moves none of its model's parameters/],
    ["lr-find", whole.replace("= net", "= () => 3"), /expected model to be a layer, got a function/],
    ["lr-find", whole.replace("= points", "= []"), /expected data to be a data set, or an object with x and y, got a list/],
    ["lr-find", whole.replace("= points", "= Promise.resolve(points)"), /got a promise\n {2}try: export const data = await …/],
    [
      "lr-find",
      whole.replace("= points", "= { x: tensor([[1, 2]]).slice([0, 0]), y: tensor([]) }"),
      /make no data set: .*at least one sample/,
    ],
    ["lr-find", whole.replace("= points", "= { x: tensor([[1, 2]]), y: tensor([1, 2]) }"), /make no data set: .*same number of samples/],
    ["doctor", whole.replace("= 16", "= 0"), /expected batchSize to be a whole number of at least 1, got the number 0/],
    ["graph", "export default (x) => x; ", /takes arguments, but the module exports no inputs/],
    ["graph", "export default (x) => x; export const inputs = 3;", /expected inputs to be a list of arguments, got the number 3/],
    ["explain", "export default () => net(tensor([[1, 2]])); export const model = 3;", /expected model to be a layer, got the number 3/],
    ["lr-find", "throw new Error('oops');", /module\d+\.mjs does not load: oops/],
  ])("%s %s", async (command, text, message) => {
    const name = await module(text);
    const { code, out, err } = await kasane(`${command} ${name}`);
    expect(err).toMatch(message);
    expect(err).not.toContain("inside kasane");
    expect({ code, out }).toEqual({ code: 1, out: "" });
    expect(Object.keys(JSON.parse((await kasane(`${command} ${name} --json`)).out))).toEqual(["error"]);
  });

  it("a mistake in the module's own functions is not ours", async () => {
    const name = await module(whole.replace("crossEntropy", "(p) => p.nothing.more"));
    const { code, err } = await kasane(`lr-find ${name}`);
    expect(code).toBe(1);
    expect(err).toMatch(/kasane: an error at module\d+\.mjs:\d+: .*reading 'more'/);
  });

  it("a missing file", async () => {
    for (const command of ["lr-find", "doctor", "compile", "profile", "graph", "check-gradients"])
      expect((await kasane(`${command} nowhere.mjs`)).err).toContain("nowhere.mjs is not there");
  });
});
