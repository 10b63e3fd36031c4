// The benchmark as a user starts it: one tiny workload through the built program, and its command line.

import { type SpawnSyncReturns, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { temporaryFolder } from "../scripts/temporary.ts";

const root = join(import.meta.dirname, "../..");

function bench(...args: string[]): SpawnSyncReturns<string> {
  return spawnSync(process.execPath, [join(root, "scripts/bootstrap.mjs"), "bench", ...args], { cwd: root, encoding: "utf8" });
}

describe("npm run bench", () => {
  it("prints one JSON object with limits and results", () => {
    const { status, stdout, stderr } = bench("--json", "--only", "mlp-small", "--budget", "20", "--threads", "1");
    expect(stderr).toContain("mlp-small");
    expect(status).toBe(0);
    const { machine, limits, results } = JSON.parse(stdout);
    expect(machine).toContain(`Node ${process.versions.node}`);
    const ofWasm = limits.filter((limit: { backend: string }) => limit.backend === "wasm");
    expect(ofWasm.map((limit: { name: string }) => limit.name)).toEqual(["fma-peak", "copy", "triad"]);
    for (const limit of limits) expect(limit.value).toBeGreaterThan(0);
    expect(results).toHaveLength(1);
    const [result] = results;
    expect(result).toMatchObject({ workload: "mlp-small", threads: 1 });
    for (const key of ["medianMs", "minMs", "gflops", "shareOfLimit", "bytes"]) expect(result[key]).toBeGreaterThan(0);
    expect(result.agreement).toMatchObject({ with: expect.stringContaining("PyTorch"), compared: 20 });
    expect(result.agreement.relativeDifference).toBeLessThan(1e-5);

    const folder = temporaryFolder({
      "x64.json": stdout.replaceAll("wasm", "x64"),
      "page.md": `before\n<!-- results: written by npm run bench -- --table -->\nold\n<!-- end of results -->\nafter\n`,
      "bare.md": "no marks",
    });
    const [file, page] = [join(folder, "x64.json"), join(folder, "page.md")];
    expect(bench("--table", file).stdout).toMatch(/^\| `mlp-small` \| x64 \| [\d.]+ \|.* 12 × torch \| not measured \|$/m);
    expect(bench("--table", file, "--into", page).status).toBe(0);
    expect(readFileSync(page, "utf8")).toMatch(/^before\n<!-- results[\s\S]*`mlp-small`[\s\S]*<!-- end of results -->\nafter\n$/);
    expect(readFileSync(page, "utf8")).not.toContain("old");
    expect(bench("--table", file, "--into", join(folder, "bare.md")).stderr).toContain("--into: expected the lines");
    expect(bench("--table", page).stderr).toContain("cannot be read as JSON");
  });

  it("says which libraries are missing and how to install them, and measures without", () => {
    const folder = temporaryFolder({ "empty.txt": "" });
    const { status, stdout, stderr } = bench(
      ...["--only", "mlp-small", "--backend", "reference", "--budget", "1", "--with", "tfjs,jax-js", "--peers-dir", folder],
    );
    expect(stderr).toMatch(/^tfjs is left out: @tensorflow\/tfjs and .* npm install --prefix DIR/m);
    expect(stderr).toMatch(/^jax-js is left out: @jax-js\/jax is not in/m);
    expect(stdout).toMatch(/^mlp-small +[\d.~]+/m);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: there must be none
    expect(stdout).not.toMatch(/[\u0000-\u0009\u000b-\u001f]/);
    expect(status).toBe(0);
  });

  it("measures PyTorch in turn, with a column of ratios, where it is installed", ({ skip }) => {
    const { status, stdout, stderr } = bench("--only", "mlp-small", "--budget", "20", "--threads", "1", "--with", "torch");
    expect(status).toBe(0);
    if (stderr.includes("torch is left out")) {
      process.stderr.write(`SKIPPED: ${stderr.split("\n")[0]}\n`);
      skip();
    }
    expect(stdout).toMatch(/^workload .* torch +torch-tuned$/m);
    expect(stdout).toMatch(/^mlp-small .* \([\d.]+×\) +[\d.]+ \([\d.]+×\)$/m);
    expect(stdout).not.toContain("computes other numbers");
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
    expect(names()).toEqual(
      expect.arrayContaining(["gemm-256", "convnet-cifar", "lenet-fwd", "lstm", "maxpool-fwd", "resnet18-fwd-b1", "transformer-block-fwd"]),
    );
    expect(names("--only", "gemm-1024")).toEqual(["gemm-1024"]);
    expect(names("--only", "resnet,lenet-fwd")).toEqual(["lenet-fwd", "resnet18-fwd-b1", "resnet18-fwd-b8"]);
  });

  it.each([
    [["--only", "nothing"], "no workload is called or begins with 'nothing'"],
    [["--threads", "many"], "--threads: expected"],
    [["--backend", "abacus"], "--backend: expected"],
    [["--budget", "0"], "--budget: expected"],
    [["--what"], "--what"],
    [["--with", "abacus"], "--with: expected"],
    [["--into", "page.md"], "--into"],
    [["--table", "no-such-file.json"], "no-such-file.json"],
  ])("refuses %j with one sentence", (args, sentence) => {
    const { status, stdout, stderr } = bench(...args);
    expect(stderr).toContain(sentence);
    expect(stderr.trimEnd().split("\n")).toHaveLength(1);
    expect(stdout).toBe("");
    expect(status).toBe(2);
  });
});
