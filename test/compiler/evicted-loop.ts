// Run by evicted.test.ts with --expose-gc: each kind of code for more shapes than are kept; prints what is left of the evicted, and the heap.

import type { Backend } from "../../src/backends/backend.ts";
import { createEmittedBackend } from "../../src/backends/emitted/backend.ts";
import type { Heap, Target } from "../../src/backends/emitted/target.ts";
import { teamOf } from "../../src/backends/emitted/threads.ts";
import { wasmTarget } from "../../src/backends/wasm/wasm.ts";
import { x64Target } from "../../src/backends/x64/x64.ts";
import { Dataset } from "../../src/data/index.ts";
import { bind } from "../../src/formula/bind/bind.ts";
import { parseFormula } from "../../src/formula/parse.ts";
import { compile, getBackend, manualSeed, parameter, type Tensor, tensor, uniform } from "../../src/index.ts";
import { batchNorm, crossEntropy, linear, sequential } from "../../src/nn/index.ts";
import { adam, sgd } from "../../src/optim/index.ts";
import { fit } from "../../src/train/index.ts";
import { type CompiledProgram, compileProgram } from "../backends/program.ts";

const collect = (globalThis as { gc?: () => void }).gc;
if (collect === undefined) throw new Error("run with --expose-gc");

export interface Left {
  /** Things of programs for early shapes, how many of them were made, and how many are still there at the end. */
  readonly made: number;
  readonly left: number;
  /** Bytes of the heap after each round but the first, which warms up. */
  readonly heap: readonly number[];
}

/** Runs a kind of code for a number of samples; `note` is given what must not outlive the program. */
type Kind = (note: (thing: object) => void) => (size: number) => unknown;

const batch = (size: number): [x: Tensor, target: Tensor] => [
  uniform([size, 4], -1, 1) as Tensor,
  tensor(Int32Array.from({ length: size }, (_, n) => n % 2)) as Tensor,
];
const classifier = () => sequential(batchNorm(4), linear(4, 2));

/** A step of its own kind for every size, with what it computes and its program noted. */
function stepping(note: (thing: object) => void, step: (x: Tensor, target: Tensor) => Tensor): (size: number) => unknown {
  const compiled = compile((x: Tensor, target: Tensor) => {
    const result = step(x, target);
    note(result);
    return result;
  });
  return (size) => {
    const result = compiled(...batch(size));
    note(compiled.steps.at(-1) as object);
    return result.item();
  };
}

