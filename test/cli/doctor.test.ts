// kasane doctor after kasane train: nothing is found in what is healthy, and it does not contradict lr-find.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { fewRuns } from "../inspect/zoo-runs.ts";
import { runCommand } from "./command.ts";

let cwd = "";
beforeAll(async () => {
  cwd = await mkdtemp(join(tmpdir(), "kasane-doctor-"));
});
afterAll(() => rm(cwd, { recursive: true }));

describe("kasane doctor RUN", () => {
  it.each(fewRuns)("finds nothing wrong after kasane train %s", async (words) => {
    const out = words.replaceAll(/\W+/g, "-");
    await runCommand(cwd, ["train", ...words.split(" "), "--out", out]);
    const { code, out: told } = await runCommand(cwd, ["doctor", out]);
    expect(told).toBe("no findings: nothing looks wrong in this run\n");
    expect(code).toBe(0);
    expect((await runCommand(cwd, ["doctor", out, "--fresh", "--epochs", "6"])).out).toContain("no findings");
  });

  it("goes on at the rate at which the run ended", async () => {
    await runCommand(cwd, "train moons --samples 200 --epochs 6 --schedule linearDecay --out decayed".split(" "));
    const { out } = await runCommand(cwd, ["doctor", "decayed", "--json"]);
    expect(JSON.parse(out)).toMatchObject({ findings: [] });
  });

  it("finds a rate that is too high where lr-find names smaller ones", async () => {
    await runCommand(cwd, "train wine --lr 3 --epochs 6 --out thrown".split(" "));
    const { code, out } = await runCommand(cwd, ["doctor", "thrown", "--fresh", "--json"]);
    expect(code).toBe(1);
    const { findings } = JSON.parse(out);
    expect(findings[0]).toMatchObject({ kind: "learning rate too high", where: "optimizer" });
    const { range } = JSON.parse((await runCommand(cwd, ["lr-find", "thrown", "--json"])).out);
    expect(range.best).toBeLessThan(3);
    expect(findings.map(({ kind }: { kind: string }) => kind)).not.toContain("label errors");
  });
});
