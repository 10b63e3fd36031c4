// The built program where the system gives little: addresses, open files, a disk behind standard output, an environment, flushing.

import { execFile } from "node:child_process";
import { mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ensureBuilt } from "../../scripts/lib/build.mjs";
import { writeFileAtomic } from "../../src/io/node.ts";
import { environment } from "../../src/util/environment.ts";
import { quoted } from "../../src/util/shell.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const program = join(root, "dist/cli/main.js");
let cwd = "";
beforeAll(async () => {
  await ensureBuilt(root, "library");
  cwd = await mkdtemp(join(tmpdir(), "kasane-limits-"));
});
afterAll(() => rm(cwd, { recursive: true }));

/** @param line of a shell, in which $KASANE stands for the command */
function shell(line: string, env: Readonly<Record<string, string>> = {}): Promise<{ code: number; out: string; err: string }> {
  const more = { KASANE: `${process.execPath} ${program}`, KASANE_BACKEND: "", ...env };
  return new Promise((resolve) =>
    execFile("bash", ["-c", line], { cwd, env: { ...process.env, ...more } }, (error, out, err) =>
      resolve({ code: typeof error?.code === "number" ? error.code : error === null ? 0 : -1, out, err }),
    ),
  );
}

describe.skipIf(process.platform !== "linux")("little of the system's", () => {
  it.each([3, 12])("addresses, %i million KiB: something runs unasked", async (millions) => {
    const train = "$KASANE train xor --samples 50 --epochs 1 --json";
    const { code, err } = await shell(`ulimit -v ${millions}000000; ${train} --out limited-${millions}`);
    expect({ code, err: err.includes("inside kasane") }).toEqual({ code: 0, err: false });
    const wasm = await shell(`ulimit -v ${millions}000000; ${train} --out wasm-${millions}`, { KASANE_BACKEND: "wasm" });
    if (wasm.code === 0) return;
    expect(wasm.err).toMatch(/^kasane: wasm: the engine gave no memory/m);
    const [, NODE_OPTIONS = "", KASANE_THREADS = ""] = /NODE_OPTIONS=(\S+) with KASANE_THREADS=(\d+)/.exec(wasm.err) ?? [];
    const advised = { KASANE_BACKEND: "wasm", NODE_OPTIONS, KASANE_THREADS };
    expect((await shell(`ulimit -v ${millions}000000; ${train} --out advised-${millions}`, advised)).code).toBe(0);
  });

  it.each([32, 64, 128])("open files: %i", async (most) => {
    const { code, err } = await shell(`ulimit -n ${most}; $KASANE explain relu`);
    const sentence = `kasane: the program does not load where a process may open ${most} files at once\n  try: a higher limit, ulimit -n 1024\n`;
    expect({ code, err }).toEqual(code === 0 ? { code, err: "" } : { code: 1, err: sentence });
    expect((await shell("ulimit -n 1024; $KASANE explain relu")).code).toBe(0);
  });

  it("room behind standard output, or standard error", async () => {
    const full = await shell("$KASANE explain > /dev/full");
    expect({ code: full.code, err: full.err }).toEqual({
      code: 1,
      err: "kasane: cannot write the results to standard output: no space is left on the device\n",
    });
    expect((await shell("$KASANE explain nope 2> /dev/full")).code).toBe(2);
  });
});

it("is started by its name, and says so of what happens beside a command", async () => {
  if (process.platform === "win32") return;
  expect((await shell(`${program} --version`)).out).toMatch(/^\d+\.\d+\.\d+\n$/);
  const late = "setTimeout(() => { throw new Error('late'); }); await new Promise((end) => setTimeout(end, 500));";
  const { code, out, err } = await shell(`echo "${late}" > late.mjs; $KASANE graph late.mjs --json`);
  expect({ code, err: err.split("\n")[0] }).toEqual({ code: 1, err: "kasane: an error at late.mjs:1: late" });
  expect(JSON.parse(out)).toHaveProperty("error.message");
});

it("flushing: goes on where it is refused, says so once, and fails where it fails", async () => {
  const probe = await open(join(cwd, "probe"), "w");
  const prototype = Object.getPrototypeOf(probe) as { sync: () => Promise<void> };
  await probe.close();
  const { sync } = prototype;
  const warnings: string[] = [];
  const listener = (warning: Error): void => void warnings.push(warning.message);
  process.on("warning", listener);
  try {
    prototype.sync = () =>
      Promise.reject(Object.assign(new Error("Access to this API has been restricted"), { code: "ERR_ACCESS_DENIED" }));
    for (const n of [1, 2, 3]) await writeFileAtomic(join(cwd, "flushed"), String(n));
    await new Promise((resolve) => setImmediate(resolve));
    expect(warnings).toEqual([
      expect.stringContaining("files are written without being flushed to the disk (Node's permissions do not allow it)"),
    ]);
    prototype.sync = () => Promise.reject(Object.assign(new Error("EIO"), { code: "EIO" }));
    await expect(writeFileAtomic(join(cwd, "flushed"), "4")).rejects.toThrow(/cannot write .*flushed: the device failed/);
  } finally {
    prototype.sync = sync;
    process.off("warning", listener);
  }
});

it("an environment that may not be read is none", () => {
  const { env } = process;
  const forbidden = new Proxy({}, { get: () => { throw new Error("Requires env access"); } }); // biome-ignore format: one thought
  try {
    Object.defineProperty(process, "env", { value: forbidden, configurable: true, writable: true });
    expect(environment("KASANE_BACKEND")).toBe(undefined);
  } finally {
    Object.defineProperty(process, "env", { value: env, configurable: true, writable: true });
  }
});

it.each([
  ["runs/digits-1", "runs/digits-1", "runs/digits-1"],
  ["my run", "'my run'", '"my run"'],
  ["it's", "'it'\\''s'", `"it's"`],
  ["C:\\my runs\\", "'C:\\my runs\\'", '"C:\\my runs\\\\"'],
  ["C:\\runs\\one", "'C:\\runs\\one'", "C:\\runs\\one"],
  ["a&b", "'a&b'", '"a&b"'],
])("quotes %s for the shell it is for", (word, posix, windows) => {
  expect(quoted(word, "linux")).toBe(posix);
  expect(quoted(word, "win32")).toBe(windows);
});
