// The commands that a training suggests: taken apart as a shell does, every one of them works, whatever columns, files and folders are called.

import { execFileSync } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { quoted } from "../../src/util/shell.ts";
import { runCommand } from "./command.ts";

let cwd = "";
beforeAll(async () => {
  cwd = await mkdtemp(join(tmpdir(), "kasane-pasted-"));
});
afterAll(() => rm(cwd, { recursive: true }));

/** The words that a shell makes of a line. */
function wordsOf(line: string): string[] {
  return execFileSync("bash", ["-c", `printf '%s\\0' ${line}`], { encoding: "utf8" })
    .split("\0")
    .slice(0, -1);
}

function csv(separator: string, header: readonly string[]): string {
  const cell = (row: number, column: number): string => String((row * 7 + column * 3) % 11);
  const rows = Array.from({ length: 20 }, (_, row) => header.map((name, column) => (name === "text" ? "bob" : name === header.at(-1) ? String(row % 2) : cell(row, column)))); // biome-ignore format: one table
  return [header, ...rows].map((cells) => cells.join(separator)).join("\n");
}

const wide = Array.from({ length: 30 }, (_, n) => `c${n}`);

describe.skipIf(process.platform === "win32")("what to try next can be pasted", () => {
  it.each<[string, readonly string[], (readonly [separator: string, header: readonly string[]])?]>([
    ["generated points", ["xor", "--samples", "40", "--seed", "7"]],
    ["images", ["digits", "--samples", "40"]],
    ["more columns than one types", ["--target", "y"], [",", [...wide, "y"]]],
    ["a column that was left out", ["--target", "y", "--columns", "a,b"], [",", ["a", "text", "b", "y"]]],
    ["a separator of its own", ["--target", "y", "--separator", ":"], [":", ["a", "b,c", "y"]]],
    ["blanks as separators", ["--target", "y", "--separator", " "], [" ", ["a", "b", "y"]]],
    ["tabs", ["--target", "y", "--separator", "\\t"], ["\t", ["a;b", "c;d", "y"]]],
    ["a target like a flag", ["--target", "-t"], [",", ["a", "--b", "-t"]]],
    ["names that a shell would change", ["--target", "$HOME"], [",", ["*", "`id`", "~", "$HOME"]]],
    ["names of other scripts", ["--target", "種類"], [",", ["長さ", "عرض", "種類"]]],
    ["a folder like a flag", ["xor", "--samples", "40", "--out=-run"]],
    ["a folder with blanks and quotes", ["xor", "--samples", "40", "--out", 'it\'s a "run" $x']],
    ["a folder with what does not show", ["xor", "--samples", "40", "--out", "a\tb\nc\u001b[2Jd\\'\u202ee"]],
  ])("for %s", async (name, words, table) => {
    const file = join(cwd, `${name} '1'.csv`);
    if (table !== undefined) await writeFile(file, csv(...table));
    const trained = await runCommand(cwd, ["train", ...words, ...(table === undefined ? [] : ["--csv", file]), "--epochs", "1"]);
    expect(trained.err).toBe("");
    const suggested = trained.out.split("What to try next:\n")[1]?.trimEnd().split("\n") ?? [];
    expect(suggested).toHaveLength(5);
    for (const line of suggested) {
      const [self, ...rest] = wordsOf(line);
      expect(self).toBe("kasane");
      const { code, err } = await runCommand(cwd, rest);
      expect({ line, err }).toEqual({ line, err: expect.not.stringContaining("kasane:") });
      // The doctor may find something.
      expect(code).toBeLessThanOrEqual(rest[0] === "doctor" ? 1 : 0);
    }
  });

  it.each([
    "",
    "a b",
    "-x",
    "'",
    "\\",
    "a\\'b",
    "\t",
    "\n",
    "\r",
    "\u001b[31m",
    "\u007fg",
    "\u0085é",
    "\u202eabc",
    "$(id)",
    "!!",
    "#",
    "~",
    "&",
    "日本",
  ])("quoted(%j) is one word again", (text) => {
    expect(wordsOf(quoted(text, "linux"))).toEqual([text]);
  });
});
