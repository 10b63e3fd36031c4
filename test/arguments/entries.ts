// Every function, class and static method of the entry points of data and inspection, found by asking the entry points themselves.

import * as data from "../../src/data/index.ts";
import * as dataNode from "../../src/data/node.ts";
import * as inspect from "../../src/inspect/index.ts";

export type Fn = (...given: unknown[]) => unknown;

/** Entry points of package.json, by the same names. */
const entryPoints: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  "./data": data,
  "./data/node": dataNode,
  "./inspect": inspect,
};

function isClass(value: unknown): boolean {
  return typeof value === "function" && /^class\b/.test(Function.prototype.toString.call(value));
}

/** Called by name, like "./nn linear", "./data Dataset" (with new) and "./data CategoryEncoder.fit"; what several entry points export is there once. */
export function entries(): Map<string, Fn> {
  const found = new Map<string, Fn>();
  const seen = new Set<unknown>();
  for (const [place, exported] of Object.entries(entryPoints))
    for (const [name, value] of Object.entries(exported)) {
      if (typeof value !== "function" || seen.has(value) || value.prototype instanceof Error) continue;
      seen.add(value);
      const made = value as Fn & (new (...given: unknown[]) => unknown);
      found.set(`${place} ${name}`, isClass(value) ? (...given) => new made(...given) : made);
      if (isClass(value))
        for (const [member, method] of methodsOf(value, Function.prototype)) found.set(`${place} ${name}.${member}`, method.bind(value));
    }
  return found;
}

/** What can be called on a thing, down from `end`. */
function methodsOf(owner: object, end: unknown = Object.prototype): Map<string, Fn> {
  const found = new Map<string, Fn>();
  for (let from: object | null = owner; from !== null && from !== end && from !== Function.prototype; from = Object.getPrototypeOf(from))
    for (const [name, { value }] of Object.entries(Object.getOwnPropertyDescriptors(from)))
      if (name !== "constructor" && typeof value === "function" && !found.has(name)) found.set(name, value as Fn);
  return found;
}
