// Runs a test with Jest against the installed package, set up as docs/platforms.md says.

import { execFile } from "node:child_process";
import { copyFileSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { ensureInstalled } from "./install.mjs";
import { root } from "./paths.mjs";
import { Problem } from "./problem.mjs";

/**
 * @param {string} installed the folder of the installed package
 * @returns {Promise<string>} what was seen
 */
export async function runJest(installed) {
  const tools = join(root, "test", "package", "tools");
  await ensureInstalled(tools);
  const folder = join(installed, "..", "..", "jest");
  mkdirSync(join(folder, "node_modules"), { recursive: true });
  symlinkSync(join(tools, "node_modules", "esbuild"), join(folder, "node_modules", "esbuild"), "junction");
  copyFileSync(join(root, "test", "package", "jest.test.cjs"), join(folder, "jest.test.cjs"));
  writeFileSync(join(folder, "package.json"), JSON.stringify({ private: true }));
  const blocks = readFileSync(join(root, "docs", "platforms.md"), "utf8").matchAll(/^```js\n\/\/ (\S+\.cjs)\n(.*?)^```$/gms);
  const files = [...blocks].map(([, name = "", code = ""]) => {
    writeFileSync(join(folder, name), code);
    return name;
  });
  if (!files.includes("jest.config.cjs")) throw new Problem("docs/platforms.md has no jest.config.cjs.");
  const said = [];
  for (const environment of ["node", "jsdom"]) {
    const args = [join(tools, "node_modules", "jest", "bin", "jest.js"), "--config", join(folder, "jest.config.cjs")];
    const where = environment === "node" ? "node" : join(tools, "node_modules", "jest-environment-jsdom");
    const more = ["--env", where, "--testMatch", "**/jest.test.cjs", "--cacheDirectory", join(folder, "cache")];
    const { stderr } = await promisify(execFile)(process.execPath, [...args, ...more], { cwd: folder }).catch((error) => {
      throw new Problem(`Jest in the environment ${environment} does not run the package:\n${error.stdout}${error.stderr}`);
    });
    said.push(`${environment}: ${/^Tests: +(.*)$/m.exec(stderr)?.[1]}`);
  }
  return said.join("; ");
}
