// The build compiles when contents changed, not otherwise; leaves nothing of removed sources; and keeps the last good output on errors.

import { existsSync, readdirSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { binary, ensureBuilt } from "../../scripts/lib/build.mjs";
import { root } from "../../scripts/lib/paths.mjs";
import { temporaryFolder, writeFiles } from "./temporary.ts";

/** A small project that has this one's compiler. */
function project(files: Record<string, string>): string {
  const compilerOptions = { target: "es2022", module: "nodenext", rewriteRelativeImportExtensions: true, types: [], rootDir: "src" };
  const folder = temporaryFolder({
    "package.json": '{ "type": "module" }',
    "tsconfig.json": JSON.stringify({ compilerOptions }),
    "tsconfig.build.json": '{ "extends": "./tsconfig.json", "include": ["src"] }',
    ...files,
  });
  symlinkSync(join(root, "node_modules"), join(folder, "node_modules"), "junction");
  return folder;
}

const outputs = (folder: string) =>
  readdirSync(join(folder, "dist"))
    .filter((name) => name.endsWith(".js"))
    .sort();

it("builds once, and again only when a source's contents changed", async () => {
  const folder = project({ "src/a.ts": "export const a: number = 1;" });
  expect(await ensureBuilt(folder, "library")).toBe("built");
  expect(await ensureBuilt(folder, "library")).toBe("up to date");
  writeFiles(folder, { "src/a.ts": "export const a: number = 1;" });
  expect(await ensureBuilt(folder, "library")).toBe("up to date");
  writeFiles(folder, { "src/a.ts": "export const a: number = 2;" });
  expect(await ensureBuilt(folder, "library")).toBe("built");
  expect(await ensureBuilt(folder, "library", { force: true })).toBe("built");
});

it("removes the output of a removed source", async () => {
  const folder = project({ "src/a.ts": "export const a = 1;", "src/b.ts": "export const b = 1;" });
  await ensureBuilt(folder, "library");
  expect(outputs(folder)).toEqual(["a.js", "b.js"]);
  rmSync(join(folder, "src", "b.ts"));
  expect(await ensureBuilt(folder, "library")).toBe("built");
  expect(outputs(folder)).toEqual(["a.js"]);
});

it("builds once for several callers at a time", async () => {
  const folder = project({ "src/a.ts": "export const a = 1;" });
  const results = await Promise.all([1, 2, 3].map(() => ensureBuilt(folder, "library")));
  expect(results.sort()).toEqual(["built", "up to date", "up to date"]);
  expect(readdirSync(folder).filter((name) => name.endsWith(".lock") || name.startsWith("dist."))).toEqual([]);
});

it("says what does not compile and keeps the last good output", async () => {
  const folder = project({ "src/a.ts": "export const a = 1;" });
  await ensureBuilt(folder, "library");
  writeFiles(folder, { "src/a.ts": "export const a: string = 1;" });
  await expect(ensureBuilt(folder, "library")).rejects.toThrow(/src\/a\.ts\(1,14\): error TS2322[\s\S]*The sources do not compile/);
  expect(outputs(folder)).toEqual(["a.js"]);
  writeFiles(folder, { "src/a.ts": "export const a = 1;" });
  expect(await ensureBuilt(folder, "library")).toBe("up to date");
});

it("finds the script behind a command, and says when its package is missing", () => {
  expect(existsSync(binary(root, "vitest", "vitest"))).toBe(true);
  expect(() => binary(root, "no-such-package", "x")).toThrow(
    /no-such-package is not installed; run "node scripts\/bootstrap\.mjs install"/,
  );
});
