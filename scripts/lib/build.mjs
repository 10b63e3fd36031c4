// Compiles src/ to dist/, and examples/ and bench/ to build/, only when their sources changed.

import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative, sep } from "node:path";
import { withLock } from "./lock.mjs";
import { Problem } from "./problem.mjs";

/**
 * @typedef {object} Target
 * @property {string} config the compiler's configuration file
 * @property {string[]} sources folders whose contents decide whether the output is current
 * @property {string} output folder that is written as a whole
 * @property {string[]} programs files of the output that can be started by their name
 */

/** @type {Record<"library" | "programs", Target>} */
const targets = {
  library: { config: "tsconfig.build.json", sources: ["src"], output: "dist", programs: ["cli/main.js"] },
  programs: { config: "tsconfig.programs.json", sources: ["src", "examples", "bench", "stress"], output: "build", programs: [] },
};

// The sources' fingerprint, inside the output folder. Contents rather than times: a checkout or a copy changes times.
const stampName = ".sources";

/**
 * Compiles a target unless its output was made from exactly the present sources. Safe when several processes ask at once.
 * @param {string} root the repository's root
 * @param {keyof typeof targets} name "programs" needs "library" built first
 * @param {{ force?: boolean }} [options]
 * @returns {Promise<"up to date" | "built">}
 * @throws {Problem} with the compiler's messages when the sources do not compile
 */
export async function ensureBuilt(root, name, { force = false } = {}) {
  const target = targets[name];
  if (!force && isCurrent(root, target)) return "up to date";
  return withLock(join(root, `.bootstrap-${target.output}.lock`), async () => {
    const stamp = fingerprint(root, target);
    if (!force && readStamp(root, target) === stamp) return "up to date";
    await compile(root, target, stamp);
    return "built";
  });
}

/** @param {string} root @param {Target} target */
function isCurrent(root, target) {
  return readStamp(root, target) === fingerprint(root, target);
}

/** @param {string} root @param {Target} target */
function readStamp(root, target) {
  const path = join(root, target.output, stampName);
  return existsSync(path) ? readFileSync(path, "utf8") : undefined;
}

/** @param {string} root @param {Target} target */
function fingerprint(root, target) {
  const hash = createHash("sha256");
  const compiler = join(root, "node_modules", "typescript", "package.json");
  const files = [
    ...target.sources.flatMap((folder) => listFiles(join(root, folder))),
    join(root, "tsconfig.json"),
    join(root, target.config),
    compiler,
  ];
  for (const file of files) {
    if (existsSync(file))
      hash
        .update(`${relative(root, file).split(sep).join("/")}\0`)
        .update(readFileSync(file))
        .update("\0");
  }
  return hash.digest("hex");
}

/** @param {string} folder @returns {string[]} */
function listFiles(folder) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(".ts"))
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
    .sort();
}

/**
 * Compiles into a folder beside the output and then swaps the two, so that a failed build leaves the last good one and a
 * removed source leaves nothing behind.
 * @param {string} root @param {Target} target @param {string} stamp
 */
async function compile(root, target, stamp) {
  const output = join(root, target.output);
  const fresh = `${output}.new`;
  const old = `${output}.old`;
  for (const folder of [fresh, old]) rmSync(folder, { recursive: true, force: true });
  mkdirSync(fresh, { recursive: true });
  await tsc(root, ["-p", target.config, "--noEmitOnError", "--outDir", fresh]);
  writeFileSync(join(fresh, stampName), stamp);
  // npm does this when it installs a package; in the checkout nobody else does.
  for (const program of target.programs.map((path) => join(fresh, path))) if (existsSync(program)) chmodSync(program, 0o755);
  if (existsSync(output)) renameSync(output, old);
  renameSync(fresh, output);
  rmSync(old, { recursive: true, force: true });
}

/**
 * @param {string} root @param {string[]} args
 * @returns {Promise<void>}
 */
function tsc(root, args) {
  const compiler = binary(root, "typescript", "tsc");
  return new Promise((resolve, reject) => {
    execFile(process.execPath, [compiler, ...args], { cwd: root, maxBuffer: 64 * 1024 * 1024 }, (error, stdout, stderr) => {
      if (error === null) resolve();
      else
        reject(
          new Problem(`${stdout}${stderr}\nThe sources do not compile (${args.slice(0, 2).join(" ")}); the compiler's messages are above.`),
        );
    });
  });
}

/**
 * The script behind a package's command, so that it can be started with this very Node, without a shell.
 * @param {string} root @param {string} packageName @param {string} command
 */
export function binary(root, packageName, command) {
  const manifest = join(root, "node_modules", packageName, "package.json");
  if (!existsSync(manifest))
    throw new Problem(`The package ${packageName} is not installed; run "node scripts/bootstrap.mjs install" first.`);
  const { bin } = JSON.parse(readFileSync(manifest, "utf8"));
  return join(dirname(manifest), typeof bin === "string" ? bin : bin[command]);
}
