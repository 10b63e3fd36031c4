// Makes one file of a program in stress/, for tests: Node 20 cannot run TypeScript.

import { fileURLToPath } from "node:url";
import { rolldown } from "rolldown";

const root = fileURLToPath(new URL("../../", import.meta.url));

/** @param name of a program in stress/ @param file that is written */
export async function bundleStress(name: string, file: string): Promise<void> {
  const build = await rolldown({
    input: `${root}stress/${name}.ts`,
    platform: "node",
    resolve: { alias: { "kasane/train/node": `${root}src/train/node.ts`, kasane: `${root}src/index.ts` } },
  });
  await build.write({ file, format: "esm" });
  await build.close();
}
