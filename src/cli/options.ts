// Checks the words after a flag: numbers in range, one of several names, lists.

import { InvalidArgumentError } from "commander";
import { decimalOf } from "../util/decimal.ts";
import { KasaneError } from "../util/errors.ts";
import { nearestName } from "../util/nearest.ts";
import { MOST } from "./limits.ts";

export function wholeNumber(least: number, most = Number.MAX_SAFE_INTEGER): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text.trim()) && value >= least && value <= most) return value;
    throw new InvalidArgumentError(
      value > most ? `Expected a whole number from ${least} to ${most}.` : `Expected a whole number of at least ${least}.`,
    );
  };
}

export function seedNumber(text: string): number {
  const value = wholeNumber(0)(text);
  if (value > 0xffffffff) throw new InvalidArgumentError("Expected a whole number from 0 to 4294967295.");
  return value;
}

export function positiveNumber(text: string): number {
  const value = decimalOf(text);
  if (Number.isFinite(value) && value > 0) return value;
  throw new InvalidArgumentError("Expected a number above 0.");
}

export function anyNumber(text: string): number {
  const value = decimalOf(text);
  if (Number.isFinite(value)) return value;
  throw new InvalidArgumentError("Expected a number.");
}

export function probability(text: string): number {
  const value = decimalOf(text);
  if (value >= 0 && value < 1) return value;
  throw new InvalidArgumentError("Expected a number from 0 to below 1.");
}

export function oneOf<const Names extends readonly string[]>(names: Names): (text: string) => Names[number] {
  return (text) => {
    if (names.includes(text)) return text;
    const nearest = nearestName(text, names);
    throw new InvalidArgumentError(`Expected one of ${names.join(", ")}.${nearest === undefined ? "" : ` Did you mean ${nearest}?`}`);
  };
}

/** A word that some other code understands. */
export function understoodBy(check: (text: string) => unknown): (text: string) => string {
  return (text) => {
    try {
      check(text);
    } catch (error) {
      if (!(error instanceof KasaneError)) throw error;
      const [sentence = ""] = error.message.split("\n");
      const [, meant] = /^did you mean (.*)\?$/.exec(error.hint ?? "") ?? [];
      throw new InvalidArgumentError(`${sentence}.${meant === undefined ? "" : ` Did you mean ${meant}?`}`);
    }
    return text;
  };
}

/** A file or folder: an empty word would be the folder one is in, where a script's variable was not set. */
export function place(text: string): string {
  if (text.trim() !== "") return text;
  throw new InvalidArgumentError("Expected the name of a file or folder, got an empty word.");
}

/** "64,32" */
export function sizes(text: string): number[] {
  const parts = text.split(",");
  if (parts.length > MOST.hiddenLayers) throw new InvalidArgumentError(`Expected at most ${MOST.hiddenLayers} numbers.`);
  return parts.map((part) => wholeNumber(1, MOST.hidden)(part.trim()));
}

/** "age,alcohol" */
export function nameList(text: string): string[] {
  const names = text.split(",").map((name) => name.trim());
  if (names.every((name) => name !== "") && new Set(names).size === names.length) return names;
  throw new InvalidArgumentError("Expected different names separated by commas.");
}

/** "1,2.5,-3" */
export function numbers(text: string): number[] {
  return text.split(",").map((part) => {
    const value = decimalOf(part);
    if (Number.isFinite(Math.fround(value))) return value;
    throw new InvalidArgumentError(`Expected finite numbers separated by commas, got "${part.trim()}" among them.`);
  });
}

/** For a flag that may be given several times. */
export function collect<Value>(parse: (text: string) => Value): (text: string, before: readonly Value[] | undefined) => Value[] {
  return (text, before) => [...(before ?? []), parse(text)];
}
