#!/usr/bin/env node
// The program `kasane`. Loads the rest of it: what is missing for that is said, too.

/** Node opens as many at once as there are modules. */
const filesToLoad = 1024;

try {
  await import("./process.ts");
} catch (error) {
  const limit = mostFiles();
  if (limit >= filesToLoad) throw error;
  process.stderr.write(
    `kasane: the program does not load where a process may open ${limit} files at once\n  try: a higher limit, ulimit -n ${filesToLoad}\n`,
  );
  process.exitCode = 1;
}

/** With too few, Node may as well say that a package is not there. Where the limit is not told, as in Deno, it is enough. */
function mostFiles(): number {
  try {
    const { userLimits } = process.report.getReport() as { userLimits?: { open_files?: { soft?: unknown } } };
    const soft = Number(userLimits?.open_files?.soft);
    return Number.isInteger(soft) ? soft : filesToLoad;
  } catch {
    return filesToLoad;
  }
}
