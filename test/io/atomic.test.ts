// Files written in one piece or not at all: failures, other writers, and a process killed while it writes.

import { execFileSync, spawn } from "node:child_process";
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "rolldown";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { loadSafetensors, saveSafetensors, writeFileAtomic } from "../../src/io/node.ts";
import { FileError } from "../../src/util/errors.ts";

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "kasane-io-"));
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

describe("writeFileAtomic", () => {
  it("creates and replaces, and leaves nothing else behind", async () => {
    const home = join(folder, "plain");
    await mkdir(home);
    await writeFileAtomic(join(home, "a.txt"), "one");
    await writeFileAtomic(join(home, "a.txt"), new TextEncoder().encode("two"));
    expect(await readFile(join(home, "a.txt"), "utf8")).toBe("two");
    expect(await readdir(home)).toEqual(["a.txt"]);
  });

  it("says what is wrong with a path that cannot be written, and cleans up", async () => {
    const missing = join(folder, "missing", "a.txt");
    await expect(writeFileAtomic(missing, "x")).rejects.toThrow(FileError);
    await expect(writeFileAtomic(missing, "x")).rejects.toThrow(
      /cannot write .*a\.txt: there is no such file or folder\n {2}try: check that the folder/,
    );
    const home = join(folder, "taken");
    await mkdir(join(home, "a.txt", "inside"), { recursive: true });
    await expect(writeFileAtomic(join(home, "a.txt"), "x")).rejects.toThrow(FileError);
    expect(await readdir(home)).toEqual(["a.txt"]);
  });

  it("keeps a symbolic link and replaces its target", async () => {
    await writeFile(join(folder, "target.txt"), "old");
    await symlink(join(folder, "target.txt"), join(folder, "link.txt"));
    await writeFileAtomic(join(folder, "link.txt"), "new");
    expect(await readFile(join(folder, "target.txt"), "utf8")).toBe("new");
  });

  it.skipIf(process.getuid?.() === 0 || process.platform === "win32")("leaves the old content in a folder without permission", async () => {
    const home = join(folder, "locked");
    await mkdir(home);
    await writeFile(join(home, "a.txt"), "old");
    await chmod(home, 0o500);
    await expect(writeFileAtomic(join(home, "a.txt"), "new")).rejects.toThrow(/permission was denied/);
    await chmod(home, 0o700);
    expect(await readFile(join(home, "a.txt"), "utf8")).toBe("old");
  });

  it.skipIf(process.platform === "win32")("keeps the permissions of the file", async () => {
    const path = join(folder, "private.txt");
    for (const mode of [0o600, 0o755, 0o444]) {
      await writeFile(path, "old");
      await chmod(path, mode);
      await writeFileAtomic(path, "new");
      expect([(await stat(path)).mode & 0o777, await readFile(path, "utf8")]).toEqual([mode, "new"]);
      await rm(path);
    }
  });

  it.skipIf(process.platform === "win32")("writes into a pipe or a device, which stays, also behind a link", async () => {
    const pipe = join(folder, "pipe");
    execFileSync("mkfifo", [pipe]);
    await symlink(pipe, join(folder, "to-pipe"));
    for (const path of [pipe, join(folder, "to-pipe")]) {
      const [read] = await Promise.all([readFile(pipe, "utf8"), writeFileAtomic(path, "drawn")]);
      expect([read, (await stat(pipe)).isFIFO()]).toEqual(["drawn", true]);
    }
    await symlink("/dev/null", join(folder, "to-null"));
    await writeFileAtomic(join(folder, "to-null"), "nothing");
    expect((await stat(join(folder, "to-null"))).isCharacterDevice()).toBe(true);
    // Where the name is to be a file's own, it is left alone.
    await expect(writeFileAtomic(pipe, "x", { followLinks: false })).rejects.toThrow(
      /cannot write .*pipe: it is a pipe, a file was expected$/,
    );
    expect((await stat(pipe)).isFIFO()).toBe(true);
  });

  it("lets many writers finish; the file is one of theirs, whole", async () => {
    const path = join(folder, "busy.txt");
    const contents = Array.from({ length: 20 }, (_, index) => String(index).repeat(50_000));
    await Promise.all(contents.map((content) => writeFileAtomic(path, content)));
    expect(contents).toContain(await readFile(path, "utf8"));
  });

  it("never shows a part of a file when the writer is killed", async () => {
    const path = join(folder, "killed.safetensors");
    const writer = join(folder, "writer.mjs");
    await build({ input: fileURLToPath(new URL("./writer.ts", import.meta.url)), platform: "node", output: { file: writer } });
    for (let round = 0; round < 6; round++) {
      await killWriter(writer, path, 7 * round);
      const { tensors } = await loadSafetensors(path);
      const values = tensors.get("w")?.data as Float32Array;
      expect(values.every((value) => value === values[0])).toBe(true);
    }
  });
});

describe("saveSafetensors", () => {
  it("writes what loadSafetensors reads", async () => {
    const path = join(folder, "model.safetensors");
    await saveSafetensors(path, { "linear.weight": { shape: [1, 2], data: Float32Array.of(0.5, 2) } }, { task: "wine" });
    const { tensors, metadata } = await loadSafetensors(path);
    expect(tensors.get("linear.weight")).toEqual({ dtype: "F32", shape: [1, 2], data: Float32Array.of(0.5, 2) });
    expect([...metadata]).toEqual([["task", "wine"]]);
  });

  it("keeps the old file when the new one cannot be made", async () => {
    const path = join(folder, "kept.safetensors");
    await saveSafetensors(path, { a: { shape: [1], data: Float32Array.of(1) } });
    await expect(saveSafetensors(path, { a: { shape: [2], data: Float32Array.of(1) } })).rejects.toThrow(/does not fit/);
    expect((await loadSafetensors(path)).tensors.get("a")?.data).toEqual(Float32Array.of(1));
  });

  it("names the file in errors", async () => {
    const path = join(folder, "short.safetensors");
    await writeFile(path, "abc");
    await expect(loadSafetensors(path)).rejects.toThrow(
      /short\.safetensors: not a valid safetensors file: expected at least 8 bytes, got 3/,
    );
    await expect(loadSafetensors(join(folder, "none"))).rejects.toThrow(/cannot read .*none: there is no such file/);
  });
});

/** Starts a process that rewrites `path` without end and kills it some time after its first complete write. */
async function killWriter(writer: string, path: string, milliseconds: number): Promise<void> {
  const child = spawn(process.execPath, [writer, path], { stdio: ["ignore", "pipe", "inherit"] });
  const ended = new Promise<NodeJS.Signals | null>((settle) => child.once("exit", (_, signal) => settle(signal)));
  await new Promise((settle) => child.stdout.once("data", settle));
  await new Promise((settle) => setTimeout(settle, milliseconds));
  child.kill("SIGKILL");
  expect(await ended).toBe("SIGKILL");
}
