// Decides who caused an unexpected error (the system, a user's module, or kasane) and says so in one sentence.

import { relative } from "node:path";
import { fileURLToPath } from "node:url";
import { reasonFor } from "../io/node.ts";
import { kindOf } from "../util/kind-of.ts";
import { framesOf, isOwnFile } from "../util/own-code.ts";
import { loadedModule } from "./module.ts";

export interface Blame {
  readonly text: string;
  readonly hint: string;
}

const VERBOSE = "--verbose shows where it happened";

export function blame(error: unknown, cwd: string): Blame {
  const path = loadedModule();
  if (!(error instanceof Error)) {
    // We throw errors only.
    return { text: `${path ?? "something"} threw ${kindOf(error)} instead of an Error`, hint: "throw new Error(…), which knows its line" };
  }
  const place = placeOf(error, cwd);
  if (place !== undefined) return { text: `an error at ${place}: ${error.message}`, hint: VERBOSE };
  const { code, syscall, path: file } = error as NodeJS.ErrnoException;
  if (code !== undefined && syscall !== undefined)
    return { text: `the system refused${file === undefined ? "" : ` ${file}`}: ${reasonFor(error)}`, hint: VERBOSE };
  if (
    error instanceof RangeError &&
    /allocation failed|out of memory|could not allocate|Invalid (typed )?array (buffer )?length/i.test(error.message)
  )
    return { text: `there is not enough memory (${error.message})`, hint: "smaller batches, fewer samples or a smaller model" };
  if (path !== undefined)
    return {
      text: `an error while ${path} was used: ${error.message}`,
      hint: `${VERBOSE}; where nothing in ${path} explains it, please report it`,
    };
  return { text: `an error inside kasane, please report it: ${error.message}`, hint: VERBOSE };
}

/** The innermost line of the user's own in an error's stack; undefined where all is ours, Node's or a package's. */
function placeOf({ stack }: Error, cwd: string): string | undefined {
  const frames = framesOf(stack);
  // Whoever called the command line is not in question.
  const command = frames.findIndex(({ file }) => isOwnFile(file) && /[/\\]cli[/\\]program\.[jt]s$/.test(file));
  const asked = frames.slice(0, command < 0 ? undefined : command);
  const found = asked.find(({ file }) => !isOwnFile(file) && !/^(?!file:)[a-z]{2,}:|[/\\]node_modules[/\\]/.test(file));
  if (found === undefined) return undefined;
  const file = found.file.replace(/\?.*$/, "");
  return `${relative(cwd, file.startsWith("file:") ? fileURLToPath(file) : file)}:${found.position.replace(/:.*$/, "")}`;
}