const kinds: Readonly<Record<string, Kind>> = {
  "a forward pass": (note) => {
    const net = classifier();
    return stepping(note, (x, target) => crossEntropy(net(x), target) as Tensor);
  },
  gradients: (note) => {
    const net = classifier();
    return stepping(note, (x, target) => {
      net.zeroGrad();
      const loss = crossEntropy(net(x), target) as Tensor;
      loss.backward();
      return loss;
    });
  },
  "gradients that are computed on a tape, and left": (note) => {
    const weight = parameter(uniform([4, 2])) as Tensor;
    return stepping(note, (x) => {
      weight.zeroGrad();
      const loss = x.matmul(weight).square().sum() as Tensor;
      loss.backward(undefined, { createGraph: true });
      return loss;
    });
  },
  "gradients of arguments": (note) => {
    const x = tensor([[1, 2, 3, 4]], { requiresGrad: true }) as Tensor;
    const step = compile((value: Tensor, _size: number) => {
      value.zeroGrad();
      const loss = value.square().sum() as Tensor;
      note(loss);
      loss.backward();
      return loss;
    });
    return (size) => step(x, size).item();
  },
  "gradients from before": (note) => {
    const weight = parameter(uniform([4, 2])) as Tensor;
    const steps = stepping(note, (x) => {
      const loss = x.matmul(weight).square().sum() as Tensor;
      loss.backward();
      return loss;
    });
    return (size) => {
      weight.zeroGrad();
      weight.sum().backward();
      return steps(size);
    };
  },
  "training with momentum": (note) => {
    const net = classifier();
    const optimizer = sgd(net.parameters(), { learningRate: 0.01, momentum: 0.9 });
    return stepping(note, (x, target) => {
      optimizer.zeroGrad();
      const loss = crossEntropy(net(x), target) as Tensor;
      loss.backward();
      optimizer.step();
      return loss;
    });
  },
  "training with an optimizer made anew": (note) => {
    const net = classifier();
    return (size) => {
      const optimizer = adam(net.parameters(), { learningRate: 0.01 });
      note(optimizer);
      return stepping(note, (x, target) => {
        const loss = crossEntropy(net(x), target) as Tensor;
        optimizer.zeroGrad();
        loss.backward();
        optimizer.step();
        return loss;
      })(size);
    };
  },
  "derivatives of a compiled part": (note) => {
    const net = classifier();
    const run = stepping(note, (x, target) => crossEntropy(net(x), target) as Tensor);
    const part = compile((x: Tensor) => {
      const y = net(x) as Tensor;
      note(y);
      return y;
    });
    return (size) => {
      net.zeroGrad();
      const loss = crossEntropy(part(batch(size)[0]), batch(size)[1]) as Tensor;
      note(loss);
      loss.backward(undefined, { createGraph: true });
      net.zeroGrad();
      return run(size);
    };
  },
  "a step that fails at tracing": (note) => {
    const net = classifier();
    return (size) => {
      try {
        stepping(note, (x, target) => {
          const loss = crossEntropy(net(x), target) as Tensor;
          note(loss);
          loss.backward();
          throw new Error("mine");
        })(size);
      } catch {}
    };
  },
  fit: (note) => {
    const net = classifier();
    const optimizer = adam(net.parameters(), { learningRate: 0.01 });
    const [x, target] = batch(72);
    const loss = (prediction: Tensor, wanted: Tensor): Tensor => {
      note(prediction);
      return crossEntropy(prediction, wanted) as Tensor;
    };
    return (size) => fit(net, new Dataset({ x, y: target }), { loss, optimizer, epochs: 1, batchSize: size });
  },
  "programs of single ops, whose ops are still there": (note) => {
    const name = getBackend().name;
    if (name === "reference") return () => note({});
    const make = (target: Target<Heap>): Backend =>
      createEmittedBackend({
        ...target,
        load(module, heap) {
          note(module);
          return target.load(module, heap);
        },
      });
    const team = teamOf(1);
    const backend = make((name === "x64" ? x64Target(undefined, team) : wasmTarget(team)) as Target<Heap>);
    const kept: CompiledProgram[] = [];
    let formulas = 0;
    return () => {
      for (let n = 0; n < 16; n++) {
        const formula = parseFormula(`y = x * ${++formulas}`);
        const program = bind(formula, { name, inputs: { x: { dtype: "float32", shape: [3] } } });
        const executable = compileProgram(backend, program);
        if (kept.length < 16) kept.push(executable);
      }
    };
  },
  "weights that go from machine to machine": (note) => {
    const weight = uniform([20_000, 4]) as Tensor;
    const steps = stepping(note, (x) => {
      weight.assign(weight.mul(0.5).add(x.sum(0)));
      return weight.sum() as Tensor;
    });
    const double = compile((factor: Tensor) => weight.mul(factor).sum() as Tensor);
    return (size) => {
      steps(size);
      double(tensor([size], { dtype: "float64" }) as Tensor);
    };
  },
};

async function settled(): Promise<number> {
  for (let pass = 0; pass < 5; pass++) {
    collect?.();
    await new Promise((resolve) => setImmediate(resolve));
  }
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

const rounds = 3;
const found: Record<string, Left> = {};
for (const [name, kind] of Object.entries(kinds)) {
  manualSeed(1);
  const noted: WeakRef<object>[] = [];
  let notes = true;
  const run = kind((thing) => void (notes && noted.push(new WeakRef(thing))));
  const heap: number[] = [];
  for (let round = 0; round < rounds; round++) {
    for (let size = 2; size < 36; size++) {
      await run(size);
      notes = false;
    }
    heap.push(await settled());
  }
  found[name] = { made: noted.length, left: noted.filter((thing) => thing.deref() !== undefined).length, heap: heap.slice(1) };
}
console.log(JSON.stringify(found));
