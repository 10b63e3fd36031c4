// The import checker finds every form of import and judges direction, neighbours, cycles and Node-only modules.

import { execFileSync, spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { checkImports, houseRules, readImports } from "../../scripts/lib/imports.mjs";
import { temporaryFolder } from "./temporary.ts";

const source = fileURLToPath(new URL("../../src", import.meta.url));
const script = fileURLToPath(new URL("../../scripts/check-imports.mjs", import.meta.url));

/** `file:line sentence` of everything found wrong with the given sources. */
function complaints(files: Record<string, string>): string[] {
  return checkImports(temporaryFolder(files)).findings.map(({ file, line, sentence }) => `${file}:${line} ${sentence}`);
}

describe("readImports", () => {
  it("finds static, type and dynamic imports and re-exports, and nothing inside strings, comments or expressions", () => {
    const text = [
      'import type { A } from "./a.ts";',
      'import { type B } from "./b.ts";',
      "import c, { d }",
      '  from "./c.ts";',
      'import "./side.ts";',
      'export * from "./e.ts";',
      'export * as q from "./q.ts";',
      'export type { F } from "./f.ts";',
      'export { g } from "./g.ts";',
      'type T = import("./t.ts").T;',
      // biome-ignore lint/suspicious/noTemplateCurlyInString: it is TypeScript source.
      'const lazy = await import("./lazy.ts"), nested = `${await import("./nested.ts")} import "./no.ts"`;',
      '// import "./no.ts";',
      "const quotes = /['\"`]/, meta = import.meta.url, computed = import(quotes.source);",
      "const text = 'import \"./no.ts\"'; export const own = 1;",
    ].join("\n");
    expect(readImports("x.ts", text).map(({ kind, specifier, line }) => `${line} ${kind} ${specifier}`)).toEqual([
      "1 type ./a.ts",
      "2 static ./b.ts",
      "3 static ./c.ts",
      "5 static ./side.ts",
      "6 static ./e.ts",
      "7 static ./q.ts",
      "8 type ./f.ts",
      "9 static ./g.ts",
      "10 type ./t.ts",
      "11 dynamic ./lazy.ts",
      "11 dynamic ./nested.ts",
    ]);
  });

  it("names the file that does not parse", () => {
    expect(() => readImports("broken.ts", "import { from")).toThrow(/broken\.ts does not parse/);
  });
});

describe("checkImports", () => {
  it("accepts downward imports, imports within a folder, and a public surface that imports everything", () => {
    expect(
      complaints({
        "index.ts": 'export * from "./tensor/tensor.ts"; export * from "./cli/main.ts";',
        "util/errors.ts": "export const e = 1;",
        "tensor/tape.ts": 'import { e } from "../util/errors.ts"; export const t = e;',
        "tensor/deep/tensor.ts": 'export { t } from "../tape.ts";',
        "tensor/tensor.ts": 'export * from "./deep/tensor.ts";',
        "cli/main.ts": 'import fs from "node:fs"; import { t } from "../tensor/tensor.ts"; export const m = [fs, t];',
      }),
    ).toEqual([]);
  });

  it.each([
    ["a static import", 'import { t } from "../tensor/t.ts"; export const a = t;'],
    ["a type import", 'import type { t } from "../tensor/t.ts"; export type A = typeof t;'],
    ["a re-export", 'export * from "../tensor/t.ts";'],
    ["a dynamic import", 'export const a = () => import("../tensor/t.ts");'],
  ])("rejects %s that points upwards, with place, both folders and a way out", (_, text) => {
    const [only, ...rest] = complaints({ "tensor/t.ts": "export const t = 1;", "formula/deep/a.ts": `\n${text.replace("../", "../../")}` });
    expect(rest).toEqual([]);
    expect(only).toMatch(/^formula\/deep\/a\.ts:2 src\/formula \(rank 2\) imports src\/tensor \(rank 4\): .*move the shared part down/);
  });

  it("knows which neighbours may meet", () => {
    const files = {
      "backends/b.ts": "export const b = 1;",
      "formula/f.ts": "export const f = 1;",
      "kernels/k.ts": "export const k = 1;",
      "nn/n.ts": "export const n = 1;",
      "io/i.ts": "export const i = 1;",
    };
    expect(
      complaints({ ...files, "backends/b.ts": 'export * from "../kernels/k.ts";', "data/d.ts": 'export * from "../io/i.ts";' }),
    ).toEqual([]);
    expect(complaints({ ...files, "optim/a.ts": 'import type { n } from "../nn/n.ts"; export type N = typeof n;' })).toEqual([
      expect.stringContaining("neighbour on rank 5"),
    ]);
    for (const machine of ["kernels", "backends"]) {
      expect(complaints({ ...files, [`${machine}/m.ts`]: 'export * from "../formula/f.ts";' })).toEqual([
        expect.stringContaining("neighbour on rank 2"),
      ]);
    }
    expect(complaints({ ...files, "io/i.ts": 'export * from "../data/d.ts";' })).toEqual([expect.stringContaining("neighbour on rank 5")]);
  });

  it("rejects an unknown folder, an import of the public surface and an import from outside", () => {
    expect(complaints({ "misc/a.ts": 'import "../util/e.ts";', "util/e.ts": "" })).toEqual([
      expect.stringContaining("src/misc has no rank"),
    ]);
    expect(complaints({ "cli/a.ts": 'import "../index.ts";', "index.ts": "" })).toEqual([expect.stringContaining("public surface")]);
    expect(complaints({ "cli/a.ts": 'import "../../test/x.ts";' })).toEqual([expect.stringContaining("outside src/")]);
  });

  it("finds cycles of any length once, also of types, but none that lazy imports close", () => {
    expect(
      complaints({
        "nn/a.ts": 'import { b } from "./b.ts"; export const a = b;',
        "nn/b.ts": '\nexport * from "./c.ts"; export const b = 1;',
        "nn/c.ts": '\n\nimport { a } from "./a.ts"; export const c = a;',
      }),
    ).toEqual([
      "nn/c.ts:3 closes an import cycle: src/nn/a.ts -> src/nn/b.ts -> src/nn/c.ts -> src/nn/a.ts; move what both need into a file of its own",
    ]);
    expect(complaints({ "nn/self.ts": 'import "./self.ts";' })).toEqual([expect.stringContaining("src/nn/self.ts -> src/nn/self.ts")]);
    expect(
      complaints({
        "nn/b.ts": 'export const b = 1; export const lazy = () => import("./c.ts");',
        "nn/c.ts": 'import { b } from "./b.ts"; export const c = b;',
      }),
    ).toEqual([]);
    const circle = (a: string, b: string): Record<string, string> => ({
      [`nn/${a}.ts`]: `import type { b } from "./${b}.ts"; export const a = 1; export type B = typeof b;`,
      [`nn/${b}.ts`]: `import { a } from "./${a}.ts"; export const b = a;`,
    });
    expect(complaints(circle("a", "b"))).toEqual([expect.stringContaining("src/nn/a.ts -> src/nn/b.ts -> src/nn/a.ts")]);
    expect(complaints(circle("layer", "call"))).toEqual([]);
  });

  it("excuses no cycle that is not there", () => {
    const source = fileURLToPath(new URL("../../src", import.meta.url));
    for (const group of houseRules.mutual) {
      const { findings } = checkImports(source, { ...houseRules, mutual: houseRules.mutual.filter((other) => other !== group) });
      expect(findings, group.join(", ")).not.toEqual([]);
    }
  });

  it("keeps node: modules out of browser code", () => {
    const text = 'import { readFileSync } from "node:fs"; export const r = readFileSync;';
    expect(complaints({ "io/safetensors.ts": text })).toEqual([expect.stringContaining("must also run in browsers")]);
    expect(complaints({ "io/node/save.ts": text, "data/files/idx.ts": text, "train/node/run.ts": text, "cli/run.ts": text })).toEqual([]);
    expect(complaints({ "io/node.ts": text })).toEqual([expect.stringContaining("move the code to src/cli/, src/data/files/")]);
    expect(complaints({ "data/filesystem/x.ts": text })).toEqual([expect.stringContaining("node:fs")]);
    expect(
      complaints({
        "train/t.ts": 'import type { Stats } from "node:fs"; export type S = Stats; export const l = () => import("node:fs");',
      }),
    ).toEqual([]);
  });
});

describe("houseRules", () => {
  it.each([
    ...houseRules.nodeOnly.map((folder) => ({
      folder,
      rules: { ...houseRules, nodeOnly: houseRules.nodeOnly.filter((other) => other !== folder) },
    })),
    ...Object.entries(houseRules.neighbours).flatMap(([folder, all]) =>
      all.map((permitted) => ({
        folder: `${folder} of ${permitted}`,
        rules: { ...houseRules, neighbours: { ...houseRules.neighbours, [folder]: all.filter((other) => other !== permitted) } },
      })),
    ),
  ])("permit $folder nothing that it does not use", ({ rules }) => {
    expect(checkImports(source, rules).findings).not.toEqual([]);
  });
});

describe("scripts/check-imports.mjs", () => {
  it("prints what it counted and succeeds on a good tree", () => {
    const folder = temporaryFolder({ "util/a.ts": "export const a = 1;", "nn/b.ts": 'export * from "../util/a.ts";' });
    expect(execFileSync(process.execPath, [script, folder], { encoding: "utf8" })).toBe(
      "1 imports in 2 files: all point downwards, no cycles.\n",
    );
  });

  it("prints file and line and fails on a bad tree", () => {
    const folder = temporaryFolder({ "util/a.ts": 'export * from "../nn/b.ts";', "nn/b.ts": "" });
    const { status, stdout, stderr } = spawnSync(process.execPath, [script, folder], { encoding: "utf8" });
    expect(status).toBe(1);
    expect(stdout).toMatch(/^src\/util\/a\.ts:1 {2}src\/util \(rank 0\) imports src\/nn \(rank 5\)/);
    expect(stderr).toBe("1 forbidden imports in 2 files.\n");
  });
});
