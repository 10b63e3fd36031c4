// What the project has set out to reach, workload by workload.

/** At least `least` of the machine's limit, in GFLOP/s, or times as fast as the best of other libraries. */
export interface Target {
  readonly than: "limit" | "GFLOP/s" | "torch" | "onnxruntime" | "tfjs" | "jax-js";
  readonly least: number;
}

export interface Goal {
  readonly workload: string;
  readonly backend: "x64" | "wasm";
  readonly targets: readonly Target[];
}

const goals = (backend: Goal["backend"], workloads: readonly string[], ...targets: readonly Target[]): Goal[] =>
  workloads.map((workload) => ({ workload, backend, targets }));

const CONVOLUTIONS = ["conv3x3-fwd", "conv3x3-bwd-data", "conv3x3-bwd-weight"];

export const GOALS: readonly Goal[] = [
  ...goals("x64", ["gemm-1024", "gemm-2048"], { than: "limit", least: 0.85 }, { than: "torch", least: 0.95 }),
  ...goals("x64", ["gemm-511", "gemm-512", "gemm-513", "gemm-128x785x257", "gemm-1x1024x1024"], { than: "limit", least: 0.75 }),
  ...goals("x64", CONVOLUTIONS, { than: "torch", least: 0.85 }),
  ...goals("x64", ["mlp-small"], { than: "torch", least: 12 }),
  ...goals("x64", ["mlp-mnist-sgd", "mlp-mnist-adam"], { than: "torch", least: 1 }),
  ...goals("x64", ["lenet"], { than: "torch", least: 1.5 }),
  ...goals("x64", ["convnet-cifar"], { than: "torch", least: 1 }),
  ...goals("x64", ["maxpool"], { than: "torch", least: 1.5 }),
  ...goals("x64", ["eltwise-sigmoid"], { than: "torch", least: 1 }),
  ...goals("x64", ["eltwise-gelu"], { than: "torch", least: 1.5 }),
  ...goals("x64", ["eltwise-softmax"], { than: "torch", least: 1.3 }),
  ...goals("x64", ["lstm", "transformer-block"], { than: "torch", least: 1.3 }),
  ...goals("x64", ["resnet18-fwd-b1", "resnet18-fwd-b8"], { than: "onnxruntime", least: 0.8 }, { than: "torch", least: 1 }),
  ...goals("wasm", ["gemm-1024"], { than: "GFLOP/s", least: 80 }),
  ...goals("wasm", ["mlp-mnist-sgd", "mlp-mnist-adam"], { than: "tfjs", least: 4 }),
  ...goals("wasm", ["lenet", ...CONVOLUTIONS], { than: "jax-js", least: 10 }),
];
