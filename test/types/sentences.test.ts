// The compiler prints the sentences that stand beside @ts-expect-error in this folder, at that line.

import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("../..", import.meta.url));
const here = join(root, "test/types");
const directive = "// @ts-expect-error ";

interface Expected {
  readonly file: string;
  /** Of the wrong statement, counted from 1. */
  readonly line: number;
  readonly sentence: string;
}

const programs = readdirSync(here).filter((name) => name.endsWith(".ts") && !name.endsWith(".test.ts"));
const expected = programs.flatMap((file): Expected[] =>
  readFileSync(join(here, file), "utf8")
    .split("\n")
    .flatMap((text, n) => (text.startsWith(directive) ? [{ file, line: n + 2, sentence: text.slice(directive.length) }] : [])),
);

let folder = "";
let printed = "";

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "kasane-types-"));
  // The same programs without the directives, so that the compiler says what is wrong.
  for (const file of programs) writeFileSync(join(folder, file), readFileSync(join(here, file), "utf8").replaceAll(directive, "// "));
  const config = { extends: join(root, "tsconfig.json"), compilerOptions: { types: [] }, include: ["*.ts"] };
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(config));
  writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
  const result = spawnSync(process.execPath, [join(root, "node_modules/typescript/bin/tsc"), "-p", folder, "--pretty", "false"], {
    encoding: "utf8",
    cwd: folder,
  });
  printed = result.stdout + result.stderr;
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("the compiler", () => {
  it.each(expected.map((item) => [`${item.file}: ${item.sentence}`, item] as const))("%s", (_name, { file, line, sentence }) => {
    // A diagnostic begins at the margin; what explains it is indented.
    const diagnostics = printed.split(/\n(?=\S)/).filter((text) => text.startsWith(`${file}(${line},`));
    expect(diagnostics.join("\n"), printed).toContain(sentence);
  });

  it("finds nothing else wrong", () => {
    const found = printed.split("\n").filter((text) => programs.some((file) => text.startsWith(`${file}(`)));
    expect(found.length, printed).toBe(expected.length);
    expect(expected.length).toBeGreaterThan(10);
  });
});
