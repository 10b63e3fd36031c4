#!/usr/bin/env node
// The program `kasane`. Loads the rest of it: what is missing for that is said, too.

/** Node opens as many at once as there are modules. */
const FILES_TO_LOAD = 1024;

try {
  await import("./process.ts");
} catch (error) {
  const limit = mostFiles();
  if ((error as NodeJS.ErrnoException).syscall === "uv_cwd") end("the folder it was started in is gone", "cd to a folder that is there");
  else if (limit < FILES_TO_LOAD)
    end(`the program does not load where a process may open ${limit} files at once`, `a higher limit, ulimit -n ${FILES_TO_LOAD}`);
  else throw error;
}

function end(message: string, hint: string): void {
  process.stderr.write(`kasane: ${message}\n  try: ${hint}\n`);
  if (process.argv.includes("--json")) process.stdout.write(`${JSON.stringify({ error: { message, hint } })}\n`);
  process.exitCode = 1;
}

/**
 * With too few, Node may as well say that a package is not there. Where the limit is not told, as in Deno, it is
 * enough.
 */
function mostFiles(): number {
  try {
    const { userLimits } = process.report.getReport() as { userLimits?: { open_files?: { soft?: unknown } } };
    const soft = Number(userLimits?.open_files?.soft);
    return Number.isInteger(soft) ? soft : FILES_TO_LOAD;
  } catch {
    return FILES_TO_LOAD;
  }
}
