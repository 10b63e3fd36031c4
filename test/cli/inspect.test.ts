// Looking into a run from the command line: numbers explained, graphs drawn, gradients checked.

import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { expectMathml, expectTex } from "../formula/markup.ts";
import { runCommand } from "./command.ts";

let cwd = "";
const kasane = (...words: readonly string[]) => runCommand(cwd, words);

beforeAll(async () => {
  cwd = await mkdtemp(join(tmpdir(), "kasane-inspect-"));
  await kasane(..."train xor --hidden 3 --epochs 1 --samples 40 --batch 8 --out run".split(" "));
});
afterAll(() => rm(cwd, { recursive: true }));

describe("kasane explain RUN", () => {
  it("explains the loss of a training step", async () => {
    const { code, out } = await kasane("explain", "run", "--depth", "2");
    expect(code).toBe(0);
    expect(out).toMatch(/^loss of mean = [\d.]+\s+= \([^)]*\)\s+\/ 8\n {2}y\[\d\] of crossEntropy = /);
    expect(out).toContain("others: hidden1, relu1, output, hidden1.weight");
  });

  it("explains any number, its gradient and its update, and nudges it", async () => {
    const { out } = await kasane("explain", "run", "--at", "output.weight.grad[1, 2]", "--depth", "0", "--nudge", "0.0001");
    const [, promised, change] = /by (\S+); the gradient\s+promised (\S+)/.exec(out) ?? [];
    expect(Number(change)).not.toBeNaN();
    expect(Math.abs(Number(promised) - Number(change))).toBeLessThan(1e-3 * Math.abs(Number(change)) + 1e-9);
    const update = await kasane("explain", "run", "--at", "hidden1.bias.new[0]", "--depth", "0");
    expect(update.out).toMatch(/^new hidden1\.bias\[0\] = /);
    const json = JSON.parse((await kasane("explain", "run", "--at", "output[3, 1]", "--depth", "1", "--json")).out);
    expect(json).toMatchObject({ position: [3, 1], op: "linearBias", layer: "output", because: expect.any(Array) });
    expect(json.because.length).toBeGreaterThan(0);
  });

  it("steps through the run: all ops, one of them, the one that computed a number", async () => {
    const { out } = await kasane("explain", "run", "--step");
    expect(out).toMatch(/^ 1 {2}forward {3}hidden1 +linearBias +\[8, 3\]/);
    expect(out).toMatch(/^\d+ {2}update +output\.bias +adamStep/m);
    expect(out).toMatch(/^\d+ {2}update +output\.bias: m +adamFirst/m);
    expect(out.split("\n").every((line) => line.length <= 80)).toBe(true);
    expect((await kasane("explain", "run", "--step", "2")).out).toMatch(/^step 2 of 25, forward: relu in relu1\n {2}y = max\(x, 0\)\n/);
    const backward = await kasane("explain", "run", "--step", "--at", "output.weight.grad[1, 2]");
    expect(backward.out).toContain("\n∂L/∂output.weight[1, 2] = ");
    expect(backward.out).toContain(" × ");
    expect(JSON.parse((await kasane("explain", "run", "--step", "2", "--json")).out)).toMatchObject({ step: 2, of: 25, op: "relu" });
    expect(JSON.parse((await kasane("explain", "run", "--step", "--json")).out).steps).toHaveLength(25);
    expect((await kasane("explain", "run", "--step", "26")).err).toContain("there is no step 26, the run has 25");
  });

  it("steps by key in a terminal", async () => {
    const press = async (...keys: readonly string[]) => {
      const { code, out } = await runCommand(cwd, ["explain", "run", "--step"], { terminal: true, keys });
      return { code, steps: [...out.matchAll(/step (\d+) of 25/g)].map(([, step]) => Number(step)) };
    };
    expect(await press("n", "\u001b[C", "x", "p", "G", "n", "g", "q", "n")).toEqual({ code: 0, steps: [1, 2, 3, 2, 25, 25, 1] });
    expect(await press("n", "\u0003")).toEqual({ code: 130, steps: [1, 2] });
  });

  it("writes explanations as TeX, MathML and JSON", async () => {
    const at = ["--at", "output.weight.grad[1, 2]"];
    expectTex((await kasane("explain", "run", ...at, "--format", "tex")).out);
    expectMathml((await kasane("explain", "run", ...at, "--format", "mathml")).out.trim());
    const json = JSON.parse((await kasane("explain", "run", ...at, "--format", "json", "--nudge", "0.01")).out);
    expect(json).toMatchObject({ name: "∂L/∂output.weight[1, 2]", chain: { upstream: "gy" }, nudge: { by: 0.01 } });
    expectTex((await kasane("explain", "run", "--step", "9", "--format", "tex")).out);
    expect((await kasane("explain", "run", "--step", "--format", "mathml")).out.trim().split("\n\n")).toHaveLength(25);
    expect(JSON.parse((await kasane("explain", "run", "--step", "9", "--format", "json")).out)).toMatchObject({ step: 9 });
    expect((await kasane("explain", "sigmoid", "--format", "tex")).out).toContain("\\frac{\\partial L}{\\partial x}");
    expectMathml((await kasane("explain", "sigmoid", "--format", "mathml")).out.split("\n\n")[1]?.trim() ?? "");
    expect(JSON.parse((await kasane("explain", "sigmoid", "--format", "json")).out)).toMatchObject({ name: "sigmoid" });
    expect((await kasane("explain", "run", "--format", "text2")).err).toContain("text, json, tex, mathml");
  });

  it("still explains ops", async () => {
    expect((await kasane("explain", "sigmoid")).out).toContain("1 / (1 + exp(-x))");
  });

  it("says what is wrong", async () => {
    for (const [words, said] of [
      [["explain", "run", "--at", "outptu[0]"], "did you mean output?"],
      [["explain", "run", "--at", "output"], "which of its numbers? Its shape is [8, 2]"],
      [["explain", "run", "--at", "output[9, 0]"], "there is no element [9, 0]"],
      [["explain", "./nothing"], "is not there"],
      [["explain", "run", "--sample", "99"], "run trains on 32 samples, there is none from number 99 on"],
    ] as const) {
      const { code, err } = await kasane(...words);
      expect(code, words.join(" ")).toBeGreaterThan(0);
      expect(err).toContain(said);
    }
  });
});

