// Fails when a folder of src/ imports a higher one, when files import each other in a circle, or when browser code imports node:.

import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { root } from "./lib/paths.mjs";
import { Problem, runScript } from "./lib/problem.mjs";

await runScript(async () => {
  const source = resolve(process.argv[2] ?? join(root, "src"));
  if (!existsSync(source)) throw new Problem(`There is no folder ${source}; usage: node scripts/check-imports.mjs [SOURCE FOLDER].`, 2);
  const { checkImports } = await loadChecker();
  const { files, imports, findings } = checkImports(source);
  for (const { file, line, sentence } of findings) process.stdout.write(`src/${file}:${line}  ${sentence}\n`);
  if (findings.length > 0) throw new Problem(`${findings.length} forbidden imports in ${files} files.`);
  process.stdout.write(`${imports} imports in ${files} files: all point downwards, no cycles.\n`);
});

async function loadChecker() {
  try {
    return await import("./lib/imports.mjs");
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code !== "ERR_MODULE_NOT_FOUND") throw error;
    throw new Problem('The parser is not installed; run "node scripts/bootstrap.mjs install" first.');
  }
}
