// Behind `npm start`, `npm test`, `npm run bench` …: installs and builds what is missing, then runs the thing itself.

import { spawn } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { binary, ensureBuilt } from "./lib/build.mjs";
import { ensureInstalled } from "./lib/install.mjs";
import { root } from "./lib/paths.mjs";
import { Problem, runScript } from "./lib/problem.mjs";

/** @type {Record<string, (args: string[]) => Promise<void>>} */
const commands = {
  install: async () => {},
  build: async () => {
    await ensureBuilt(root, "library", { force: true });
  },
  start: async (args) => {
    await ensureBuilt(root, "library");
    await runProgram(join(root, "dist", "cli", "main.js"), ["train", "digits", ...args]);
  },
  test: (args) => runChild([binary(root, "vitest", "vitest"), "run", ...args]),
  // Vitest, because the zoo's trainings are also tests; KASANE_ZOO makes one of them write.
  zoo: (args) => runChild([binary(root, "vitest", "vitest"), "run", "test/inspect/zoo-table.test.ts", ...args], { KASANE_ZOO: "write" }),
  bench: (args) => runBuilt("bench/main", args),
  stress: (args) => runBuilt("stress/main", args),
  example: async ([name, ...args]) => {
    if (name === undefined) throw new Problem(`Which example? There are: ${examples().join(", ")}.`, 2);
    if (!examples().includes(name)) throw new Problem(`There is no example "${name}"; there are: ${examples().join(", ")}.`, 2);
    await runBuilt(`examples/${name}`, args);
  },
};

await runScript(async () => {
  const [name = "", ...args] = process.argv.slice(2);
  const command = commands[name];
  if (command === undefined) {
    throw new Problem(`Unknown command "${name}"; usage: node scripts/bootstrap.mjs ${Object.keys(commands).join("|")} [arguments].`, 2);
  }
  checkNode();
  await ensureInstalled(root);
  await command(args);
});

function checkNode() {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  if (major < 20 || (major === 20 && minor < 19))
    throw new Problem(`this checkout needs Node 20.19 or newer, this is Node ${process.versions.node}; install a newer Node.`);
}

function examples() {
  const folder = join(root, "examples");
  const files = existsSync(folder) ? readdirSync(folder) : [];
  return files.filter((file) => file.endsWith(".ts")).map((file) => file.slice(0, -".ts".length));
}

/** @param {string} program of bench/, stress/ or examples/ @param {string[]} args */
async function runBuilt(program, args) {
  await ensureBuilt(root, "library");
  await ensureBuilt(root, "programs");
  await runProgram(join(root, "build", `${program}.js`), args);
}

/**
 * Runs a compiled program in this process: one process less between the person's Ctrl-C and the program.
 * @param {string} path @param {string[]} args
 */
async function runProgram(path, args) {
  if (!existsSync(path)) throw new Problem(`The compiled program ${path} is missing; its source is not in this checkout.`);
  process.argv = [process.execPath, path, ...args];
  await import(pathToFileURL(path).href);
}

/**
 * Runs a program that must be a process of its own and ends as it ends.
 * @param {string[]} args
 * @param {Record<string, string>} [env] beside this process's own
 * @returns {Promise<void>}
 */
function runChild(args, env = {}) {
  const child = spawn(process.execPath, args, { cwd: root, stdio: "inherit", env: { ...process.env, ...env } });
  // A terminal's Ctrl-C reaches the child by itself; what is sent to this process alone is handed on.
  process.on("SIGINT", () => {});
  process.on("SIGTERM", () => child.kill("SIGTERM"));
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("exit", (code, signal) => {
      process.exitCode = code ?? (signal === "SIGINT" ? 130 : 1);
      resolve();
    });
  });
}