describe("kasane explain FILE", () => {
  const source = JSON.stringify(new URL("../../src/index.ts", import.meta.url).href);
  const layers = JSON.stringify(new URL("../../src/nn/index.ts", import.meta.url).href);
  const explained = async (name: string, text: string, ...words: readonly string[]) => {
    await writeFile(join(cwd, name), `import { compile, tensor } from ${source};\nimport { linear } from ${layers};\n${text}`);
    return kasane("explain", name, ...words);
  };

  it("explains any function, plain or compiled, by its inputs and results", async () => {
    const inputs = "export const inputs = [tensor([1, 2]), tensor([3, 4])];";
    for (const [name, made] of [
      ["plain.mjs", ""],
      ["compiled.mjs", "compile"],
    ] as const) {
      const text = `export default ${made}((a, b) => ({ sum: a.add(b), product: a.mul(b) }));\n${inputs}`;
      const first = await explained(name, text);
      expect(first.out).toContain("result.product[1] of mul = 8 = 2·4\n  input0[1] = 2, data\n  input1[1] = 4, data\n");
      expect(first.out).toMatch(/\nothers: input0, input1, result\.sum, result\.product\n$/);
      expect((await kasane("explain", name, "--at", "result.sum[0]", "--depth", "0")).out).toContain("result.sum[0] of add = 4 = 1 + 3");
    }
  });

  it("explains tensors where they are exported, with the names of their module", async () => {
    const text = `export const x = tensor([[2, 3, 1]]);
export const w = tensor([[3, 1, 2], [-2, -3, -1]], { requiresGrad: true });
export const y = x.matmul(w.transpose()).relu();
export const loss = y.sub(20).square().mean();
loss.backward();`;
    const { out, code } = await explained("tensors.mjs", text);
    expect(code).toBe(0);
    expect(out).toMatch(/^loss of mean = 240\.5 = \(81 \+ 400\) \/ 2\n/);
    const gradient = await kasane("explain", "tensors.mjs", "--at", "w.grad[0, 1]");
    expect(gradient.out).toMatch(/^∂L\/∂w\[0, 1\] = .*\(-27\) × 1 = -27\n/);
    expect(gradient.out).toContain("x[0, 1] = 3, data");
    expect((await kasane("explain", "tensors.mjs", "--at", "y[0, 0]", "--depth", "0")).out).toBe("y[0, 0] of relu = 11 = max(11, 0)\n");
    expect((await kasane("profile", "tensors.mjs")).err).toContain("it exports tensors, but no function to compile");
  });

  it("has the names of the program for its tensors, and letters of formulas for no other", async () => {
    const text = `export const x = tensor([[2, 3, 1]]);
export const W1 = tensor([[3, 1, 2], [-2, -3, -1]], { requiresGrad: true });
export const u1 = x.matmul(W1.transpose());
export const h1 = u1.relu();
export const y = h1.matmul(tensor([[3], [2]]));
export const L = y.sub(20).square().mean();
L.backward();`;
    await explained("textbook.mjs", text);
    const at = async (name: string) => (await kasane("explain", "textbook.mjs", "--at", name, "--depth", "3")).out;
    expect(await at("u1[0, 0]")).toBe(`u1[0, 0] of matmul = 11 = 2·3 + 3·1 + 1·2
  x[0, 0] = 2, data
  result[0, 0] of transpose = 3 = W1[0, 0]
    W1[0, 0] = 3, a parameter
  x[0, 1] = 3, data
`);
    expect(await at("h1[0, 0]")).toMatch(/^h1\[0, 0\] of relu = 11 = max\(11, 0\)\n {2}u1\[0, 0\] of matmul = 11/);
    expect(await at("L")).toMatch(/^L of mean = 169/);
    expect(await at("W1.grad[0, 0]")).toBe(`∂L/∂W1[0, 0] = ∂L/∂(result of transpose)[0, 0] · 1 = 156 × 1 = 156
  ∂L/∂(result of transpose)[0, 0] = ∂L/∂u1[0, 0] · x[0, 0] = 78 × 2 = 156
    ∂L/∂u1[0, 0] = ∂L/∂h1[0, 0] · (1 because h1[0, 0] > 0)
        = 78 × (1 because 11 > 0) = 78 × 1 = 78
      ∂L/∂h1[0, 0] = ∂L/∂y[0, 0] · b[0, 0] = 26 × 3 = 78
      h1[0, 0] of relu = 11 = max(11, 0)
    x[0, 0] = 2, data
`);
  });

  it("names the parameters of models in a module of tensors", async () => {
    const text = "export const net = linear(2, 1); export const y = net(tensor([[1, 2]]));";
    const { out } = await explained("layer.mjs", text);
    expect(out).toContain("weight[0, 1] = ");
    expect(out).toContain("x[0, 1] = 2, data");
  });
});

