// Draws a graph as Graphviz DOT, Mermaid or SVG.

import { checkArguments } from "../../util/arguments.ts";
import { shapeText } from "../../util/shape-text.ts";
import { short } from "../../util/short.ts";
import { GRAPH } from "../kinds.ts";
import type { GraphGroup, GraphNode, RunGraph } from "./graph.ts";

/** Graphviz: `dot -Tsvg`. */
export function graphDot(graph: RunGraph): string {
  checkArguments("graphDot", { graph: [graph, GRAPH] });
  const { nodes, edges, groups } = graph;
  const quoted = (text: string): string => `"${text.replace(/["\\]/g, "\\$&").replaceAll("\n", "\\n")}"`;
  const shapes = { op: "box", layer: "box3d", parameter: "ellipse", data: "parallelogram" };
  const lines = ["digraph {", '  node [fontname="sans-serif"]', "  compound=true"];
  const write = (inside: string | undefined, indent: string): void => {
    for (const group of groups.filter((one) => one.inside === inside)) {
      lines.push(`${indent}subgraph ${quoted(`cluster_${group.path}`)} {`, `${indent}  label=${quoted(group.label)}`);
      write(group.path, `${indent}  `);
      lines.push(`${indent}}`);
    }
    for (const node of nodes.filter(({ groups: own }) => own.at(-1) === inside))
      lines.push(`${indent}${quoted(node.id)} [shape=${shapes[node.kind]}, label=${quoted(labelLines(node).join("\n"))}]`);
  };
  write(undefined, "  ");
  for (const { from, to, shape } of edges) lines.push(`  ${quoted(from)} -> ${quoted(to)} [label=${quoted(shapeText(shape))}]`);
  return `${[...lines, "}"].join("\n")}\n`;
}

/** Mermaid, which Markdown viewers draw. */
export function graphMermaid(graph: RunGraph): string {
  checkArguments("graphMermaid", { graph: [graph, GRAPH] });
  const { nodes, edges, groups } = graph;
  const names = new Map<string, string>(
    [...nodes.map(({ id }) => id), ...groups.map(({ path }) => `group ${path}`)].map((id, n) => [id, `n${n}`]),
  );
  const text = (content: string): string => `"${content.replaceAll('"', "#quot;").replaceAll("\n", "<br>")}"`;
  const open = { op: "[", layer: "[[", parameter: "([", data: "[/" } as const;
  const close = { op: "]", layer: "]]", parameter: "])", data: "/]" } as const;
  const lines = ["flowchart TB"];
  const write = (inside: string | undefined, indent: string): void => {
    for (const { path, label } of groups.filter((one) => one.inside === inside)) {
      lines.push(`${indent}subgraph ${names.get(`group ${path}`)}[${text(label)}]`);
      write(path, `${indent}  `);
      lines.push(`${indent}end`);
    }
    for (const node of nodes.filter(({ groups: own }) => own.at(-1) === inside))
      lines.push(`${indent}${names.get(node.id)}${open[node.kind]}${text(labelLines(node).join("\n"))}${close[node.kind]}`);
  };
  write(undefined, "  ");
  for (const { from, to, shape } of edges) lines.push(`  ${names.get(from)} -->|${text(shapeText(shape))}| ${names.get(to)}`);
  return `${lines.join("\n")}\n`;
}

const [CHARACTER, LINE, PADDING] = [6.6, 15, 10];

