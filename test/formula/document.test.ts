// Runs every example of docs/formula.md.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, vi } from "vitest";
import { bind } from "../../src/formula/bind/bind.ts";
import { explainElement, explanationText } from "../../src/formula/explain/explain.ts";
import { deriveGradient } from "../../src/formula/gradient/derive.ts";
import { numberText } from "../../src/formula/numbers.ts";
import { parseFormula } from "../../src/formula/parse.ts";
import { printFormula } from "../../src/formula/print.ts";
import { texOf } from "../../src/formula/typeset/print-tex.ts";
import { sizeOfShape } from "../../src/nest/evaluate.ts";
import { type Data, floats, ints, run } from "./support.ts";

type Nested = number | readonly Nested[];

const document = readFileSync(new URL("../../docs/formula.md", import.meta.url), "utf8");
const blocks = [...document.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)].map((match) => ({ language: match[1] ?? "", body: match[2] ?? "" }));
const examples = blocks.filter((block) => block.language === "example").map((block) => block.body);

function shapeOf(value: Nested): number[] {
  return typeof value === "number" ? [] : [value.length, ...shapeOf(value[0] ?? 0)];
}

/** `a = 1, b = 2` or `axes = [-1]` as a record. */
function assignments(text: string): Record<string, Nested> {
  return Object.fromEntries([...text.matchAll(/(\w+) = (\[.*\]|-?[\d.]+)/g)].map((match) => [match[1], JSON.parse(match[2] ?? "")]));
}

interface Line {
  readonly word: string;
  /** What stands between the word and the text: the input of a gradient, a position. */
  readonly of: string;
  readonly text: string;
}

/** Lines of an example; indented ones go on with the line before. */
function linesOf(body: string): Line[] {
  const lines: Line[] = [];
  for (const raw of body.trimEnd().split("\n")) {
    const match = /^(formula|given|sizes|lists|shape|gives|gradient|element|tex|error)(?: (\w+(?:, \w+)*))? +(.*)$/.exec(raw);
    const [, word, of = "", text = ""] = match ?? [];
    const last = lines.pop();
    if (last && word === undefined) lines.push({ ...last, text: `${last.text}\n${raw.slice(11)}` });
    else {
      if (last) lines.push(last);
      if (word === undefined) throw new Error(`not a line of an example: ${raw}`);
      lines.push({ word, of, text });
    }
  }
  return lines;
}

describe("docs/formula.md", () => {
  it("has examples", () => {
    expect(examples.length).toBeGreaterThan(12);
  });
  it.each(examples.map((body) => [body.split("\n")[0]?.replace(/^formula +/, "") ?? "", body]))("%s", (_, body) => {
    const lines = linesOf(body);
    const all = (word: string): Line[] => lines.filter((line) => line.word === word);
    const source = all("formula")[0]?.text ?? "";
    const inputs: Record<string, Data> = {};
    for (const line of all("given"))
      for (const [name, value] of Object.entries(assignments(line.text))) {
        const numbers = [value].flat(9) as number[];
        inputs[name] = line.of === "" ? floats(shapeOf(value), numbers) : ints(shapeOf(value), numbers);
      }
    const sizes = assignments(
      all("sizes")
        .map((line) => line.text)
        .join(),
    ) as Record<string, number>;
    const lists = assignments(
      all("lists")
        .map((line) => line.text)
        .join(),
    ) as Record<string, number[]>;
    const [shape] = all("shape");
    const attributes = { sizes, lists, ...(shape === undefined ? {} : { resultShape: shape.text.split(",").map(Number) }) };
    const [error] = all("error");
    if (error) {
      let message = "";
      try {
        run(source, inputs, attributes);
      } catch (caught) {
        message = (caught as Error).message;
      }
      expect(message).toBe(error.text);
      return;
    }
    const formula = parseFormula(source);
    const binding = { name: "op", inputs, ...attributes };
    expect(bind(formula, binding).inputs).toHaveLength(formula.inputs.length);
    const result = run(formula, inputs, attributes);
    const [gives] = all("gives");
    expect(gives, "an example says what it gives").toBeDefined();
    const expected = JSON.parse(gives?.text ?? "") as Nested;
    expect(result.shape).toEqual(shapeOf(expected));
    expect([...result.data].map((value) => Number(numberText(value)))).toEqual([expected].flat(9));
    expect(sizeOfShape(result.shape)).toBe(result.data.length);
    for (const line of all("gradient")) expect(deriveGradient(formula, line.of).map(printFormula).join("\n")).toBe(line.text);
    for (const line of all("tex")) expect(texOf(formula)).toBe(line.text);
    for (const line of all("element")) {
      const arrays = formula.inputs.map((name) => (inputs[name] as Data).data);
      expect(explanationText(explainElement(formula, binding, arrays, [], line.of.split(", ").map(Number)))).toBe(line.text);
    }
  });

  const programs = blocks.flatMap((block, place) =>
    block.language === "ts" ? [[block.body, blocks[place + 1]?.body ?? ""] as const] : [],
  );
  it.each(programs)("program %#", async (program, output) => {
    const folder = mkdtempSync(join(tmpdir(), "kasane-doc-"));
    const log = vi.spyOn(console, "log").mockImplementation(() => {});
    try {
      const file = join(folder, "program.ts");
      writeFileSync(file, program);
      await import(/* @vite-ignore */ file);
      expect(log.mock.calls.map((call) => call.join(" ")).join("\n")).toBe(output.trimEnd());
    } finally {
      log.mockRestore();
      rmSync(folder, { recursive: true });
    }
  });
});
