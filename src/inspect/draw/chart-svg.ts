// Curves as SVG.

import { checkArguments, TEXT } from "../../util/arguments.ts";
import { checkOptions } from "../../util/options.ts";
import { CURVES } from "../kinds.ts";
import { axisOf, CHART_OPTIONS, type ChartOptions, type Series, short } from "./chart.ts";

const [WIDTH, HEIGHT, LEFT, BOTTOM, TOP] = [640, 360, 64, 48, 36];
const [FOOT, RIGHT] = [HEIGHT - BOTTOM, WIDTH - 16];
const COLOURS = ["#94a3b8", "#1d4ed8", "#16a34a", "#ca8a04"];
const GREY = 'fill="#475569"';

/** Curves in one picture; numbers that are not finite interrupt them. */
export function chartSvg(series: readonly Series[], options: ChartOptions): string {
  checkArguments("chartSvg", { series: [series, CURVES] });
  const { title, xTitle, yTitle, logX = false, logY = false, marks = [] } = checkOptions("chartSvg", options, CHART_OPTIONS);
  checkArguments("chartSvg", { title: [title, TEXT], xTitle: [xTitle, TEXT], yTitle: [yTitle, TEXT] });
  const points = series.flatMap((one) => one.points);
  const drawn = points.filter(([, y]) => Number.isFinite(y));
  const xAxis = axisOf(
    (drawn.length === 0 ? points : drawn).map(([x]) => x),
    { isLog: logX },
  );
  const yAxis = axisOf(
    points.map(([, y]) => y),
    { isLog: logY, zero: true },
  );
  const across = (x: number): number | undefined => placed(xAxis.share(x), LEFT, RIGHT);
  const up = (y: number): number | undefined => placed(yAxis.share(y), FOOT, TOP);
  const path = (one: Series): string => {
    let isOpen = false;
    const steps = one.points.map(([x, y]) => {
      const [left, top] = [across(x), up(y)];
      const before = isOpen;
      isOpen = left !== undefined && top !== undefined;
      return isOpen ? `${before ? "L" : "M"}${left} ${top}` : "";
    });
    return steps.join("");
  };
  const heights = yAxis.ticks.flatMap((y) => {
    const top = up(y);
    return top === undefined
      ? []
      : [line(LEFT, top, RIGHT, top, 'stroke="#e2e8f0"') + text(LEFT - 6, top + 4, short(y), `text-anchor="end" ${GREY}`)];
  });
  const feet = xAxis.ticks.flatMap((x) => {
    const left = across(x);
    return left === undefined
      ? []
      : [line(left, FOOT, left, FOOT + 4, 'stroke="#475569"') + text(left, FOOT + 16, short(x), `text-anchor="middle" ${GREY}`)];
  });
  const marked = marks.flatMap(({ x, name }, n) => {
    const left = across(x);
    if (left === undefined || left < LEFT || left > RIGHT) return [];
    // Names of neighbours stand one below the other, those at the right edge before their line.
    const side = left > WIDTH - 100 ? ([left - 3, 'text-anchor="end"'] as const) : ([left + 3, ""] as const);
    return [
      line(left, TOP, left, FOOT, 'stroke="#dc2626" stroke-dasharray="4 3"') +
        text(side[0], TOP + 10 + 12 * n, name, `fill="#dc2626" ${side[1]}`),
    ];
  });
  const curves = series.map(
    (one, n) =>
      `<path d="${path(one)}" fill="none" stroke="${COLOURS[n % COLOURS.length]}" stroke-width="${n === 0 ? 1 : 2}"><title>${escaped(one.name)}</title></path>`,
  );
  const legend =
    series.length < 2
      ? []
      : series.map(({ name }, n) =>
          text(RIGHT - 110 * (series.length - 1 - n), 20, name, `text-anchor="end" fill="${COLOURS[n % COLOURS.length]}"`),
        );
  const empty = drawn.length > 0 ? [] : [text((LEFT + RIGHT) / 2, (TOP + FOOT) / 2, "no finite number", 'text-anchor="middle"')];
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${HEIGHT}" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="11">
<rect width="100%" height="100%" fill="#fff"/>
${[text(LEFT, 20, title, 'font-size="14" font-weight="bold"'), ...heights, ...feet, ...marked, ...curves, ...legend, ...empty].join("\n")}
${text((LEFT + RIGHT) / 2, HEIGHT - 10, xTitle, 'text-anchor="middle"')}
<text transform="translate(14 ${(TOP + FOOT) / 2}) rotate(-90)" text-anchor="middle">${escaped(yTitle)}</text>
</svg>
`;
}

function placed(share: number | undefined, from: number, to: number): number | undefined {
  return share === undefined ? undefined : Math.round(10 * (from + share * (to - from))) / 10;
}

function line(x1: number, y1: number, x2: number, y2: number, more: string): string {
  return `<path d="M${x1} ${y1}L${x2} ${y2}" ${more}/>`;
}

function text(x: number, y: number, content: string, more: string): string {
  return `<text x="${x}" y="${y}" ${more}>${escaped(content)}</text>`;
}

function escaped(content: string): string {
  return content.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
