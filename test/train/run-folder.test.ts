// Run folders as others leave them: half-written files of killed processes, links, pipes, and an owner that is gone.

import { execFileSync } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { markText, ownMark, readMark, stateOf } from "../../src/io/node/process-mark.ts";
import { temporaryFor } from "../../src/io/node/temporary.ts";
import { writeFileAtomic } from "../../src/io/node.ts";
import { RunFolder } from "../../src/train/node.ts";

let path = "";
beforeEach(async () => {
  path = await mkdtemp(join(tmpdir(), "kasane-folder-"));
});
afterEach(() => rm(path, { recursive: true }));

const gone = { ...ownMark(), pid: 999_999_999 };

describe("marks of processes", () => {
  it("tell a process from a later one with its number, from one before a restart, and from one of another machine", () => {
    const own = ownMark();
    expect(readMark(markText(own))).toEqual(own);
    expect(stateOf(own)).toBe("running");
    expect(stateOf({ ...own, pid: process.ppid, birth: "" })).toBe("running");
    expect(stateOf(gone)).toBe("gone");
    expect(stateOf({ ...own, pid: 0 })).toBe("gone");
    expect(stateOf({ ...own, machine: "cafe" })).toBe("elsewhere");
    expect(readMark(markText({ ...own, machine: "" }))).toEqual({ ...own, machine: "" });
    expect(stateOf({ ...own, machine: "" })).toBe("running");
    if (process.platform !== "linux") return;
    expect(stateOf({ ...own, birth: `${Number(own.birth) - 1}` })).toBe("gone");
    expect(stateOf({ ...own, boot: "cafe" })).toBe("gone");
  });

  it.each(["", "x", "-3", "1.5", "12345678901", "3.x.y.z", "3\u001b[2J"])("are not read from %j", (text) => {
    expect(readMark(text)).toBe(undefined);
  });
});

describe("what a killed process leaves", () => {
  const left = (file: string, mark: string): string => `.${file}.${mark}-1f.tmp`;

  it("is no part of a run, and is removed by the next that trains there", async () => {
    const names = [
      left("config.json", markText(gone)),
      left("model.safetensors", "999999999"),
      `.claim-${markText(gone)}-1f`,
      "training.pid",
    ];
    await mkdir(join(path, "run"));
    for (const name of names) await writeFile(join(path, "run", name), "999999999");
    const folder = await RunFolder.create(join(path, "run"));
    expect(await readdir(folder.path)).toEqual(["training.pid"]);
    await folder.release();
    expect(await readdir(folder.path)).toEqual([]);
  });

  it("is removed wherever the same file is written again; what others write stays", async () => {
    const others = [left("a.txt", String(process.ppid)), left("a.txt", markText({ ...gone, machine: "cafe" })), left("b.txt", markText(gone)), ".a.txt.tmp"]; // biome-ignore format: a list
    for (const name of [...others, left("a.txt", markText(gone))]) await writeFile(join(path, name), "part");
    await writeFileAtomic(join(path, "a.txt"), "whole");
    expect((await readdir(path)).sort()).toEqual([...others, "a.txt"].sort());
    expect(temporaryFor("a.txt")).not.toBe(temporaryFor("a.txt"));
  });

  it("is removed with the rest where a run is replaced, also when the replacement was killed half-way", async () => {
    const folder = await RunFolder.create(join(path, "run"));
    await folder.writeConfig({});
    await writeFile(join(folder.path, "checkpoint.safetensors"), "old");
    await rm(join(folder.path, "config.json"));
    const replaced = await RunFolder.create(folder.path, { replace: true });
    expect(await replaced.has("checkpoint")).toBe(false);
  });
});

describe.skipIf(process.platform === "win32")("links and pipes in a run folder", () => {
  const none = { epoch: 1, learningRate: 0.1, seconds: 1, train: { loss: 1 } };

  it("are not written through", async () => {
    const names = [
      "config.json",
      "metrics.jsonl",
      "model.safetensors",
      "checkpoint.safetensors",
      "summary.json",
      "summary.txt",
      "training.pid",
    ];
    const mine = join(path, "mine");
    await writeFile(mine, "mine");
    await mkdir(join(path, "run"));
    for (const name of names) await symlink(mine, join(path, "run", name));
    const folder = await RunFolder.open(join(path, "run"));
    await expect(folder.appendMetrics(none)).rejects.toThrow(/cannot write .*metrics\.jsonl: it is a symbolic link/);
    await folder.claim();
    await folder.writeConfig({});
    await folder.writeMetrics([none]);
    await folder.appendMetrics(none);
    await folder.saveModel(new Map(), {});
    await folder.writeSummary({}, "text");
    await folder.release();
    expect(await readFile(mine, "utf8")).toBe("mine");
    expect(await folder.readMetrics()).toHaveLength(2);
  });

  it("are not waited for", async () => {
    await mkdir(join(path, "run"));
    execFileSync("mkfifo", [join(path, "run", "config.json")]);
    const folder = await RunFolder.open(join(path, "run"));
    await expect(folder.readConfig()).rejects.toThrow(/cannot read .*config\.json: it is a pipe, a file was expected/);
    await symlink("/dev/zero", join(path, "run", "metrics.jsonl"));
    await expect(folder.readMetrics()).rejects.toThrow(/it is a device, a file was expected/);
    await rm(join(path, "run", "metrics.jsonl"));
    execFileSync("mkfifo", [join(path, "run", "metrics.jsonl")]);
    await expect(folder.appendMetrics(none)).rejects.toThrow(/cannot write .*metrics\.jsonl: nobody is at its other end/);
  });

  it.each([
    ["a pipe", /it is a pipe, a file was expected/, (claim: string) => execFileSync("mkfifo", [claim])],
    ["a device", /it is a device, a file was expected/, (claim: string) => symlink("/dev/zero", claim)],
    ["a folder", /it is a folder, a file was expected/, (claim: string) => mkdir(claim)],
    ["megabytes", /it has 1 MiB, at most 4 KiB are read/, (claim: string) => writeFile(claim, new Uint8Array(2 ** 20))],
  ])("%s is no claim", async (_, message, make) => {
    await mkdir(join(path, "run"));
    await writeFile(join(path, "run", "config.json"), "{}");
    await make(join(path, "run", "training.pid"));
    const claiming = (await RunFolder.open(join(path, "run"))).claim();
    await expect(claiming).rejects.toThrow(message);
    await expect(claiming).rejects.toThrow(/training\.pid.*\n {2}try: delete it, or give another folder/);
  });
});

it("gives runs the number after the largest, whatever else the folder holds", async () => {
  for (const name of ["a-1", "a-7", "a-1e+23", "a-99999999999999999999999", "a--3", "a-0x10", "a-", "a-8.5", "ab-9"])
    await mkdir(join(path, name));
  const made = [await RunFolder.createNumbered(path, "a"), await RunFolder.createNumbered(path, "a")];
  expect(made.map((folder) => folder.path)).toEqual([join(path, "a-8"), join(path, "a-9")]);
  for (const folder of made) await folder.release();
});
