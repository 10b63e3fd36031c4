// Charts as text and as pictures: they keep to their columns and hold whatever numbers there are.

import { describe, expect, it } from "vitest";
import { chartSvg, chartText, type Series } from "../../../src/inspect/index.ts";

const series = { name: "loss", points: [[0.001, 2], [0.01, 1], [0.1, 0.5], [1, Number.NaN]] as const }; // biome-ignore format: points
const options = { title: "a <curve>", xTitle: "rate", yTitle: "loss", logX: true, marks: [{ x: 0.05, name: "best" }] };
const curve = (ys: readonly number[], name = "loss"): Series => ({ name, points: ys.map((y, x) => [x, y] as const) });
const widest = (text: string): number => Math.max(...text.split("\n").map((line) => line.length));

describe("chartText", () => {
  it("draws bars from 0", () => {
    expect(chartText(series, options)).toMatchInlineSnapshot(`
      "a <curve>
            rate  loss
           0.001  ██████████████████████████████████████████████ 2
            0.01  ███████████████████████ 1  ← best
             0.1  ███████████▌ 0.5
               1   NaN"
    `);
  });

  it("draws bars from the least negative number", () => {
    expect(chartText(curve([-3, -4, -5, -5000]), options)).toMatchInlineSnapshot(`
      "a <curve>
            rate  loss; bars from -5000
               0  ██████████████████████████████████████████████ -3  ← best
               1  ██████████████████████████████████████████████ -4
               2  ██████████████████████████████████████████████ -5
               3   -5000"
    `);
    expect(widest(chartText(curve([-3, -5000, 2]), options))).toBeLessThanOrEqual(80);
  });

  it("keeps to its columns, whatever stands behind the bars", () => {
    const marks = ["low", "high", "best"].map((name) => ({ x: 1, name }));
    const text = chartText(curve([1, 1.23, 1]), { ...options, marks });
    expect(text).toContain("█ 1.23  ← low, high, best");
    expect(widest(text)).toBeLessThanOrEqual(80);
    const long = chartText(curve([1, 2]), { ...options, title: "t".repeat(100), marks: [{ x: 0, name: "n".repeat(100) }] });
    expect(widest(long)).toBe(80);
    expect(widest(chartText(curve([1, 2]), { ...options, marks }, { columns: 40 }))).toBeLessThanOrEqual(40);
    expect(widest(chartText(curve([1e300, -1e-300, 5e19]), options))).toBeLessThanOrEqual(80);
  });

  it("draws others beside the first, on a logarithmic scale if wanted", () => {
    const text = chartText([curve([1, 10, 100, 1000, 0], "a"), curve([10, 1, 1000, 5], "b")], { ...options, logY: true, marks: [] });
    expect(text).toMatchInlineSnapshot(`
      "a <curve>
            rate  loss; bars from 1, logarithmic; ○ b
               0                 ○ 1
               1  ○██████████████▍ 10
               2  ██████████████████████████████▋              ○ 100
               3  ██████████○███████████████████████████████████ 1000
               4   0"
    `);
  });

  it("always shows the last row, and what is no number", () => {
    const text = chartText(curve(Array.from({ length: 100 }, (_, n) => (n < 99 ? n : Number.POSITIVE_INFINITY))), options, { rows: 10 });
    expect(text.split("\n")).toHaveLength(2 + 11);
    expect(text).toMatch(/\n {8}99 {3}Infinity$/);
    expect(chartText(curve([]), options)).toBe("a <curve>\n      rate  loss");
    expect(chartText(curve([Number.NaN]), options)).toContain("0   NaN");
  });
});

describe("chartSvg", () => {
  it("is a picture without holes", () => {
    const svg = chartSvg([series], options);
    expect(svg).not.toContain("NaN");
    expect(svg).toContain("a &lt;curve&gt;");
    expect(svg).toContain("best");
  });

  it.each([
    ["nothing", []],
    ["no numbers", [Number.NaN, Number.NaN]],
    ["infinities", [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]],
    ["one number", [3]],
    ["equal numbers", [-2, -2]],
    ["zeros", [0, 0, 0]],
  ])("holds %s", (_, ys) => {
    for (const logY of [false, true])
      for (const logX of [false, true]) {
        const svg = chartSvg([curve(ys), { name: "none", points: [] }], { ...options, logX, logY, marks: [{ x: 0, name: "m" }] });
        expect(svg).not.toMatch(/NaN|Infinity|undefined/);
        expect(svg.includes("no finite number")).toBe(!ys.some(Number.isFinite));
      }
  });
});
