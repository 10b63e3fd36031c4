// The benchmark as a user starts it: one tiny workload through the built program, and its command line.

import { type SpawnSyncReturns, spawnSync } from "node:child_process";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { wantedThreads } from "../../src/backends/emitted/threads.ts";
import { temporaryFolder } from "../scripts/temporary.ts";

const root = join(import.meta.dirname, "../..");

function bench(...args: string[]): SpawnSyncReturns<string> {
  return spawnSync(process.execPath, [join(root, "scripts/bootstrap.mjs"), "bench", ...args], { cwd: root, encoding: "utf8" });
}

describe("npm run bench", () => {
  it("prints one JSON object with limits and results", () => {
    const folder = temporaryFolder({ "peers.json": JSON.stringify({ "mlp-small": { other: 1000, unmeasured: null } }) });
    const { status, stdout, stderr } = bench("--json", "--only", "mlp-small", "--budget", "20", "--peers", join(folder, "peers.json"));
    expect(stderr).toContain("mlp-small");
    expect(status).toBe(0);
    const { limits, results } = JSON.parse(stdout);
    const ofWasm = limits.filter((limit: { backend: string }) => limit.backend === "wasm");
    expect(new Set(ofWasm.map((limit: { name: string }) => limit.name))).toEqual(new Set(["fma-peak", "copy", "triad"]));
    for (const limit of limits) expect(limit.value).toBeGreaterThan(0);
    expect(results).toHaveLength(1);
    const [result] = results;
    expect(result).toMatchObject({ workload: "mlp-small", threads: wantedThreads(), peers: { other: 1000 } });
    for (const key of ["medianMs", "minMs", "gflops", "shareOfLimit"]) expect(result[key]).toBeGreaterThan(0);
    expect(result.agreement).toMatchObject({ with: expect.stringContaining("PyTorch"), compared: 20 });
    expect(result.agreement.relativeDifference).toBeLessThan(1e-5);
  });

  it("prints a table with the ratio to another library", () => {
    const folder = temporaryFolder({
      "peers.json": JSON.stringify({ rows: { "mlp-small": { torch: { median_ms: 1000 }, slow: { failed: "timed out" } } } }),
    });
    const { status, stdout } = bench(
      "--only",
      "mlp-small",
      "--backend",
      "reference",
      "--budget",
      "1",
      "--peers",
      join(folder, "peers.json"),
    );
    expect(status).toBe(0);
    expect(stdout).toMatch(/^workload .* vs PyTorch +torch$/m);
    expect(stdout).toMatch(/^mlp-small .*×$/m);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: there must be none
    expect(stdout).not.toMatch(/[\u0000-\u0009\u000b-\u001f]/);
  });

  it("shows the time of every kernel", () => {
    const { status, stdout } = bench("--profile", "--only", "mlp-small", "--budget", "1");
    expect(status).toBe(0);
    expect(stdout).toMatch(/^mlp-small: [\d.]+ ms in \d+ kernels$/m);
    expect(stdout).toMatch(/^ +[\d.]+ +[\d.]+ % +\d+ +[\d.]+ +\d+ linearBias/m);
  });

  it("lists the workloads; a full name means that one only", () => {
    const names = (...args: string[]): string[] =>
      bench("--list", ...args)
        .stdout.trimEnd()
        .split("\n")
        .map((line) => line.split(" ")[0] as string);
    expect(names()).toEqual(expect.arrayContaining(["gemm-256", "convnet-cifar", "lenet-fwd", "maxpool-fwd", "resnet18-fwd-b1"]));
    expect(names("--only", "gemm-1024")).toEqual(["gemm-1024"]);
    expect(names("--only", "resnet,lenet-fwd")).toEqual(["lenet-fwd", "resnet18-fwd-b1", "resnet18-fwd-b8"]);
  });

  it.each([
    [["--only", "nothing"], "no workload is called or begins with 'nothing'"],
    [["--threads", "many"], "--threads: expected"],
    [["--backend", "abacus"], "--backend: expected"],
    [["--budget", "0"], "--budget: expected"],
    [["--what"], "--what"],
    [["--peers", "no-such-file.json"], "no-such-file.json"],
  ])("refuses %j with one sentence", (args, sentence) => {
    const { status, stdout, stderr } = bench(...args);
    expect(stderr).toContain(sentence);
    expect(stderr.trimEnd().split("\n")).toHaveLength(1);
    expect(stdout).toBe("");
    expect(status).toBe(2);
  });
});
