// A process that trains and saves is killed again and again: every file it leaves is whole, and what follows is as if nothing had happened.

import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { availableBackends, setBackend } from "../../src/index.ts";
import { RunFolder } from "../../src/train/node.ts";
import { bundle as bundleProgram } from "../bundle.ts";
import { train } from "./killed-loop.ts";

const home = mkdtempSync(join(tmpdir(), "kasane-killed-"));
const program = join(home, "loop.mjs");

beforeAll(() => bundleProgram(new URL("./killed-loop.ts", import.meta.url), program));
afterAll(() => rmSync(home, { recursive: true, force: true }));

const bytesOf = ({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array => new Uint8Array(buffer, byteOffset, byteLength);
const pause = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Lets the program train until it has saved another epoch than `before`, and a little longer. @returns the epochs of the file that is left */
async function trainAndKill(folder: RunFolder, backend: string, before: number, milliseconds: number): Promise<number> {
  const child = spawn(process.execPath, [program], {
    env: { ...process.env, KASANE_BACKEND: backend, KASANE_KILLED_RUN: folder.path, NODE_PATH: join(process.cwd(), "node_modules") },
    stdio: ["ignore", "ignore", "inherit"],
  });
  const ended = new Promise<NodeJS.Signals | null>((resolve) => child.once("exit", (_, signal) => resolve(signal)));
  const saved = async (): Promise<number> =>
    existsSync(join(folder.path, "checkpoint.safetensors")) ? (await folder.loadCheckpoint()).epochs : 0;
  while ((await saved()) <= before) {
    if (child.exitCode !== null) throw new Error(`the training ended by itself with ${child.exitCode}`);
    await pause(5);
  }
  await pause(milliseconds);
  child.kill("SIGKILL");
  expect(await ended).toBe("SIGKILL");
  return saved();
}

it.each(availableBackends().filter((name) => name !== "reference"))("on %s", async (backend) => {
  const folder = await RunFolder.create(join(home, backend));
  await folder.writeConfig({});
  let epochs = 0;
  for (let round = 0; round < 6; round++) {
    const reached = await trainAndKill(folder, backend, epochs, 3 + 11 * round);
    expect(reached).toBeGreaterThan(epochs);
    epochs = reached;
  }
  const state = await folder.loadCheckpoint();
  setBackend(backend);
  const uninterrupted = await train(state.epochs);
  expect([...state.model.keys()].sort()).toEqual([...uninterrupted.keys()].sort());
  for (const [name, { data }] of uninterrupted) expect(Buffer.compare(bytesOf(data), bytesOf(state.model.get(name)!.data)), name).toBe(0);
});
