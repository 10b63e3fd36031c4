// The libraries that kasane is measured beside: where they are found, how they are started, what to do when they are not there.

import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Command, PeerProcess } from "./process.ts";

export const PEERS = ["torch", "tfjs", "jax-js", "onnxruntime"] as const;
export type PeerName = (typeof PEERS)[number];

export interface Surroundings {
  readonly threads: number;
  /** Where packages are installed, itself or its subfolders. */
  readonly folder: string | undefined;
  readonly workloads: readonly string[];
}

/** What was started; a sentence for each library that is missing. */
export interface Found {
  readonly peers: readonly { readonly peer: PeerProcess; readonly version: string }[];
  readonly missing: readonly string[];
}

type Finder = (surroundings: Surroundings) => readonly (readonly [name: string, command: Command])[] | { readonly missing: string };

// Compiled programs lie in build/bench/peers/; the libraries' own scripts are not compiled.
const script = (name: string): string => fileURLToPath(new URL(`../../../bench/peers/${name}`, import.meta.url));

const finders: Readonly<Record<PeerName, Finder>> = {
  torch({ threads }) {
    const python = findPython();
    if (python === undefined)
      return { missing: "neither python3 nor /usr/bin/python3 can import torch: apt install python3-torch, or pip install torch" };
    const args = [script("torch_peer.py"), "--threads", String(threads)];
    const env = pythonEnvironment(threads);
    return [
      ["torch", { program: python, args, env }],
      // Instead of giving memory back to the system, malloc keeps it.
      [
        "torch-tuned",
        {
          program: python,
          args: [...args, "--tuned"],
          env: { ...env, ATEN_CPU_CAPABILITY: "avx512", MALLOC_MMAP_MAX_: "0", MALLOC_TRIM_THRESHOLD_: "100000000000" },
        },
      ],
    ];
  },
  tfjs: (surroundings) => node("tfjs.mjs", ["@tensorflow/tfjs@4.22.0", "@tensorflow/tfjs-backend-wasm@4.22.0"], surroundings),
  "jax-js": (surroundings) => node("jax-js.mjs", ["@jax-js/jax@0.1.25"], surroundings),
  onnxruntime(surroundings) {
    const python = findPython();
    if (python === undefined) return { missing: "its models are written with PyTorch, which python3 cannot import here" };
    const found = node("onnxruntime.mjs", ["onnxruntime-node@1.30.0"], surroundings, "ONNXRUNTIME_NODE_INSTALL=skip ");
    if ("missing" in found) return found;
    const models = mkdtempSync(join(tmpdir(), "kasane-onnx-"));
    process.on("exit", () => rmSync(models, { recursive: true, force: true }));
    const written = spawnSync(python, [script("torch_peer.py"), "--export", models, ...surroundings.workloads], { encoding: "utf8" });
    if (written.status !== 0) return { missing: `PyTorch could not write the models: ${written.stderr.trim().split("\n").at(-1)}` };
    return found.map(([name, command]) => [name, { ...command, args: [...command.args, models] }] as const);
  },
};

export async function findPeers(names: readonly PeerName[], surroundings: Surroundings): Promise<Found> {
  const peers: { peer: PeerProcess; version: string }[] = [];
  const missing: string[] = [];
  for (const name of names) {
    const found = finders[name](surroundings);
    if ("missing" in found) {
      missing.push(`${name} is left out: ${found.missing}`);
      continue;
    }
    for (const [column, command] of found) {
      const peer = new PeerProcess(column, command);
      try {
        peers.push({ peer, version: await peer.greet() });
      } catch (error) {
        missing.push(`${column} is left out: ${(error as Error).message}`);
      }
    }
  }
  return { peers, missing };
}

/** @param packages with the versions that the script was written for */
function node(file: string, packages: readonly string[], { threads, folder }: Surroundings, prefix = ""): ReturnType<Finder> {
  const names = packages.map((name) => name.slice(0, name.lastIndexOf("@")));
  const places = folder === undefined ? [] : [folder, ...subfolders(folder)];
  const place = places.find((candidate) => names.every((name) => existsSync(join(candidate, "node_modules", name))));
  if (place === undefined)
    return {
      missing: `${names.join(" and ")} ${names.length === 1 ? "is" : "are"} not in ${folder ?? "any folder (--peers-dir or KASANE_PEERS)"}: ${prefix}npm install --prefix DIR ${packages.join(" ")}, then --peers-dir DIR`,
    };
  return [[file.slice(0, -".mjs".length), { program: process.execPath, args: [script(file), String(threads), place] }]];
}

function subfolders(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && entry.name !== "node_modules")
    .map((entry) => join(folder, entry.name));
}

let python: string | undefined;

function findPython(): string | undefined {
  python ??= ["python3", "/usr/bin/python3"].find((candidate) => spawnSync(candidate, ["-c", "import torch"]).status === 0);
  return python;
}

/** Debian's OpenBLAS that shares OpenMP's threads with PyTorch: with the other, two pools of threads take each other's processors. */
const OPENMP_BLAS = "/usr/lib/x86_64-linux-gnu/openblas-openmp";

function pythonEnvironment(threads: number): NonNullable<Command["env"]> {
  const count = String(threads);
  return {
    // Where these are set they may choose slower kernels than the processor has.
    OPENBLAS_CORETYPE: undefined,
    OPENBLAS_L2_SIZE: undefined,
    OMP_NUM_THREADS: count,
    OPENBLAS_NUM_THREADS: count,
    ...(threads > 1 && existsSync(OPENMP_BLAS) ? { LD_LIBRARY_PATH: OPENMP_BLAS } : {}),
  };
}
