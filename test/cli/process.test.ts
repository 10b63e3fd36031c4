// The built program as a process: signals, pipes that close early, and being killed at any moment.

import type { ChildProcess } from "node:child_process";
import { spawn, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ensureBuilt } from "../../scripts/lib/build.mjs";

const root = fileURLToPath(new URL("../..", import.meta.url));
let cwd = "";
beforeAll(async () => {
  await ensureBuilt(root, "library");
  cwd = await mkdtemp(join(tmpdir(), "kasane-process-"));
});
afterAll(() => rm(cwd, { recursive: true }));

function start(line: string): { readonly child: ChildProcess; readonly end: Promise<{ code: number | null; out: string; err: string }> } {
  const child = spawn(process.execPath, [join(root, "dist/cli/main.js"), ...line.split(" ")], {
    cwd,
    env: { ...process.env, NO_COLOR: "1" },
  });
  let out = "";
  let err = "";
  child.stdout?.on("data", (chunk) => (out += String(chunk)));
  child.stderr?.on("data", (chunk) => (err += String(chunk)));
  const end = new Promise<{ code: number | null; out: string; err: string }>((resolve) =>
    child.on("close", (code) => resolve({ code, out, err })),
  );
  return { child, end };
}

async function until(condition: () => boolean, child: ChildProcess): Promise<void> {
  while (!condition()) {
    if (child.exitCode !== null) throw new Error(`ended with ${child.exitCode} before it got there`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

describe("the process", () => {
  it("stops at SIGINT with 130 and goes on", async () => {
    const { child, end } = start("train moons --epochs 100000 --out stopped --json");
    await until(() => existsSync(join(cwd, "stopped", "checkpoint.safetensors")), child);
    child.kill("SIGINT");
    const { code, out, err } = await end;
    expect(code).toBe(130);
    const { epochs, interrupted } = JSON.parse(out) as { epochs: number; interrupted: string };
    expect(interrupted).toBe("SIGINT");
    expect(err).toContain("train --resume stopped");
    const rest = await start(`train --resume stopped --epochs ${epochs + 3} --json`).end;
    expect(rest.code).toBe(0);
    expect(JSON.parse(rest.out)).toMatchObject({ epochs: epochs + 3 });
  });

  it("refuses to replace a run that another process trains", async () => {
    const { child, end } = start("train moons --epochs 100000 --out busy --json");
    await until(() => existsSync(join(cwd, "busy", "checkpoint.safetensors")), child);
    const other = await start("train moons --epochs 1 --out busy --force").end;
    expect(other.code).not.toBe(0);
    expect(other.err).toContain(`process ${child.pid} is training into`);
    child.kill("SIGINT");
    expect((await end).code).toBe(130);
    expect((await start("train moons --epochs 1 --out busy --force --json").end).code).toBe(0);
  });

  it("says so where a module waits for what never comes", async () => {
    await writeFile(join(cwd, "never.mjs"), "await new Promise(() => {});\nexport const model = 1;\n");
    const { code, err } = await start("doctor never.mjs").end;
    expect(code).toBe(1);
    expect(err).toContain("never.mjs does not load: it waits for something that never comes");
  });

  it("says so where a module's function does", async () => {
    await writeFile(join(cwd, "waits.mjs"), "export default () => new Promise(() => {});\n");
    for (const command of ["explain", "graph"])
      expect((await start(`${command} waits.mjs`).end).err).toContain("waits.mjs: its function waits for something that never comes");
  });

  // As shells do, Node tells a process that a signal ended by no code.
  it.each(["explain", "graph", "doctor", "lr-find"])(
    "is ended by SIGINT and SIGTERM in %s while a module computes without an end",
    async (command) => {
      for (const signal of ["SIGINT", "SIGTERM"] as const) {
        const mark = `${command}-${signal}`;
        await writeFile(join(cwd, "loops.mjs"), `import { writeFileSync } from "node:fs";\nwriteFileSync("${mark}", "");\nfor (;;);\n`);
        const { child, end } = start(`${command} loops.mjs`);
        await until(() => existsSync(join(cwd, mark)), child);
        child.kill(signal);
        expect((await end).code).toBe(null);
        expect(child.signalCode).toBe(signal);
      }
    },
  );

  it("killed without warning, loses at most what came after the last checkpoint", async () => {
    for (const wait of [0, 130]) {
      const name = `killed-${wait}`;
      const { child, end } = start(`train moons --epochs 100000 --out ${name}`);
      await until(() => existsSync(join(cwd, name, "checkpoint.safetensors")), child);
      await new Promise((resolve) => setTimeout(resolve, wait));
      child.kill("SIGKILL");
      expect((await end).code).toBe(null);
      // One epoch is saved at once, later ones every two seconds.
      const rest = await start(`train --resume ${name} --epochs 2 --json`).end;
      expect(rest.err).not.toMatch(/damaged|not a valid/);
      expect(JSON.parse(rest.out)).toMatchObject({ run: name, epochs: 2 });
    }
    const whole = JSON.parse((await start("train moons --epochs 2 --json").end).out);
    const resumed = JSON.parse((await start("summary killed-0 --json").end).out);
    expect(resumed.result.validation).toEqual(whole.validation);
  });

  it.skipIf(process.platform === "win32")("says that the folder it was started in is gone", () => {
    const { status, stdout, stderr } = spawnSync("sh", ["-c", `mkdir gone && cd gone && rmdir ../gone && exec "$0" "$1" summary x --json`, process.execPath, join(root, "dist/cli/main.js")], { cwd, encoding: "utf8" }); // biome-ignore format: one line
    expect([status, stderr]).toEqual([1, "kasane: the folder it was started in is gone\n  try: cd to a folder that is there\n"]);
    expect(JSON.parse(stdout)).toEqual({
      error: { message: "the folder it was started in is gone", hint: "cd to a folder that is there" },
    });
  });

  it("ends quietly when nobody reads on", async () => {
    const { child, end } = start("train moons --epochs 300 --out unread");
    child.stdout?.destroy();
    const { code, err } = await end;
    expect(code).toBe(0);
    expect(err).toBe("");
  });
});
