// Times of recorded ops: what a profile measured is shared out among them, none of it lost, on every backend.

import { afterAll, describe, expect, it } from "vitest";
import { availableBackends, getBackend, setBackend } from "../../../src/backends/choose.ts";
import { graphDot, graphOf, opTimes, profile, record } from "../../../src/inspect/index.ts";
import { crossEntropy, linear, relu, sequential } from "../../../src/nn/index.ts";
import { sgd } from "../../../src/optim/index.ts";
import { compile, normal, type Tensor, tensor } from "../../../src/tensor/index.ts";

const before = getBackend().name;
afterAll(() => setBackend(before));

function training() {
  const net = sequential({ hidden: linear(8, 6), relu, output: linear(6, 3) } as never);
  const optimizer = sgd(net.parameters(), { learningRate: 0.1 });
  const inputs = [normal([4, 8]), tensor(Int32Array.from([0, 1, 2, 0]), [4])] as const;
  const step = (x: Tensor, t: Tensor): Tensor => {
    optimizer.zeroGrad();
    const loss = crossEntropy(net(x as never) as Tensor, t);
    loss.backward();
    optimizer.step();
    return loss;
  };
  return { net, step, compiled: compile(step), inputs };
}

describe.each(availableBackends())("on %s", (backend) => {
  it.each([false, true])("graphs say how long their nodes take (recorded compiled: %s)", (compiled) => {
    setBackend(backend);
    const made = training();
    const run = record(() => (compiled ? made.compiled : made.step)(...made.inputs), made.net);
    const profiled = profile(made.compiled, [...made.inputs], { runs: 1, limits: false });
    const passes = ["forward", "backward", "update"] as const;
    const { nodes } = graphOf(run, { passes, profile: profiled });
    const timed = nodes.filter(({ kind }) => kind === "op");
    expect(timed.reduce((sum, { milliseconds }) => sum + (milliseconds ?? 0), 0)).toBeCloseTo(profiled.milliseconds, 8);
    expect(
      nodes.filter(({ kind }) => kind === "parameter" || kind === "data").every(({ milliseconds }) => milliseconds === undefined),
    ).toBe(true);
    // By layer as the profile itself says.
    const closed = graphOf(run, { passes: ["forward"], depth: 0, profile: profiled }).nodes.find(({ label }) => label.startsWith("hidden"));
    const forward = profiled.kernels.flatMap(({ milliseconds, origins }) =>
      origins.filter(({ layer, pass }) => layer === "hidden" && pass === "forward").map(() => milliseconds / origins.length),
    );
    expect(closed?.milliseconds).toBeCloseTo(
      forward.reduce((a, b) => a + b, 0),
      8,
    );
    expect(graphDot(graphOf(run, { profile: profiled }))).toMatch(/, [\d.e-]+ (µs|ms)"/);
    expect(graphDot(graphOf(run))).not.toMatch(/ (µs|ms)"/);
  });
});

describe("opTimes", () => {
  it("shares what cannot be told apart, tells lines apart, and gives nothing to what was left out", () => {
    const op = (name: string, path: string, site: string | undefined) => ({ op: { name }, path, pass: "forward", site }) as never;
    const [a, b, c, d, e] = [
      op("add", "", "f:1"),
      op("add", "", "f:2"),
      op("add", "", "f:2"),
      op("mul", "x", undefined),
      op("sum", "", "f:3"),
    ];
    const origin = (name: string, layer: string, line: string | undefined) => ({ op: name, layer, pass: "forward", line }) as const;
    const kernels = [
      { milliseconds: 8, origins: [origin("add", "", "f:1"), origin("add", "", "f:2")] },
      { milliseconds: 6, origins: [origin("mul", "x", "g:9")] },
      { milliseconds: 3, origins: [origin("add", "", undefined)] },
    ] as never;
    const times = opTimes([a, b, c, d, e], { kernels });
    expect([a, b, c, d, e].map((one) => times.get(one))).toEqual([5, 3, 3, 6, 0]);
  });
});
