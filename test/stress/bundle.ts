// Makes one file of a program in stress/, for tests: Node 20 cannot run TypeScript.

import { bundle } from "../bundle.ts";

/** @param name of a program in stress/ @param file that is written */
export async function bundleStress(name: string, file: string): Promise<void> {
  await bundle(new URL(`../../stress/${name}.ts`, import.meta.url), file, {
    "kasane/train/node": "src/train/node.ts",
    kasane: "src/index.ts",
  });
}
