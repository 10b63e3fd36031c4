// Checks arguments of public functions: an error names the argument, what was expected and what arrived.

import { InputError } from "./errors.ts";
import { isClass, kindOf } from "./kind-of.ts";

/** A kind of argument. */
export interface Kind<Value> {
  /** "a recording", as in "expected a recording"; with how one is made where that helps. */
  readonly words: string;
  /** Never throws, whatever it is asked about. */
  readonly holds: (value: unknown) => value is Value;
}

/** @param what whose argument it is, and which: "graphOf: recording" @throws InputError for another kind */
export function requireKind<Value>(what: string, { words, holds }: Kind<Value>, value: unknown): asserts value is Value {
  if (!holds(value)) throw new InputError(`${what}: expected ${words}, got ${kindOf(value)}`);
}

/** The arguments of a function, by name, each with its kind. @throws InputError naming the first of another kind */
export function checkArguments(what: string, given: Readonly<Record<string, readonly [value: unknown, kind: Kind<unknown>]>>): void {
  for (const [name, [value, kind]] of Object.entries(given)) requireKind(`${what}: ${name}`, kind, value);
}

/** An argument that may be left out. */
export function optional<Value>({ words, holds }: Kind<Value>): Kind<Value | undefined> {
  return { words, holds: (value): value is Value | undefined => value === undefined || holds(value) };
}

/** An object that has these fields, each as asked: what kasane itself made, told apart from everything else. */
export function withFields<Value>(words: string, fields: Readonly<Record<string, (value: unknown) => boolean>>): Kind<Value> {
  const needed = Object.entries(fields);
  return {
    words,
    holds: (value): value is Value =>
      (typeof value === "object" || typeof value === "function") &&
      value !== null &&
      needed.every(([name, is]) => is((value as Record<string, unknown>)[name])),
  };
}

/** A list of things of one kind. */
export function listOf<Value>(words: string, { holds }: Kind<Value>): Kind<readonly Value[]> {
  return { words, holds: (value): value is readonly Value[] => Array.isArray(value) && value.every(holds) };
}

/** A whole number from `least` to `most`. */
export function wholeNumber(least: number, most = Number.MAX_SAFE_INTEGER): Kind<number> {
  return {
    words: `a whole number ${most === Number.MAX_SAFE_INTEGER ? `of at least ${least}` : `from ${least} to ${most}`}`,
    holds: (value): value is number => Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= most,
  };
}

/** What can be called as it is, so no class. */
export const FUNCTION: Kind<(...given: never[]) => unknown> = {
  words: "a function",
  holds: (value): value is (...given: never[]) => unknown => typeof value === "function" && !isClass(value),
};
export const TEXT: Kind<string> = { words: "a text", holds: (value): value is string => typeof value === "string" };
export const NUMBER: Kind<number> = { words: "a number", holds: (value): value is number => typeof value === "number" };
export const LIST: Kind<readonly unknown[]> = { words: "a list", holds: (value): value is readonly unknown[] => Array.isArray(value) };
export const OBJECT: Kind<object> = {
  words: "an object with what is set by name",
  holds: (value): value is object => typeof value === "object" && value !== null,
};
export const WHOLES: Kind<readonly number[]> = listOf("a list of whole numbers", wholeNumber(Number.MIN_SAFE_INTEGER));
export const DIGITS: Kind<number> = { ...wholeNumber(1, 100), words: "significant digits from 1 to 100" };
export const WIDTH: Kind<number> = {
  words: "a number of columns of at least 1",
  holds: (value): value is number => typeof value === "number" && value >= 1,
};

/** Texts and symbols are compared with numbers, too, by the language itself: they are no numbers here. */
export function isNumber(value: unknown): value is number {
  return typeof value === "number";
}

/** A list of so many. */
export function withLength(length: number): Kind<readonly unknown[]> {
  return { words: `a list of ${length}`, holds: (value): value is readonly unknown[] => Array.isArray(value) && value.length === length };
}
