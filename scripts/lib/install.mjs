// Installs the dependencies only when package-lock.json and node_modules differ.

import { spawn } from "node:child_process";
import { existsSync, lstatSync, readFileSync, readlinkSync } from "node:fs";
import { basename, join } from "node:path";
import { withLock } from "./lock.mjs";
import { Problem } from "./problem.mjs";

/**
 * @typedef {object} LockEntry
 * @property {string} [version]
 * @property {string} [integrity]
 * @property {boolean} [optional]
 * @property {string[]} [os]
 * @property {string[]} [cpu]
 * @property {string[]} [libc]
 */
/** @typedef {Record<string, LockEntry>} LockEntries */

/**
 * Makes node_modules match package-lock.json. Touches neither disk nor network when it already does.
 * @param {string} root the folder with package-lock.json
 * @param {{ npm?: string[] }} [options] the command that runs npm
 * @returns {Promise<"up to date" | "installed">}
 * @throws {Problem} when npm fails or the lock file is missing
 */
export async function ensureInstalled(root, { npm = npmCommand() } = {}) {
  if (difference(root) === undefined) return "up to date";
  const onWait = (/** @type {string} */ holder) => say(`kasane: waiting for ${holder}, which is installing the dependencies`);
  return withLock(
    join(root, ".bootstrap-install.lock"),
    async () => {
      const reason = difference(root);
      if (reason === undefined) return "up to date";
      refuseLink(join(root, "node_modules"), reason);
      say(`kasane: installing the dependencies (${reason})`);
      await install(root, npm);
      const rest = difference(root);
      if (rest !== undefined)
        throw new Problem(`"npm ci" ended well, yet ${rest}; remove the folder node_modules and run the command again.`);
      return "installed";
    },
    { onWait },
  );
}

/**
 * The first difference between the lock file and what is installed, in words.
 * @param {string} root
 * @returns {string | undefined}
 */
export function difference(root) {
  const wanted = readEntries(join(root, "package-lock.json"));
  if (wanted === undefined) throw new Problem(`${join(root, "package-lock.json")} is missing or is not valid JSON; restore it from git.`);
  const installed = readEntries(join(root, "node_modules", ".package-lock.json"));
  if (installed === undefined) return "node_modules is not there or not complete";
  for (const [path, entry] of Object.entries(wanted)) {
    const have = installed[path];
    if (path === "" || (have === undefined && entry.optional && !isMadeForThisMachine(entry))) continue;
    if (have === undefined || !existsSync(join(root, path, "package.json"))) return `${path} is missing`;
    if (have.version !== entry.version || have.integrity !== entry.integrity) return `${path} is not version ${entry.version}`;
  }
  const surplus = Object.keys(installed).find((path) => wanted[path] === undefined);
  return surplus === undefined ? undefined : `${surplus} is not in package-lock.json`;
}

/** @param {string} path @returns {LockEntries | undefined} */
function readEntries(path) {
  try {
    return JSON.parse(readFileSync(path, "utf8")).packages;
  } catch {
    return undefined;
  }
}

/**
 * Whether npm installs an optional package here for certain. One without conditions may belong to one for another machine.
 * @param {LockEntry} entry
 */
function isMadeForThisMachine({ os, cpu, libc }) {
  if (os === undefined && cpu === undefined) return false;
  return allows(os, process.platform) && allows(cpu, process.arch) && (libc === undefined || allows(libc, libcName()));
}

/**
 * npm's rule for `os`, `cpu` and `libc`: "!name" forbids, a plain name must match.
 * @param {string[] | undefined} list @param {string} name
 */
function allows(list, name) {
  if (list === undefined) return true;
  if (list.includes(`!${name}`)) return false;
  const plain = list.filter((item) => !item.startsWith("!"));
  return plain.length === 0 || plain.includes(name);
}

/** @type {string | undefined} */
let knownLibc;

function libcName() {
  if (knownLibc === undefined) {
    const report = /** @type {{ header?: { glibcVersionRuntime?: string } }} */ (process.report?.getReport() ?? {});
    knownLibc = process.platform !== "linux" ? "none" : report.header?.glibcVersionRuntime ? "glibc" : "musl";
  }
  return knownLibc;
}

/**
 * npm would empty the folder behind the link, under whoever else uses it.
 * @param {string} path @param {string} reason
 */
function refuseLink(path, reason) {
  if (!lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink()) return;
  throw new Problem(
    `${path} is a link to ${readlinkSync(path)} and differs from package-lock.json (${reason}); remove the link and run the command again.`,
  );
}

/** The npm that started this process, else the one on the PATH. */
export function npmCommand() {
  const script = process.env.npm_execpath;
  if (script && basename(script).startsWith("npm") && existsSync(script)) return [process.execPath, script];
  return [process.platform === "win32" ? "npm.cmd" : "npm"];
}

/**
 * Everything npm says goes to standard error, so that standard output stays free for `--json`.
 * `--include=dev` because NODE_ENV=production would leave the compiler and the tests out.
 * @param {string} root @param {string[]} npm
 * @returns {Promise<void>}
 */
function install(root, [command = "npm", ...first]) {
  const args = [...first, "ci", "--include=dev", "--include=optional", "--no-audit", "--no-fund", "--loglevel=error"];
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: root, stdio: ["ignore", 2, 2], shell: command.endsWith(".cmd") });
    child.on("error", (error) => reject(new Problem(`npm could not be started (${error.message}); install Node 20 or newer with npm.`)));
    child.on("exit", (code, signal) => {
      if (code === 0) resolve();
      else
        reject(
          new Problem(
            `"npm ci" failed (${signal ?? `exit code ${code}`}), its own words are above; check the connection to the package registry and run the command again.`,
          ),
        );
    });
  });
}

/** @param {string} sentence */
function say(sentence) {
  process.stderr.write(`${sentence}\n`);
}
