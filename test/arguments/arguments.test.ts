// Whatever is put in the place of an argument of what "kasane/inspect" and "kasane/data" export: it works, or one of kasane's errors names the function and what was expected.

import { rmSync } from "node:fs";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import * as root from "../../src/index.ts";
import { entries, type Fn } from "./entries.ts";
import { garbage } from "./garbage.ts";
import { calls, folder, samplesOf } from "./samples.ts";
import { unmended } from "./unmended.ts";

/** Right arguments with one of them replaced, and one too many. */
function* wronged(sample: () => readonly unknown[]): Generator<readonly [string, readonly unknown[]]> {
  const count = sample().length;
  for (const [name, make] of Object.entries(garbage)) {
    for (let place = 0; place <= count; place++) {
      const given = [...sample()];
      given[place] = make();
      yield [`argument ${place + 1}: ${name}`, given];
    }
  }
}

/** What is wrong with the answer to one call with something wrong, or undefined. */
async function faultOf(name: string, given: readonly unknown[], call: () => unknown): Promise<string | undefined> {
  try {
    await settled(call());
    return undefined;
  } catch (error) {
    // Thrown by a function that was given.
    if (error === null || given.includes(error)) return undefined;
    if (!(error instanceof root.KasaneError)) return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
    // About what is in a file: its name is said instead.
    return error instanceof root.FileError || isNamed(name, error.message) ? undefined : `without the function's name: ${error.message}`;
  }
}

/** "./data Dataset.fit" by "Dataset", or in words: "category encoder" of a CategoryEncoder. */
function isNamed(name: string, message: string): boolean {
  const [owner = "", member] = (name.split(" ")[1] ?? "").split(".");
  const letters = (text: string): string => text.toLowerCase().replaceAll(/[^a-z]/g, "");
  return [owner, member, ALSO_CALLED[owner]].some((called) => called !== undefined && letters(message).includes(letters(called)));
}

/** The word that errors have for what a class makes, where it is a shorter one. */
const ALSO_CALLED: Readonly<Record<string, string>> = {
  BytePairTokenizer: "tokenizer",
  VocabularyTokenizer: "vocabulary",
  DataLoader: "loader",
  Draws: "transform",
};

/** Promises settle; a generator is asked for what it gives. */
async function settled(made: unknown): Promise<unknown> {
  if (typeof made === "object" && made !== null && "next" in made && typeof made.next === "function")
    return (made as Iterator<unknown>).next();
  return made;
}

async function faultsOf(name: string): Promise<string[]> {
  const call = functions.get(name) as Fn;
  const then = calls[name];
  const faults: string[] = [];
  for (const [where, given] of wronged(samplesOf[name] ?? (() => []))) {
    let made: unknown;
    const fault = await faultOf(name, given, () => {
      made = call(...given);
      return made;
    });
    const later = then === undefined || typeof made !== "function" ? undefined : await faultOf(name, given, () => (made as Fn)(...then()));
    for (const one of [fault, later]) if (one !== undefined) faults.push(`${where}: ${one}`);
  }
  return faults;
}

const functions = entries();
const names = [...functions.keys()];
const state = root.randomState();
const backend = root.getBackend().name;

afterEach(() => {
  root.setBackend(backend);
  root.setRandomState(state);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("arguments of another kind", () => {
  it("are tried with all that is exported", () => {
    expect(names.filter((name) => samplesOf[name] === undefined)).toEqual([]);
    expect(Object.keys({ ...samplesOf, ...calls, ...unmended }).filter((name) => !functions.has(name))).toEqual([]);
  });

  it.each(names)("%s: works with the right ones", async (name) => {
    const call = functions.get(name) as Fn;
    const given = samplesOf[name]?.() ?? [];
    try {
      await settled(call(...given));
    } catch (error) {
      // Files of the formats are not there, and what explains a failure throws it again.
      expect(error instanceof root.FileError || given.includes(error), String(error)).toBe(true);
    }
  });

  // A number that is too high here has been mended: lower it. None may be raised.
  it.each(names)("%s", async (name) => {
    const faults = await faultsOf(name);
    expect(faults.length, faults.join("\n")).toBe(unmended[name] ?? 0);
  });
});
