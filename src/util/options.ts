// Refuses unknown options, so that a misspelled name is an error.

import { InputError } from "./errors.ts";
import { nearestName } from "./nearest.ts";

type NamesOf<Options> = Options extends unknown ? keyof Options & string : never;

/** Every name of some options: the compiler misses one that is left out. */
export type OptionNames<Options> = { readonly [Name in NamesOf<Options>]: true };

/**
 * The options, if all their names are known; none for undefined.
 * @param what whose options they are, for the error: "linear"
 * @throws InputError for another name, with the nearest one, and for what are no options
 */
export function checkOptions<Options extends object>(what: string, options: Options | undefined, known: OptionNames<Options>): Options {
  if (options === undefined) return {} as Options;
  if (typeof options !== "object" || options === null)
    throw new InputError(`${what}: expected options by name, got ${options === null ? "null" : String(options)}`, {
      hint: `{ ${Object.keys(known)[0]}: … }; options: ${Object.keys(known).join(", ")}`,
    });
  for (const name in options) if (!Object.hasOwn(known, name)) throw unknownOption(what, name, Object.keys(known));
  return options;
}

/** The error of an unknown option. */
export function unknownOption(what: string, name: string, known: readonly string[]): InputError {
  const nearest = nearestName(name, known);
  return new InputError(`${what}: unknown option "${name}"`, {
    hint: nearest === undefined ? `options: ${known.join(", ")}` : `did you mean ${nearest}?`,
  });
}
