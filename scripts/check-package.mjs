// Packs the package as npm would publish it, installs it in an empty project, and uses it there as Node, TypeScript and browser users do.

import { execFile } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { builtinModules } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { gzipSync } from "node:zlib";
import { binary, ensureBuilt } from "./lib/build.mjs";
import { runBundled } from "./lib/bundles.mjs";
import { ensureInstalled, npmCommand } from "./lib/install.mjs";
import { runJest } from "./lib/jest.mjs";
import { root } from "./lib/paths.mjs";
import { Problem, runScript } from "./lib/problem.mjs";

const run = promisify(execFile);
const quiet = ["--no-audit", "--no-fund", "--prefer-offline", "--ignore-scripts", "--loglevel=error"];
const builtins = new Set(builtinModules);

/** Those of a server, of a page with everything strict, and of a project that names neither, in which nothing is strict. */
const typeSettings = [
  "--strict --target es2022 --lib es2023,dom --module nodenext",
  "--strict --target esnext --lib esnext,dom --module esnext --moduleResolution bundler --exactOptionalPropertyTypes --noUncheckedIndexedAccess --verbatimModuleSyntax --isolatedDeclarations --declaration --erasableSyntaxOnly",
  "--strict false --target es2020 --lib es2022 --module node16",
];

/** @typedef {{ name: string, bin: Record<string, string>, exports: Record<string, string | Record<string, string>>, scripts?: Record<string, string> }} Manifest */
/** @typedef {{ folder: string, installed: string, manifest: Manifest, subpaths: string[] }} Consumer */

