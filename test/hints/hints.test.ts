// What errors tell people to try: every mistake is made, its hint is there, and what the hint says is done and works.

import { afterEach, describe, expect, it, vi } from "vitest";
import { type Advice, adviceOf, errorOf, patternOf } from "./advice.ts";
import { backendsAdvice } from "./backends.ts";
import { beyondTests } from "./beyond.ts";
import { cliAdvice } from "./cli.ts";
import { dataAdvice } from "./data.ts";
import { formulaAdvice } from "./formula.ts";
import { inspectAdvice } from "./inspect.ts";
import { findHints } from "./inventory.ts";
import { ioAdvice } from "./io.ts";
import { nnAdvice } from "./nn.ts";
import { optimAdvice } from "./optim.ts";
import { tensorAdvice } from "./tensor.ts";
import { trainAdvice } from "./train.ts";

const areas: Readonly<Record<string, readonly Advice[]>> = {
  formula: formulaAdvice,
  tensor: tensorAdvice,
  nn: nnAdvice,
  optim: optimAdvice,
  train: trainAdvice,
  data: dataAdvice,
  io: ioAdvice,
  inspect: inspectAdvice,
  cli: cliAdvice,
  backends: backendsAdvice,
};

/** How much of a hint stands in the source, without what is put into it. */
const sizeOf = (text: string): number => text.replaceAll("…", "").length;
const LEAST = 4;

const hints = findHints();
const found = [...new Set(hints.map(({ text }) => text))].map((text) => ({ text, pattern: patternOf(text) }));

/** The hints of the sources that a text is one of: those which say most of it themselves. */
function hintsLike(given: string): string[] {
  const fitting = found.filter(({ pattern }) => pattern.test(given)).map(({ text }) => text);
  const most = Math.max(...fitting.map(sizeOf));
  return fitting.filter((text) => sizeOf(text) === most);
}

afterEach(() => void vi.restoreAllMocks());

describe.each(Object.entries(areas))("advice about %s works", (_, cases) => {
  it.each(cases)("$hint", async ({ hint, mistake, remedies }) => {
    vi.spyOn(console, "warn").mockImplementation(() => {});
    const error = await errorOf(mistake);
    expect(error, "the mistake must be refused").toBeInstanceOf(Error);
    expect(adviceOf(error)).toMatch(patternOf(hint));
    for (const remedy of remedies) await remedy();
  });
});

describe("the sources", () => {
  const executed = Object.values(areas).flatMap((cases) => cases.map(({ hint }) => hint));
  const named = [...executed, ...Object.keys(beyondTests)];

  it("give no hint that is not executed here, or named with the reason why it cannot be", () => {
    const known = new Set(named.flatMap(hintsLike));
    expect(hints.filter(({ text }) => !known.has(text))).toEqual([]);
  });

  it("hold every hint that is named here", () => {
    expect(named.filter((hint) => hintsLike(hint).length === 0)).toEqual([]);
  });

  it("give hints that say something themselves", () => {
    expect(hints.filter(({ text }) => sizeOf(text) < LEAST)).toEqual([]);
  });

  it("name no hint both ways", () => {
    const done = new Set(executed.flatMap(hintsLike));
    expect(
      Object.keys(beyondTests)
        .flatMap(hintsLike)
        .filter((hint) => done.has(hint)),
    ).toEqual([]);
  });
});
