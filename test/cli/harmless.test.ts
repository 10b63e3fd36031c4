// Names with terminal sequences in them, from every door: none reaches the terminal.

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, expect, it } from "vitest";
import { harmless, harmlessJson } from "../../src/cli/harmless.ts";
import { saveSafetensors } from "../../src/io/node.ts";
import { runCommand } from "./command.ts";

// biome-ignore lint/suspicious/noControlCharactersInRegex: that there are none is the point
const dangerous = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/;
const evil = "a\u001b[2J\u001b]0;owned\u0007\u009b31m\u202egnpb";

let cwd = "";
beforeAll(async () => {
  cwd = await mkdtemp(join(tmpdir(), "kasane-harmless-"));
});
afterAll(() => rm(cwd, { recursive: true }));

it("has no control characters left, keeps line ends and means the same in JSON", () => {
  const letters = fc.string({ unit: fc.integer({ min: 0, max: 0x2fff }).map((code) => String.fromCharCode(code)) });
  fc.assert(
    fc.property(letters, (text) => {
      expect(harmless(text, false)).not.toMatch(dangerous);
      // biome-ignore lint/suspicious/noControlCharactersInRegex: colours
      expect(harmless(text, true).replace(/\u001b\[\d+m/g, "")).not.toMatch(dangerous);
      const json = harmlessJson(JSON.stringify(text));
      expect(json).not.toMatch(dangerous);
      expect(JSON.parse(json)).toBe(text);
    }),
  );
  expect(harmless("\u001b[36mours\u001b[39m\n\u001b[2Jtheirs\u001b[5m", true)).toBe("\u001b[36mours\u001b[39m\n\\x1b[2Jtheirs\\x1b[5m");
});

it("are shown, not obeyed", async () => {
  const rows = Array.from({ length: 40 }, (_, n) => `${n % 7},${n % 3},${n % 2 === 0 ? evil : "plain"}`);
  await writeFile(join(cwd, `${evil}.csv`), `"${evil}",second,"kind${evil}"\n${rows.join("\n")}\n`);
  await saveSafetensors(join(cwd, "evil.safetensors"), { [evil]: { shape: [1], data: Float32Array.of(1) } });
  await writeFile(join(cwd, `${evil}.mjs`), `throw new Error(${JSON.stringify(evil)});`);
  const run = ["--out", `run${evil}`];
  const lines: readonly (readonly string[])[] = [
    ["train", "--csv", `${evil}.csv`, "--target", `kind${evil}`, "--epochs", "2", "--hidden", "4", ...run],
    ["train", "--csv", `${evil}.csv`, "--target", `none${evil}`],
    ["summary", `run${evil}`],
    ["predict", `run${evil}`, "--sample", "0", "--sample", "1"],
    ["predict", `run${evil}`, `${evil}.csv`],
    ["predict", `run${evil}`, `${evil}none`],
    ["explain", `run${evil}`],
    ["explain", evil],
    ["graph", `run${evil}`],
    ["doctor", `run${evil}`],
    ["doctor", `./${evil}.mjs`, "--verbose"],
    ["train", evil],
    ["train", "moons", `--${evil}`],
  ];
  for (const line of lines)
    for (const isJson of [false, true]) {
      const words = [...line, ...(line.includes("--out") ? ["--force"] : []), ...(isJson ? ["--json"] : [])];
      const { code, out, err } = await runCommand(cwd, words, { terminal: !isJson, env: {} });
      // What we draw ourselves: colours, and a line that is drawn over.
      // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what it is about
      expect({ words, text: (out + err).replace(/\u001b\[\d*[mK]|\r/g, "") }).toEqual({
        words,
        text: expect.not.stringMatching(dangerous),
      });
      expect(err).not.toContain("inside kasane");
      if (words.includes("--out") || line[0] === "summary") expect({ code, err }).toEqual({ code: 0, err: expect.any(String) });
    }
});
