// Says what would be published, and fails when something forbids it (docs/releasing.md).

import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { npmCommand } from "./lib/install.mjs";
import { root } from "./lib/paths.mjs";
import { Problem, runScript } from "./lib/problem.mjs";
import { judgeRelease } from "./lib/release.mjs";

await runScript(async () => {
  const [npm = "npm", ...first] = npmCommand();
  const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const [packed] = JSON.parse(
    execFileSync(npm, [...first, "pack", "--dry-run", "--json", "--ignore-scripts"], { cwd: root, encoding: "utf8" }),
  );
  const findings = judgeRelease({
    manifest,
    changelog: readFileSync(join(root, "CHANGELOG.md"), "utf8"),
    uncommitted: execFileSync("git", ["status", "--porcelain"], { cwd: root, encoding: "utf8" }),
    packed,
  });
  process.stdout.write(
    `${manifest.name} ${manifest.version}: ${packed.files.length} files, ${packed.size} bytes packed, ${packed.unpackedSize} unpacked\n`,
  );
  for (const finding of findings) process.stdout.write(`${finding}\n`);
  if (findings.length > 0) throw new Problem("This cannot be released yet.");
});
