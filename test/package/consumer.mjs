// A program of somebody who installed the package: run by scripts/check-package.mjs inside an empty project.
import assert from "node:assert/strict";
import * as kasane from "kasane";

assert.ok(Object.keys(kasane).length > 0, "kasane exports nothing");
process.stdout.write(`kasane exports ${Object.keys(kasane).length} names\n`);
