// The bootstrap installs only when the lock file and node_modules differ, once even when several processes ask, and keeps standard output clean.

import { execFile } from "node:child_process";
import { existsSync, readFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { difference } from "../../scripts/lib/install.mjs";
import { root } from "../../scripts/lib/paths.mjs";
import { temporaryFolder, writeFiles } from "./temporary.ts";

const run = promisify(execFile);

type Entries = Record<string, { version?: string; integrity?: string; optional?: boolean; os?: string[] }>;
const lock = (packages: Entries) => JSON.stringify({ lockfileVersion: 3, packages });

const wanted: Entries = {
  "": { version: "1.0.0" },
  "node_modules/a": { version: "1.2.3", integrity: "sha512-a" },
  "node_modules/elsewhere": { version: "1.0.0", optional: true, os: [`!${process.platform}`] },
  "node_modules/needed-elsewhere": { version: "1.0.0", optional: true },
};
const complete = {
  "package-lock.json": lock(wanted),
  "node_modules/.package-lock.json": lock({ "node_modules/a": { version: "1.2.3", integrity: "sha512-a" } }),
  "node_modules/a/package.json": "{}",
};

// Stands in for npm: takes a while, says something on both channels, notes that it ran, installs or fails.
const fakeNpm = `
import { appendFileSync, mkdirSync, writeFileSync } from "node:fs";
appendFileSync("calls", process.argv.slice(2).join(" ") + "\\n");
console.log("npm talks on standard output");
if (process.env.FAKE_FAILS) process.exit(7);
await new Promise((resolve) => setTimeout(resolve, 200));
mkdirSync("node_modules/a", { recursive: true });
writeFileSync("node_modules/a/package.json", "{}");
writeFileSync("node_modules/.package-lock.json", ${JSON.stringify(complete["node_modules/.package-lock.json"])});
`;

/** Runs ensureInstalled in a process of its own; `result` is what it printed on standard output. */
async function ensure(folder: string, env: Record<string, string> = {}) {
  const library = (name: string) => JSON.stringify(pathToFileURL(join(root, "scripts", "lib", name)).href);
  const program = `
    import { ensureInstalled } from ${library("install.mjs")};
    import { runScript } from ${library("problem.mjs")};
    await runScript(async () => console.log(await ensureInstalled(".", { npm: [process.execPath, "npm.mjs"] })));`;
  writeFiles(folder, { "npm.mjs": fakeNpm, "program.mjs": program });
  try {
    const { stdout, stderr } = await run(process.execPath, ["program.mjs"], { cwd: folder, env: { ...process.env, ...env } });
    return { code: 0, stdout, stderr };
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
    return { code, stdout, stderr };
  }
}

describe("difference", () => {
  it("sees no difference in a complete installation, with packages for other machines left out", () => {
    expect(difference(temporaryFolder(complete))).toBeUndefined();
  });

  it.each([
    ["no node_modules", { "node_modules/.package-lock.json": "" }, "node_modules is not there or not complete"],
    ["a package without its folder", { "package-lock.json": lock({ ...wanted, "node_modules/b": {} }) }, "node_modules/b is missing"],
    [
      "another version",
      { "package-lock.json": lock({ ...wanted, "node_modules/a": { version: "2.0.0" } }) },
      "node_modules/a is not version 2.0.0",
    ],
    [
      "other contents",
      { "package-lock.json": lock({ ...wanted, "node_modules/a": { version: "1.2.3", integrity: "sha512-b" } }) },
      "node_modules/a is not version 1.2.3",
    ],
    ["one package too many", { "package-lock.json": lock({ "": {} }) }, "node_modules/a is not in package-lock.json"],
  ])("names %s", (_, change, words) => {
    expect(difference(temporaryFolder({ ...complete, ...change }))).toBe(words);
  });

  it("misses an optional package that this machine needs", () => {
    const here: Entries = { ...wanted, "node_modules/native": { version: "1.0.0", optional: true, os: [process.platform] } };
    expect(difference(temporaryFolder({ ...complete, "package-lock.json": lock(here) }))).toBe("node_modules/native is missing");
  });

  it("asks for the lock file back", () => {
    expect(() => difference(temporaryFolder())).toThrow(/package-lock\.json is missing or is not valid JSON; restore it from git/);
  });
});

describe("ensureInstalled", () => {
  it("does not start npm when everything is there", async () => {
    const folder = temporaryFolder(complete);
    expect(await ensure(folder)).toEqual({ code: 0, stdout: "up to date\n", stderr: "" });
    expect(existsSync(join(folder, "calls"))).toBe(false);
  });

  it("runs npm ci once for three processes, and npm's words go to standard error", async () => {
    const folder = temporaryFolder({ "package-lock.json": complete["package-lock.json"] });
    const results = await Promise.all([ensure(folder), ensure(folder), ensure(folder)]);
    expect(results.map(({ code, stdout }) => [code, stdout]).sort()).toEqual([
      [0, "installed\n"],
      [0, "up to date\n"],
      [0, "up to date\n"],
    ]);
    expect(readFileSync(join(folder, "calls"), "utf8")).toMatch(/^ci --include=dev [^\n]*\n$/);
    const said = results.map(({ stderr }) => stderr).join("");
    expect(said).toContain("npm talks on standard output");
    expect(said).toContain("kasane: installing the dependencies (node_modules is not there or not complete)");
  });

  it("ends with one sentence and exit code 1 when npm fails, and lets the next one try", async () => {
    const folder = temporaryFolder({ "package-lock.json": complete["package-lock.json"] });
    const { code, stdout, stderr } = await ensure(folder, { FAKE_FAILS: "1" });
    expect([code, stdout]).toEqual([1, ""]);
    expect(stderr).toMatch(/"npm ci" failed \(exit code 7\).*check the connection to the package registry and run the command again\.\n$/);
    expect((await ensure(folder)).stdout).toBe("installed\n");
  });

  it("leaves a node_modules alone that is a link: npm would empty the folder behind it", async () => {
    const shared = temporaryFolder({ "a/package.json": "{}" });
    const folder = temporaryFolder({ "package-lock.json": complete["package-lock.json"] });
    symlinkSync(shared, join(folder, "node_modules"));
    const { code, stderr } = await ensure(folder);
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /node_modules is a link to .* and differs from package-lock\.json \(.*\); remove the link and run the command again\.\n$/,
    );
    expect(existsSync(join(folder, "calls"))).toBe(false);
    expect(existsSync(join(shared, "a", "package.json"))).toBe(true);
  });
});