await runScript(async () => {
  await ensureInstalled(root);
  await ensureBuilt(root, "library");
  const folder = mkdtempSync(join(tmpdir(), "kasane-package-"));
  try {
    const consumer = await installPacked(folder);
    await step("every file that exports and bin name, and README.md links to, is in the package", () => checkFiles(consumer));
    await step("nothing that comes with it has an install script", () => checkInstallScripts(consumer));
    await step("every subpath imports in Node", () => importEverySubpath(consumer));
    await step("a Node program uses it", () => runFixture(consumer, "consumer.mjs"));
    await step("the fastest backend is there, although no install script ran", () => checkBackend(consumer));
    await step("the command answers --help", () => runCommands(consumer));
    await step("a TypeScript project type-checks against it", () => typeCheck(consumer));
    await step("the programs of README.md type-check and run", () => runReadme(consumer));
    await step("Node modules are imported where they may be", () => checkNodeImports(consumer));
    await step("it bundles for browsers", () => bundleForBrowsers(consumer));
    await step("bundled by other tools, a program runs in Node and Chromium", () => runBundled(consumer.folder));
    await step("Jest runs tests that use it", () => runJest(consumer.installed));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

/** @param {string} title @param {() => Promise<string> | string} work returns what was seen */
async function step(title, work) {
  const seen = await work();
  process.stdout.write(`ok  ${title}: ${seen}\n`);
}

/** @param {string} folder @returns {Promise<Consumer>} */
async function installPacked(folder) {
  const [npm = "npm", ...first] = npmCommand();
  const project = join(folder, "project");
  mkdirSync(project);
  writeFileSync(join(project, "package.json"), JSON.stringify({ name: "consumer", private: true, type: "module" }));
  await tell("npm pack", run(npm, [...first, "pack", "--pack-destination", folder, ...quiet], { cwd: root }));
  const tarball = readdirSync(folder).find((name) => name.endsWith(".tgz"));
  if (tarball === undefined) throw new Problem("npm pack wrote no tarball.");
  await tell("npm install of the packed package", run(npm, [...first, "install", join(folder, tarball), ...quiet], { cwd: project }));
  const { name } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const installed = join(project, "node_modules", name);
  /** @type {Manifest} */
  const manifest = JSON.parse(readFileSync(join(installed, "package.json"), "utf8"));
  const subpaths = Object.keys(manifest.exports).filter((path) => !path.endsWith(".json"));
  return { folder: project, installed, manifest, subpaths };
}

/** @param {Consumer} consumer */
function checkFiles({ installed, manifest }) {
  const named = [...Object.values(manifest.exports).flatMap((target) => (typeof target === "string" ? [target] : Object.values(target)))];
  named.push(...Object.values(manifest.bin));
  named.push(...linksOf(join(installed, "README.md")));
  const missing = named.filter((path) => !existsSync(join(installed, path)));
  if (missing.length > 0) throw new Problem(`package.json names files that are not in the package: ${missing.join(", ")}.`);
  const lifecycle = ["preinstall", "install", "postinstall", "prepare"].filter((script) => manifest.scripts?.[script] !== undefined);
  if (lifecycle.length > 0)
    throw new Problem(`The package has install scripts (${lifecycle.join(", ")}); many users' npm refuses to run them.`);
  return `${named.length} files`;
}

/** What a text links to beside itself. @param {string} path */
function linksOf(path) {
  return [...readFileSync(path, "utf8").matchAll(/\]\((?!https?:|#)([^)#]+)/g)].map(([, target = ""]) => target);
}

/** @param {Consumer} consumer */
function checkInstallScripts({ folder }) {
  const lock = JSON.parse(readFileSync(join(folder, "node_modules", ".package-lock.json"), "utf8"));
  const packages = Object.entries(/** @type {Record<string, { hasInstallScript?: boolean }>} */ (lock.packages));
  const having = packages.filter(([, { hasInstallScript }]) => hasInstallScript).map(([path]) => path);
  if (having.length > 0)
    throw new Problem(`These packages have install scripts, which many users' npm refuses to run: ${having.join(", ")}.`);
  return `${packages.length} packages`;
}

/** @param {Consumer} consumer */
async function checkBackend({ folder, manifest }) {
  const program = `const { getBackend } = await import(${JSON.stringify(manifest.name)}); process.stdout.write(getBackend().description)`;
  const { stdout } = await tell("getBackend", run(process.execPath, ["--input-type=module", "-e", program], { cwd: folder }));
  if (stdout.includes("does not load")) throw new Problem(`The x64 backend misses its package: ${stdout}.`);
  return stdout;
}

/** @param {Consumer} consumer */
async function importEverySubpath({ folder, manifest, subpaths }) {
  const counts = [];
  for (const subpath of subpaths) {
    const specifier = manifest.name + subpath.slice(1);
    const program = `process.stdout.write(String(Object.keys(await import(${JSON.stringify(specifier)})).length))`;
    const { stdout } = await tell(specifier, run(process.execPath, ["--input-type=module", "-e", program], { cwd: folder }));
    if (Number(stdout) === 0) throw new Problem(`${specifier} exports nothing.`);
    counts.push(`${specifier} (${stdout})`);
  }
  return counts.join(", ");
}

/** @param {Consumer} consumer @param {string} name */
async function runFixture({ folder }, name) {
  copyFixture(folder, name);
  const { stdout } = await tell(name, run(process.execPath, [name], { cwd: folder }));
  return stdout.trim();
}

/** @param {Consumer} consumer */
async function runCommands({ folder, manifest }) {
  const said = [];
  for (const command of Object.keys(manifest.bin)) {
    const path = join(folder, "node_modules", ".bin", process.platform === "win32" ? `${command}.cmd` : command);
    const { stdout } = await tell(`${command} --help`, run(path, ["--help"], { cwd: folder, shell: process.platform === "win32" }));
    if (!stdout.includes(command)) throw new Problem(`"${command} --help" does not say how to use ${command}.`);
    said.push(`${command} --help (${stdout.trim().split("\n").length} lines)`);
  }
  return said.join(", ");
}

/**
 * With skipLibCheck off and no ambient types, so that our declarations must be right and must not need @types/node.
 * @param {Consumer} consumer
 */
async function typeCheck({ folder, manifest, subpaths }) {
  copyFixture(folder, "consumer.ts");
  const everything = subpaths.map((path, index) => `export * as part${index} from ${JSON.stringify(manifest.name + path.slice(1))};`);
  writeFileSync(join(folder, "everything.ts"), everything.join("\n"));
  const compiler = binary(root, "typescript", "tsc");
  for (const flags of typeSettings) {
    const args = [compiler, "--noEmit", "--types", "", "--skipLibCheck", "false", ...flags.split(" "), "consumer.ts", "everything.ts"];
    await tell(`tsc ${flags}`, run(process.execPath, args, { cwd: folder }));
  }
  return `${typeSettings.length} settings`;
}

/** @param {Consumer} consumer */
async function runReadme({ folder }) {
  const blocks = [...readFileSync(join(root, "README.md"), "utf8").matchAll(/^```ts\n(.*?)^```$/gms)].map(([, code]) => code);
  if (blocks.length === 0) throw new Problem("README.md has no TypeScript program.");
  // One after the other, as a reader types them in: later ones use the names of earlier ones.
  writeFileSync(join(folder, "readme.ts"), blocks.join("\n"));
  const flags = ["--strict", "--noUncheckedIndexedAccess", "--exactOptionalPropertyTypes", "--target", "es2022", "--module", "nodenext"];
  await tell(
    "tsc readme.ts",
    run(process.execPath, [binary(root, "typescript", "tsc"), ...flags, "--lib", "es2023,dom", "--types", "", "readme.ts"], {
      cwd: folder,
    }),
  );
  const { stdout } = await tell("readme.js", run(process.execPath, ["readme.js"], { cwd: folder }));
  return `${blocks.length} blocks, ${stdout.trim().split("\n").length} lines printed`;
}

/** @param {Consumer} consumer */
async function checkNodeImports({ installed }) {
  const { isNodeOnly, readImports } = await import("./lib/imports.mjs");
  const dist = join(installed, "dist");
  const files = readdirSync(dist, { recursive: true, encoding: "utf8" }).filter((path) => path.endsWith(".js"));
  const using = files.filter((file) =>
    readImports(file, readFileSync(join(dist, file), "utf8")).some(({ kind, specifier }) => kind === "static" && isBuiltin(specifier)),
  );
  const wrong = using.filter((file) => !isNodeOnly(file.replaceAll("\\", "/")));
  if (wrong.length > 0) throw new Problem(`These files import Node's own modules but must also run in browsers: ${wrong.join(", ")}.`);
  return `${using.length} of ${files.length} files`;
}

/**
 * The main entry must be free of Node's own modules, lazy ones included: some bundlers refuse even those. Machine code has no place there.
 * @param {Consumer} consumer
 */
async function bundleForBrowsers({ folder, manifest, subpaths }) {
  const said = [];
  for (const subpath of subpaths) {
    const { size, builtin, files } = await bundle(folder, manifest.name + subpath.slice(1));
    if (subpath === "." && builtin.length > 0) {
      throw new Problem(`${manifest.name} cannot run in browsers: bundled from its main entry, it still imports ${builtin.join(", ")}.`);
    }
    const emitter = files.filter((file) => /[\\/]x64[\\/](?!absent\.js$)/.test(file));
    if (emitter.length > 0) throw new Problem(`${manifest.name}${subpath.slice(1)}, bundled for browsers, carries ${emitter.join(", ")}.`);
    said.push(
      `${manifest.name}${subpath.slice(1)} ${(size / 1024).toFixed(1)} KiB${builtin.length > 0 ? ` (Node only: ${builtin.join(", ")})` : ""}`,
    );
  }
  return `minified and gzipped, everything included: ${said.join(", ")}`;
}

/** @param {string} folder @param {string} specifier */
async function bundle(folder, specifier) {
  const { rolldown } = await import("rolldown");
  const entry = "\0entry";
  const build = await rolldown({
    input: entry,
    cwd: folder,
    platform: "browser",
    external: isBuiltin,
    onLog: (level, log) => {
      if (level === "warn") throw new Problem(`Bundling ${specifier} for browsers: ${log.message}`);
    },
    plugins: [
      {
        name: "entry",
        resolveId: (id) => (id === entry ? id : undefined),
        load: (id) => (id === entry ? `export * from ${JSON.stringify(specifier)};` : undefined),
      },
    ],
  });
  try {
    const { output } = await build.generate({ format: "esm", minify: true });
    const chunks = output.flatMap((part) => (part.type === "chunk" ? [part] : []));
    const builtin = new Set(chunks.flatMap((chunk) => [...chunk.imports, ...chunk.dynamicImports]).filter(isBuiltin));
    const size = gzipSync(chunks.map((chunk) => chunk.code).join("\n")).length;
    return { size, builtin: [...builtin], files: chunks.flatMap((chunk) => chunk.moduleIds) };
  } finally {
    await build.close();
  }
}

/** @param {string} specifier */
function isBuiltin(specifier) {
  return specifier.startsWith("node:") || builtins.has(specifier);
}

/** @param {string} folder @param {string} name */
function copyFixture(folder, name) {
  writeFileSync(join(folder, name), readFileSync(join(root, "test", "package", name)));
}

/**
 * Turns the failure of a command into a sentence with the command's own words.
 * @template T
 * @param {string} what @param {Promise<T>} work @returns {Promise<T>}
 */
async function tell(what, work) {
  try {
    return await work;
  } catch (error) {
    const { stdout = "", stderr = "", code } = /** @type {{ stdout?: string, stderr?: string, code?: unknown }} */ (error);
    throw new Problem(`${stdout}${stderr}\n${what} failed (exit code ${code}); its own words are above.`);
  }
}
