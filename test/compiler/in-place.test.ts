// Updates in place: into the cell where only its own element is read, otherwise apart from it.

import { afterAll, describe, expect, it } from "vitest";
import { updateInPlace } from "../../src/compiler/in-place.ts";
import {
  availableBackends,
  compile,
  getBackend,
  manualSeed,
  noGrad,
  parameter,
  setBackend,
  type Tensor,
  uniform,
} from "../../src/index.ts";
import type { StepGraph } from "../../src/nest/step-graph.ts";
import { expectArray, keepsNumbers, through, traceOf } from "./support.ts";

const original = getBackend().name;
afterAll(() => setBackend(original));

const inPlace = (graph: StepGraph): StepGraph => keepsNumbers(through(graph, "epilogues-of-fused"), updateInPlace);
// biome-ignore lint/suspicious/noConfusingVoidType: an update without a return statement gives void
const updating = (update: (cell: Tensor, other: Tensor, x: Tensor) => void | Tensor): StepGraph => {
  const [cell, other] = [uniform([4, 4]), uniform([4, 4])];
  return inPlace(traceOf((x: Tensor) => update(cell, other, x) ?? x.sum(), uniform([4, 4])));
};

describe("in place", () => {
  it("writes into the cell where each element needs its own only", () => {
    expect(updating((cell, _, x) => cell.assign(cell.sub(x.mul(0.1)))).updates).toHaveLength(0);
    expect(updating((cell, _, x) => cell.assign(x.exp())).updates).toHaveLength(0);
    expect(
      updating((v, w, x) => {
        v.assign(v.mul(0.9).add(x));
        w.assign(w.sub(v.mul(0.1)));
      }).updates,
    ).toHaveLength(0);
    expect(
      updating((cell, _, x) => {
        cell.assign(cell.add(1));
        cell.assign(cell.mul(x));
      }).updates,
    ).toHaveLength(0);
  });

  it("gives the new numbers where they are also a result", () => {
    expect(
      updating((cell, _, x) => {
        cell.assign(cell.add(x));
        return cell;
      }).updates,
    ).toHaveLength(0);
  });

  it("writes into the cell after all of it was read for something else", () => {
    expect(updating((cell) => cell.assign(cell.sub(cell.mean()))).updates).toHaveLength(0);
    expect(updating((cell) => cell.assign(cell.softmax())).updates).toHaveLength(0);
  });

  it("stays apart where other elements are read: transposed, shifted, broadcast, summed", () => {
    const apart: ((cell: Tensor) => Tensor)[] = [
      (cell) => cell.transpose().add(1),
      (cell) => cell.flip(0).mul(2),
      (cell) =>
        cell.slice([1, null]).pad([
          [0, 1],
          [0, 0],
        ]),
      (cell) => cell.add(cell.slice([0, 1])),
      (cell) => cell.matmul(cell),
    ];
    for (const f of apart) expect(updating((cell) => cell.assign(f(cell))).updates, String(f)).toHaveLength(1);
  });

  it("stays apart where the old numbers are read afterwards, or are a result", () => {
    expect(
      updating((v, w) => {
        const before = v.detach();
        v.assign(w);
        w.assign(before);
      }).updates,
    ).toHaveLength(1);
    expect(
      updating((cell, _, x) => {
        const before = cell.detach();
        cell.assign(cell.add(x));
        return before;
      }).updates,
    ).toHaveLength(0);
    expect(
      updating((cell, other, x) => {
        const before = cell.detach();
        cell.assign(cell.add(x));
        return before.matmul(other);
      }).updates,
    ).toHaveLength(1);
  });

  it("two cells may take the same numbers, and a cell its own", () => {
    updating((v, w, x) => {
      const y = x.exp();
      v.assign(y);
      w.assign(y);
    });
    expect(updating((cell) => cell.assign(cell.reshape([16]).reshape([4, 4]))).updates).toHaveLength(0);
  });
});

describe.each(availableBackends())("on %s", (backend) => {
  // Long sums are kept unfinished in the output, which must not be the weight the epilogue still needs.
  it.each([
    [1, 5, 20],
    [64, 5, 20],
    [200, 53, 37],
    [256, 8, 16],
    [257, 5, 20],
    [600, 5, 20],
    [1500, 17, 20],
  ])("updates weights from gradients summed over %i samples, %i × %i", (samples, outputs, inputs) => {
    setBackend(backend);
    manualSeed(1);
    const [x, t] = [uniform([samples, inputs], -1, 1), uniform([samples, outputs], -1, 1)];
    const start = uniform([outputs, inputs], -1, 1);
    const learn = (w: Tensor) => (): Tensor => {
      w.zeroGrad();
      const loss = x.matmul(w.transpose()).sub(t).square().mean();
      loss.backward();
      noGrad(() => w.assign(w.sub((w.grad as Tensor).mul(0.5))));
      return loss;
    };
    const [eager, compiled] = [parameter(start), parameter(start)];
    const [one, other] = [learn(eager), compile(learn(compiled))];
    for (let n = 0; n < 3; n++) expectArray(other().data, one().data, "loss");
    expect(other.steps[0]?.graph.updates).toHaveLength(samples > 256 ? 1 : 0);
    expectArray(compiled.data, eager.data, "weights");
  });
});
