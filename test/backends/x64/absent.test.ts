// Browsers' bundles carry no machine code: one door to the x64 backend, and what stands there in its place.

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { readImports } from "../../../scripts/lib/imports.mjs";
import { teamOf } from "../../../src/backends/emitted/threads.ts";
import * as absent from "../../../src/backends/x64/absent.ts";
import * as present from "../../../src/backends/x64/index.ts";
import { BackendError } from "../../../src/util/errors.ts";

const root = fileURLToPath(new URL("../../../", import.meta.url));

test("the stand-in has the door's functions, says why it cannot, and never runs", () => {
  expect(Object.keys(absent).sort()).toEqual(Object.keys(present).sort());
  expect(absent.runnable()).toMatch(/^x64 machine code runs on Linux on x86-64, this was bundled for browsers$/);
  expect(() => absent.createX64Backend()).toThrow(BackendError);
  expect(() => absent.x64Target("avx2", teamOf(1))).toThrow(/cannot run here/);
});

test("package.json puts it in place of the door, and nothing comes in beside the door", () => {
  const { browser } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { browser: Record<string, string> };
  const sources = Object.entries(browser).map((pair) => pair.map((path) => path.replace("./dist/", "src/").replace(".js", ".ts")));
  expect(sources).toEqual([["src/backends/x64/index.ts", "src/backends/x64/absent.ts"]]);
  for (const path of sources.flat()) expect(existsSync(join(root, path)), path).toBe(true);
  const files = readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".ts"));
  const outside = files.filter((file) => !file.startsWith(join("backends", "x64")));
  const reached = outside.flatMap((file) =>
    readImports(file, readFileSync(join(root, "src", file), "utf8"))
      .map(({ specifier }) => specifier)
      .filter((specifier) => specifier.includes("/x64/")),
  );
  expect([...new Set(reached)]).toEqual(["./x64/index.ts"]);
});
