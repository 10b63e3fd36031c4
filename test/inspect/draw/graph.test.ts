// Graphs of recorded runs: nodes, edges, groups and their drawings; elements found by name.

import { beforeAll, describe, expect, it } from "vitest";
import { graphDot, graphMermaid, graphOf, graphSvg, type Recording, record, selectElement } from "../../../src/inspect/index.ts";
import { crossEntropy, flatten, linear, relu, residual, sequential } from "../../../src/nn/index.ts";
import { sgd } from "../../../src/optim/index.ts";
import { manualSeed, normal, type Tensor, tensor } from "../../../src/tensor/index.ts";

let run: Recording;

beforeAll(() => {
  manualSeed(1);
  const net = sequential({
    flat: flatten(),
    block: residual(sequential(linear(4, 4), relu)),
    output: linear(4, 3),
  } as never) as unknown as ((x: Tensor) => Tensor) & ReturnType<typeof linear>;
  const optimizer = sgd(net.parameters(), { learningRate: 0.1 });
  run = record(() => {
    const loss = crossEntropy(net(normal([2, 2, 2])), tensor(Int32Array.from([0, 2]), [2]));
    loss.backward();
    optimizer.step();
    return loss;
  }, net);
});

describe("graphOf", () => {
  it("has layers that open into ops, with what flows between them", () => {
    const { nodes, edges, groups } = graphOf(run);
    expect(nodes.filter(({ kind }) => kind === "op").map(({ label }) => label)).toEqual([
      "randomNormal",
      "linearBias",
      "1: relu",
      "add",
      "linearBias",
      "crossEntropy",
      "mean",
    ]);
    expect(groups.map(({ path, inside }) => [path, inside])).toEqual([
      ["block", undefined],
      ["block.body", "block"],
      ["block.body.0", "block.body"],
      ["output", undefined],
    ]);
    const add = nodes.find(({ label }) => label === "add");
    expect(add).toMatchObject({ groups: ["block"], shape: [2, 4], bytes: 32, pass: "forward", statistics: { count: 8, nans: 0 } });
    expect(edges.filter(({ to }) => to === add?.id)).toHaveLength(2);
    for (const { from, to } of edges) for (const id of [from, to]) expect(nodes.some((node) => node.id === id)).toBe(true);
  });

  it("closes layers that are nested deeper", () => {
    const { nodes, groups } = graphOf(run, { depth: 1 });
    expect(groups.map(({ path }) => path)).toEqual(["block", "output"]);
    expect(nodes.find(({ kind }) => kind === "layer")).toMatchObject({ label: "body: sequential", groups: ["block"] });
    expect(graphOf(run, { depth: 0, parameters: false }).nodes.map(({ label }) => label)).toEqual([
      "t",
      "randomNormal",
      "block: residual",
      "output: linear",
      "crossEntropy",
      "mean",
    ]);
  });

  it("shows the backward pass and the update", () => {
    const { nodes } = graphOf(run, { passes: ["forward", "backward", "update"] });
    expect(nodes.filter(({ pass }) => pass === "update")).toHaveLength(4);
    expect(nodes.some(({ label }) => label.includes("gradient of relu"))).toBe(true);
  });

  it("is drawn as DOT, Mermaid and SVG", async () => {
    const graph = graphOf(run);
    const dot = graphDot(graph);
    expect(dot.match(/->/g)).toHaveLength(graph.edges.length);
    expect(dot.match(/[{]/g)?.length).toBe(dot.match(/[}]/g)?.length);
    const mermaid = graphMermaid(graph);
    expect(mermaid.match(/subgraph/g)).toHaveLength(graph.groups.length);
    expect(mermaid.match(/-->/g)).toHaveLength(graph.edges.length);
    const svg = await graphSvg(graph);
    expect(svg.match(/<title>/g)).toHaveLength(graph.nodes.length);
    expect(svg).not.toContain("NaN");
    expect(svg.match(/<g>/g)?.length).toBe(graph.nodes.length + graph.edges.length + graph.groups.length);
  });
});

describe("selectElement", () => {
  it("finds outputs, parameters, gradients, updates and the loss", () => {
    const name = (text: string): string => `${selectElement(run, text).tensor.name} ${selectElement(run, text).tensor.shape}`;
    expect(name("block.body.1[0, 3]")).toBe("y 2,4");
    expect(name("output.weight")).toBe("output.weight 3,4");
    expect(selectElement(run, "output.weight.grad[1, 2]").tensor.gradientOf?.name).toBe("output.weight");
    expect(selectElement(run, "output.bias.new[1]").tensor.updateOf?.name).toBe("output.bias");
    expect(selectElement(run, "loss").position).toEqual([]);
    expect(selectElement(run, "block").position).toBeUndefined();
  });

  it("says what there is", () => {
    expect(() => selectElement(run, "outptu")).toThrow("did you mean output?");
    expect(() => selectElement(run, "[1]")).toThrow("expected a name");
    expect(() => selectElement(run, "block.new")).toThrow("was not updated");
  });
});
