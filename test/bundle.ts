// Makes one file of a TypeScript program, for tests that run it in a process of its own: Node 20 cannot run TypeScript.

import { fileURLToPath } from "node:url";
import { rolldown } from "rolldown";

const root = fileURLToPath(new URL("..", import.meta.url));

/** @param program its address @param file that is written @param alias names of packages and the files that stand for them, from the root */
export async function bundle(program: URL, file: string, alias: Readonly<Record<string, string>> = {}): Promise<void> {
  const files = Object.fromEntries(Object.entries(alias).map(([name, path]) => [name, root + path]));
  const build = await rolldown({ input: fileURLToPath(program), platform: "node", resolve: { alias: files } });
  await build.write({ file, format: "esm", codeSplitting: false });
  await build.close();
}
