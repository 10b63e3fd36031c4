// The declarations compile with older TypeScript too: what a consumer writes, and the shape programs of this folder with their expected errors.
// Installs nothing: KASANE_TYPESCRIPT lists folders of the typescript package (5.9, 6, …), separated as in PATH.

import { spawnSync } from "node:child_process";
import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("../..", import.meta.url));
const compilers = (process.env.KASANE_TYPESCRIPT ?? "").split(delimiter).filter((path) => path !== "");
const own = join(root, "node_modules/typescript");

let folder = "";

function compile(typescript: string, ...args: readonly string[]): string {
  const result = spawnSync(process.execPath, [join(typescript, "bin/tsc"), ...args], { encoding: "utf8", cwd: folder });
  return result.status === 0 ? "" : result.stdout + result.stderr;
}

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "kasane-compilers-"));
  const programs = readdirSync(join(root, "test/types")).filter((name) => name.endsWith(".ts") && !name.endsWith(".test.ts"));
  for (const name of programs) copyFileSync(join(root, "test/types", name), join(folder, name));
  copyFileSync(join(root, "test/package/consumer.ts"), join(folder, "consumer.ts"));
  symlinkSync(join(root, "node_modules"), join(folder, "node_modules"), "dir");
  writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
  const emitted = compile(own, "-p", join(root, "tsconfig.build.json"), "--emitDeclarationOnly", "--outDir", join(folder, "kasane"));
  if (emitted !== "") throw new Error(emitted);
  const compilerOptions = {
    strict: true,
    noEmit: true,
    target: "es2022",
    module: "nodenext",
    lib: ["es2023", "dom"],
    types: [],
    paths: { kasane: ["./kasane/index.d.ts"], "kasane/*": ["./kasane/*/index.d.ts"] },
  };
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions, files: ["consumer.ts", ...programs] }));
}, 60_000);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("a consumer compiles", () => {
  it.each(
    [own, ...compilers].map((path) => [
      (JSON.parse(readFileSync(join(path, "package.json"), "utf8")) as { version: string }).version,
      path,
    ]),
  )(
    "with TypeScript %s",
    (_version, path) => {
      expect(compile(path, "-p", ".")).toBe("");
    },
    60_000,
  );

  if (compilers.length === 0)
    it.skip("with TypeScript 5.9 and 6: NOT TRIED, set KASANE_TYPESCRIPT to folders of those typescript packages");
});
