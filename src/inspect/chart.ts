// Curves as text for terminals, and as SVG.

/** One curve. */
export interface Series {
  readonly name: string;
  readonly points: readonly (readonly [x: number, y: number])[];
}

/** What is drawn around the curves. */
export interface ChartOptions {
  readonly title: string;
  readonly xTitle: string;
  readonly yTitle: string;
  /** Logarithmic x axis. Default false. */
  readonly logX?: boolean;
  /** Places on the x axis to mark. */
  readonly marks?: readonly { readonly x: number; readonly name: string }[];
}

const EIGHTHS = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉", "█"];

/** One curve as bars, a row for each of some x values, at most 80 columns wide. */
export function chartText({ points }: Series, { title, xTitle, yTitle, marks = [] }: ChartOptions, rows = 24): string {
  const finite = points.filter(([, y]) => Number.isFinite(y));
  const most = Math.max(...finite.map(([, y]) => y));
  const width = 46;
  const step = Math.max(1, Math.ceil(points.length / rows));
  const lines = [title, `${xTitle.padStart(10)}  ${yTitle}`];
  for (let n = 0; n < points.length; n += step) {
    const [x, y] = points[n] as readonly [number, number];
    const following = points[n + step]?.[0] ?? Number.POSITIVE_INFINITY;
    const named = marks.filter((mark) => mark.x >= x && mark.x < following).map(({ name }) => name);
    const eighths = Number.isFinite(y) ? Math.max(0, Math.round((8 * width * y) / most)) : 0;
    const bar = "█".repeat(eighths >> 3) + (EIGHTHS[eighths & 7] as string);
    lines.push(`${short(x).padStart(10)}  ${bar} ${short(y)}${named.length === 0 ? "" : `  ← ${named.join(", ")}`}`);
  }
  return lines.join("\n");
}

const [WIDTH, HEIGHT, LEFT, BOTTOM, TOP] = [640, 360, 64, 48, 36];
const COLOURS = ["#94a3b8", "#1d4ed8", "#16a34a", "#ca8a04"];

/** Curves in one picture; numbers that are not finite interrupt them. */
export function chartSvg(series: readonly Series[], { title, xTitle, yTitle, logX = false, marks = [] }: ChartOptions): string {
  const all = series.flatMap(({ points }) => points.filter(([, y]) => Number.isFinite(y)));
  const scale = (x: number): number => (logX ? Math.log10(x) : x);
  const [xs, ys] = [all.map(([x]) => scale(x)), all.map(([, y]) => y)];
  const [low, high, least, most] = [Math.min(...xs), Math.max(...xs), Math.min(0, ...ys), Math.max(...ys)];
  const across = (x: number): number => round(LEFT + ((scale(x) - low) / (high - low || 1)) * (WIDTH - LEFT - 16));
  const up = (y: number): number => round(HEIGHT - BOTTOM - ((y - least) / (most - least || 1)) * (HEIGHT - BOTTOM - TOP));
  const path = ({ points }: Series): string => {
    let isOpen = false;
    return points
      .map(([x, y]) => {
        if (!Number.isFinite(y)) {
          isOpen = false;
          return "";
        }
        const step = `${isOpen ? "L" : "M"}${across(x)} ${up(y)}`;
        isOpen = true;
        return step;
      })
      .join("");
  };
  const ticks = logX
    ? Array.from({ length: Math.floor(high) - Math.ceil(low) + 1 }, (_, n) => 10 ** (Math.ceil(low) + n))
    : Array.from({ length: 6 }, (_, n) => low + (n * (high - low)) / 5);
  const heights = Array.from({ length: 5 }, (_, n) => least + (n * (most - least)) / 4);
  const line = (x1: number, y1: number, x2: number, y2: number, more: string): string => `<path d="M${x1} ${y1}L${x2} ${y2}" ${more}/>`;
  const [foot, right] = [HEIGHT - BOTTOM, WIDTH - 16];
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${HEIGHT}" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="11">
<rect width="100%" height="100%" fill="#fff"/>
<text x="${LEFT}" y="20" font-size="14" font-weight="bold">${escaped(title)}</text>
${heights.map((y) => `${line(LEFT, up(y), right, up(y), 'stroke="#e2e8f0"')}<text x="${LEFT - 6}" y="${up(y) + 4}" text-anchor="end" fill="#475569">${short(y)}</text>`).join("\n")}
${ticks.map((x) => `${line(across(x), foot, across(x), foot + 4, 'stroke="#475569"')}<text x="${across(x)}" y="${foot + 16}" text-anchor="middle" fill="#475569">${short(x)}</text>`).join("\n")}
${marks.map(({ x, name }) => `${line(across(x), TOP, across(x), foot, 'stroke="#dc2626" stroke-dasharray="4 3"')}<text x="${across(x) + 3}" y="${TOP + 10}" fill="#dc2626">${escaped(name)}</text>`).join("\n")}
${series.map((one, n) => `<path d="${path(one)}" fill="none" stroke="${COLOURS[n % COLOURS.length]}" stroke-width="${n === 0 ? 1 : 2}"><title>${escaped(one.name)}</title></path>`).join("\n")}
<text x="${(LEFT + right) / 2}" y="${HEIGHT - 10}" text-anchor="middle">${escaped(xTitle)}</text>
<text transform="translate(14 ${(TOP + foot) / 2}) rotate(-90)" text-anchor="middle">${escaped(yTitle)}</text>
</svg>
`;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

function short(value: number): string {
  return String(Number(value.toPrecision(3)));
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
