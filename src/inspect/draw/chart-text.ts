// Curves as text for terminals.

import { checkArguments, type Kind, requireKind, TEXT } from "../../util/arguments.ts";
import { checkOptions } from "../../util/options.ts";
import { CURVE, CURVES } from "../kinds.ts";
import { axisOf, CHART_OPTIONS, type ChartOptions, type Series, short } from "./chart.ts";

/** How much room a chart of text may take. */
export interface TextChartSize {
  /** Most x values that get a row, spread evenly; the last one always has a row. Default 24. */
  readonly rows?: number;
  /** Default 80. */
  readonly columns?: number;
}

const EIGHTHS = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉", "█"];
const SIGNS = ["○", "×", "+", "◇"];
/** Columns of the x values with the space behind them. */
const MARGIN = 12;
const LONGEST_BAR = 46;
const SHORTEST_BAR = 10;

const SERIES: Kind<Series | readonly Series[]> = {
  ...CURVES,
  words: "a curve, or a list of curves",
  holds: (value): value is Series | readonly Series[] => CURVES.holds(value) || CURVE.holds(value),
};

/** The first curve as bars, a row for each of some x values; the others as signs on the rows of the same x. */
export function chartText(series: Series | readonly Series[], options: ChartOptions, size: TextChartSize = {}): string {
  requireKind("chartText: series", SERIES, series);
  const { title, xTitle, yTitle, logY = false, marks = [] } = checkOptions("chartText", options, CHART_OPTIONS);
  checkArguments("chartText", { title: [title, TEXT], xTitle: [xTitle, TEXT], yTitle: [yTitle, TEXT] });
  const { rows = 24, columns = 80 } = checkOptions<TextChartSize>("chartText: size", size, { rows: true, columns: true });
  const [first, ...others] = "points" in series ? [series] : series;
  const points = first?.points ?? [];
  const ys = [...points, ...others.flatMap((other) => other.points)].map(([, y]) => y);
  const axis = axisOf(ys, { isLog: logY, zero: true });
  const step = Math.ceil(points.length / rows);
  const places = points.flatMap((_, n) => (n % step === 0 || n === points.length - 1 ? [n] : []));
  const shown = places.map((n, row) => {
    const [x, y] = points[n]!;
    const following = points[places[row + 1] ?? points.length]?.[0] ?? Number.POSITIVE_INFINITY;
    const named = marks.filter((mark) => mark.x >= x && mark.x < following).map(({ name }) => name);
    const signs = others.map((other) => axis.share(other.points.find((point) => point[0] === x)?.[1] ?? Number.NaN) ?? -1);
    const tail = `${short(y)}${named.length === 0 ? "" : `  ← ${named.join(", ")}`}`;
    return { x, bar: axis.share(y) ?? 0, signs, tail: cut(tail, columns - MARGIN - SHORTEST_BAR - 1) };
  });
  // Bars are so long that each leaves room for what stands behind it.
  const room = shown.map(({ bar, signs, tail }) => (columns - MARGIN - 1 - tail.length) / Math.max(bar, ...signs, 0.1));
  const width = Math.floor(Math.min(LONGEST_BAR, ...room));
  const legend = others.map(({ name }, n) => `${SIGNS[n % SIGNS.length]} ${name}`);
  const scale = `bars from ${short(axis.from)}${logY ? ", logarithmic" : ""}`;
  return [
    cut(title, columns),
    cut(`${xTitle.padStart(MARGIN - 2)}  ${[yTitle, ...(axis.from === 0 ? [] : [scale]), ...legend].join("; ")}`, columns),
    ...shown.map(({ x, bar, signs, tail }) => `${short(x).padStart(MARGIN - 2)}  ${row(bar, signs, width)} ${tail}`),
  ].join("\n");
}

/** A bar with signs on it or behind it; negative places are none. */
function row(bar: number, signs: readonly number[], width: number): string {
  const eighths = Math.round(8 * width * bar);
  const cells = [..."█".repeat(eighths >> 3), ...EIGHTHS[eighths & 7]!];
  signs.forEach((share, n) => {
    if (share < 0) return;
    const place = Math.min(width - 1, Math.floor(width * share));
    while (cells.length <= place) cells.push(" ");
    cells[place] = SIGNS[n % SIGNS.length]!;
  });
  return cells.join("");
}

function cut(text: string, columns: number): string {
  return text.length <= columns ? text : `${text.slice(0, columns - 1)}…`;
}
