// Loads a user's module, or says why it does not load.

import { pathToFileURL } from "node:url";
import { FileError, KasaneError } from "../util/errors.ts";
import { kindOf } from "../util/kind-of.ts";
import { quoted } from "../util/shell.ts";

/** What Node runs as a module by its name alone. */
const MODULE_NAME = /\.[cm]?[jt]s$/i;

/**
 * Whether a word is plainly a path: it has a folder in it, or a module's ending. Code is run only from there, so that a
 * file that happens to be called like an op, a run or a typing mistake is not.
 */
export function isPath(word: string): boolean {
  return /[/\\]/.test(word) || MODULE_NAME.test(word);
}

/** As the user wrote it. */
let loaded: string | undefined;

/** The module of the user's that was loaded last in this process. */
export function loadedModule(): string | undefined {
  return loaded;
}

/** Tells the addresses of modules that are loaded anew apart. */
let loads = 0;

/**
 * @param anew evaluates the module once more if it was loaded before; those that it imports stay the same
 * @throws FileError when it does not load; what the module itself throws as an error of this library
 */
export async function loadModule(place: string, path: string, anew = false): Promise<Readonly<Record<string, unknown>>> {
  loaded = path;
  const module = import(pathToFileURL(place).href + (anew ? `?again=${loads++}` : "")) as Promise<Readonly<Record<string, unknown>>>;
  try {
    return await comes(module, `${path} does not load: it`, "look at the await at its top level");
  } catch (error) {
    if (error instanceof KasaneError) throw error;
    if ((error as NodeJS.ErrnoException | null | undefined)?.code === "ERR_UNKNOWN_FILE_EXTENSION")
      throw new FileError(`${path}: Node ${process.versions.node} does not read this kind of file by itself`, {
        hint: "a .js or .mjs file; TypeScript needs Node 22.18 or newer",
      });
    throw new FileError(`${path} does not load: ${error instanceof Error ? error.message : `it threw ${kindOf(error)}`}`, {
      hint: `run it by itself: node ${quoted(path)}`,
      cause: error,
    });
  }
}

/**
 * What the user's code gives in the end. Where nothing is left to happen in this process and it still waits, Node would
 * end without a word.
 * @param who begins the error
 * @throws FileError then
 */
export async function comes<Result>(given: Result | PromiseLike<Result>, who: string, hint: string): Promise<Result> {
  let giveUp = (): void => {};
  const stuck = new Promise<never>((_, reject) => {
    giveUp = () => reject(new FileError(`${who} waits for something that never comes`, { hint }));
  });
  process.once("beforeExit", giveUp);
  try {
    return await Promise.race([given, stuck]);
  } finally {
    process.off("beforeExit", giveUp);
  }
}
