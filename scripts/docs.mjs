// Behind `npm run docs`: installs the generator of the API reference where it is missing, and writes output/reference.

import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ensureInstalled } from "./lib/install.mjs";
import { root } from "./lib/paths.mjs";
import { Problem, runScript } from "./lib/problem.mjs";

await runScript(async () => {
  const folder = join(root, "docs", "reference");
  await ensureInstalled(root);
  await ensureInstalled(folder);
  const typedoc = join(folder, "node_modules", "typedoc", "bin", "typedoc");
  const entries = entryPoints().flatMap((path) => ["--entryPoints", path]);
  const { status } = spawnSync(process.execPath, [typedoc, "--options", join(folder, "typedoc.json"), ...entries], { stdio: "inherit" });
  if (status !== 0) throw new Problem("The API reference was not built: each warning above counts as an error.");
});

/** The sources of everything that package.json exports. */
function entryPoints() {
  /** @type {{ exports: Record<string, string | { default: string }> }} */
  const { exports } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  return Object.values(exports).flatMap((target) =>
    typeof target === "string" ? [] : [join(root, target.default.replace("./dist/", "src/").replace(/\.js$/, ".ts"))],
  );
}