describe("kasane graph", () => {
  it("prints Mermaid, and writes the others", async () => {
    expect((await kasane("graph", "run")).out).toMatch(/^flowchart TB\n/);
    const { out } = await kasane("graph", "run", "--format", "svg", "--out", "run.svg", "--depth", "0", "--backward");
    expect(out).toMatch(/^run\.svg: \d+ nodes, \d+ edges\n$/);
    expect(await readFile(join(cwd, "run.svg"), "utf8")).toMatch(/^<svg .*<\/svg>\n$/s);
    expect((await kasane("graph", "run", "--time")).out).toMatch(/\d (µs|ms)"/);
    const json = JSON.parse((await kasane("graph", "run", "--format", "json", "--json")).out);
    expect(json.nodes.length).toBeGreaterThan(4);
  });

  it("writes numbers that are none as what they are", async () => {
    const source = new URL("../../src/index.ts", import.meta.url).href;
    const text = `import { parameter, tensor } from ${JSON.stringify(source)};
const w = parameter(tensor([-1, 4]));
export default () => w.sqrt().sum().backward();`;
    await writeFile(join(cwd, "nan.mjs"), text);
    const { out } = await kasane("graph", "nan.mjs", "--format", "json");
    expect(out).not.toContain("null");
    expect(out).toContain('"NaN"');
  });
});

describe("kasane check-gradients", () => {
  it("agrees for a run, and finds a wrong gradient in a module", async () => {
    const { code, out } = await kasane("check-gradients", "run", "--elements", "3");
    expect(out).toMatch(/^\d+ gradients agree with finite differences/);
    expect(code).toBe(0);
    const source = new URL("../../src/index.ts", import.meta.url).href;
    await writeFile(
      join(cwd, "wrong.mjs"),
      `import { defineOp, tensor } from ${JSON.stringify(source)};
const wrong = defineOp("y = x ^ 2", { name: "square2", gradient: { x: "gy * x" } });
const x = tensor([1, 2, 3], { requiresGrad: true });
export default () => wrong(x).sum().backward();`,
    );
    const bad = await kasane("check-gradients", "wrong.mjs");
    expect(bad.code).toBe(1);
    expect(bad.out).toContain("the gradient of square2");
    await writeFile(join(cwd, "none.mjs"), "export default 3;");
    expect((await kasane("check-gradients", "none.mjs")).err).toContain(
      "expected a function as default export, or exports model, data, loss and optimizer; it exports the number 3 as default",
    );
  });
});

describe("kasane lr-find", () => {
  it("charts the losses and names a range, leaving the run as it is", async () => {
    const before = await readFile(join(cwd, "run", "model.safetensors"));
    const { code, out } = await kasane("lr-find", "run", "--steps", "60", "--svg", "rates.svg");
    expect(out).toContain("run: loss by learning rate, adam");
    expect(code).toBe(0);
    expect(out).toMatch(/begin with [\d.e-]+; useful rates lie between [\d.e-]+ and [\d.e-]+/);
    expect(await readFile(join(cwd, "rates.svg"), "utf8")).toContain("</svg>");
    expect(await readFile(join(cwd, "run", "model.safetensors"))).toEqual(before);
    for (const line of out.split("\n")) expect(line.length).toBeLessThanOrEqual(80);
  });

  it("draws a chart of losses that are no numbers", async () => {
    const { code, out } = await kasane(..."lr-find run --from 1e18 --to 1e30 --svg none.svg".split(" "));
    expect(code).toBe(1);
    expect(out).toContain("no finite number any more");
    expect(await readFile(join(cwd, "none.svg"), "utf8")).not.toMatch(/NaN|Infinity/);
    expect((await kasane("lr-find", "run", "--from", "2", "--to", "1")).code).toBe(2);
  });
});

describe("Ctrl-C", () => {
  it.each([
    ["lr-find run --steps 5000", "SIGINT", 130],
    ["doctor run --epochs 1000", "SIGTERM", 143],
  ] as const)("ends %s, leaving the run as it is", async (line, signal, code) => {
    const stopped = await runCommand(cwd, line, { signal });
    expect(stopped).toMatchObject({ code, out: "Stopped; run is as it was.\n" });
    expect(stopped.err).toContain("Ctrl-C again stops at once");
    expect(JSON.parse((await runCommand(cwd, `${line} --json`, { signal })).out)).toEqual({ interrupted: signal });
  });
});

describe("kasane doctor RUN", () => {
  it("finds what is wrong, and nothing where nothing is", async () => {
    await kasane(..."train moons --epochs 12 --samples 300 --out good".split(" "));
    const good = await kasane("doctor", "good");
    expect(good.out).toBe("no findings: nothing looks wrong in this run\n");
    expect(good.code).toBe(0);
    await kasane(..."train moons --epochs 2 --samples 300 --optimizer sgd --lr 0.00000001 --out slow".split(" "));
    const slow = await kasane("doctor", "slow", "--json");
    expect(slow.code).toBe(1);
    expect(JSON.parse(slow.out).findings[0]).toMatchObject({ kind: "learning rate too low", where: "optimizer" });
  });
});

describe("kasane profile", () => {
  it("tells where a training step spends its time", async () => {
    const { code, out } = await kasane("profile", "run", "--runs", "1", "--trace", "trace.json");
    expect(code).toBe(0);
    expect(out).toContain("by pass:");
    expect(out).toMatch(/of \d+ Gop\/s/);
    expect(JSON.parse(await readFile(join(cwd, "trace.json"), "utf8")).traceEvents.length).toBeGreaterThan(5);
    expect((await kasane("profile", "none.mjs")).err).toContain("export default compile(");
  });
});

describe("kasane train --watch", () => {
  it("shows the gradients of every layer and what looks wrong", async () => {
    const { out, code } = await kasane(
      ..."train moons --hidden 8,8,8 --activation sigmoid --epochs 3 --batch 8 --samples 600 --lr 0.00000001 --watch --out watched".split(
        " ",
      ),
    );
    expect(code).toBe(0);
    expect(out.match(/^gradients [▁▂▃▄▅▆▇█]{4} {2}hidden1\.weight \S+ … output\.weight \S+$/gmu)).toHaveLength(3);
    expect(out.match(/learning rate too low \(optimizer\)/g)).toHaveLength(1);
  });
});