/** A picture, laid out by dagre (Gansner et al. 1993), which is loaded when this is called. */
export async function graphSvg(graph: RunGraph): Promise<string> {
  checkArguments("graphSvg", { graph: [graph, GRAPH] });
  const { Graph, layout } = await import("@dagrejs/dagre");
  const drawing = new Graph({ compound: true, multigraph: true });
  drawing.setGraph({ rankdir: "TB", nodesep: 24, ranksep: 36, marginx: 12, marginy: 12 });
  drawing.setDefaultEdgeLabel(() => ({}));
  const lines = new Map(graph.nodes.map((node) => [node.id, labelLines(node)]));
  for (const { path, label } of graph.groups) drawing.setNode(`group ${path}`, { label });
  for (const { path, inside } of graph.groups) if (inside !== undefined) drawing.setParent(`group ${path}`, `group ${inside}`);
  for (const { id, groups } of graph.nodes) {
    const own = lines.get(id)!;
    const width = Math.max(...own.map((line) => line.length)) * CHARACTER + 2 * PADDING;
    drawing.setNode(id, { width, height: own.length * LINE + PADDING });
    const group = groups.at(-1);
    if (group !== undefined) drawing.setParent(id, `group ${group}`);
  }
  graph.edges.forEach(({ from, to, shape }, n) => {
    const label = shapeText(shape);
    drawing.setEdge(from, to, { width: label.length * CHARACTER, height: LINE, labelpos: "c" }, String(n));
  });
  layout(drawing);
  const { width = 0, height = 0 } = drawing.graph() as Size;
  const boxOf = (id: string): Box => drawing.node(id) as unknown as Box;
  const parts = [
    ...graph.groups.map((group) => groupSvg(group, boxOf(`group ${group.path}`))),
    ...graph.edges.map(({ from, to, shape }, n) =>
      edgeSvg(drawing.edge({ v: from, w: to, name: String(n) }) as unknown as Route, shapeText(shape)),
    ),
    ...graph.nodes.map((node) => nodeSvg(node, lines.get(node.id)!, boxOf(node.id))),
  ];
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${round(width)}" height="${round(height)}" viewBox="0 0 ${round(width)} ${round(height)}" font-family="ui-monospace, monospace" font-size="11">
<defs><marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8z" fill="#64748b"/></marker></defs>
<rect width="100%" height="100%" fill="#fff"/>
${parts.join("\n")}
</svg>
`;
}

interface Size {
  readonly width?: number;
  readonly height?: number;
}
interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}
interface Route {
  readonly points: readonly { readonly x: number; readonly y: number }[];
  readonly x: number;
  readonly y: number;
}

const FILL = { op: "#eff6ff", layer: "#dbeafe", parameter: "#fefce8", data: "#f0fdf4" };
const EDGE = { op: "#3b82f6", layer: "#1d4ed8", parameter: "#ca8a04", data: "#16a34a" };

function groupSvg({ label }: GraphGroup, { x, y, width, height }: Box): string {
  const [left, top] = [round(x - width / 2), round(y - height / 2)];
  return `<g><rect x="${left}" y="${top}" width="${round(width)}" height="${round(height)}" rx="6" fill="#94a3b8" fill-opacity="0.1" stroke="#94a3b8"/><text x="${left + 6}" y="${top + 13}" fill="#475569">${escaped(label)}</text></g>`;
}

function nodeSvg(node: GraphNode, lines: readonly string[], { x, y, width, height }: Box): string {
  const [left, top] = [round(x - width / 2), round(y - height / 2)];
  const { nans, infinities } = node.statistics;
  const stroke = nans + infinities > 0 ? "#dc2626" : EDGE[node.kind];
  const rounding = node.kind === "parameter" ? height / 2 : 4;
  const text = lines.map(
    (line, n) =>
      `<text x="${round(x)}" y="${round(top + PADDING / 2 + LINE * (n + 0.75))}" text-anchor="middle"${n === 0 ? ' font-weight="bold"' : ' fill="#475569"'}>${escaped(line)}</text>`,
  );
  return `<g><title>${escaped(titleOf(node))}</title><rect x="${left}" y="${top}" width="${round(width)}" height="${round(height)}" rx="${round(rounding)}" fill="${FILL[node.kind]}" stroke="${stroke}"/>${text.join("")}</g>`;
}

function edgeSvg({ points, x, y }: Route, label: string): string {
  const path = points.map((point, n) => `${n === 0 ? "M" : "L"}${round(point.x)} ${round(point.y)}`).join("");
  return `<g><path d="${path}" fill="none" stroke="#64748b" marker-end="url(#arrow)"/><text x="${round(x)}" y="${round(y + 4)}" text-anchor="middle" fill="#64748b" stroke="#fff" stroke-width="3" paint-order="stroke">${escaped(label)}</text></g>`;
}

/** What a node says: its name, and what its numbers are. */
function labelLines({ label, kind, shape, statistics, bytes, milliseconds }: GraphNode): string[] {
  const { mean, std, nans, infinities } = statistics;
  const bad = nans + infinities === 0 ? "" : `, ${nans + infinities} not finite`;
  const numbers = Number.isNaN(mean) ? bad.slice(2) : `${short(mean)} ± ${short(std)}${bad}`;
  return [
    kind === "parameter" || kind === "data" ? `${label} ${shapeText(shape)}` : label,
    numbers,
    memory(bytes) + (milliseconds === undefined ? "" : `, ${duration(milliseconds)}`),
  ].filter((line) => line !== "");
}

function titleOf({ label, formula, shape, dtype, statistics, iterations, site }: GraphNode): string {
  const { min, max, zeros, count } = statistics;
  const facts = [`${dtype} ${shapeText(shape)}`, `from ${short(min)} to ${short(max)}`, `${zeros} of ${count} are 0`];
  return [label, formula, facts.join(", "), iterations > 0 ? `${iterations} loop steps` : undefined, site]
    .filter((line) => line !== undefined)
    .join("\n");
}

function memory(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  return bytes < 1024 ** 2 ? `${short(bytes / 1024)} KiB` : `${short(bytes / 1024 ** 2)} MiB`;
}

function duration(milliseconds: number): string {
  return milliseconds > 0 && milliseconds < 0.1 ? `${short(1000 * milliseconds)} µs` : `${short(milliseconds)} ms`;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}
