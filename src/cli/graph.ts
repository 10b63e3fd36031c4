// kasane graph: one recorded step of a run, or call of a module, as a picture of its layers and ops.

import { resolve } from "node:path";
import { type GraphOptions, graphDot, graphMermaid, graphOf, graphSvg, profile, type RunGraph } from "../inspect/index.ts";
import { writeFileAtomic } from "../io/node.ts";
import { nonFiniteAsText } from "../util/json.ts";
import { compiledAt } from "./compiled.ts";
import { type RecordedSamples, recordPath } from "./recorded.ts";
import type { Terminal } from "./terminal.ts";

const formats = {
  svg: graphSvg,
  dot: async (graph) => graphDot(graph),
  mermaid: async (graph) => graphMermaid(graph),
  json: async (graph) => `${JSON.stringify(graph, nonFiniteAsText, 2)}\n`,
} satisfies Record<string, (graph: RunGraph) => Promise<string>>;

export type GraphFormat = keyof typeof formats;
export const graphFormats = Object.keys(formats) as GraphFormat[];

export interface GraphCommandOptions extends RecordedSamples {
  readonly format?: GraphFormat;
  readonly out?: string;
  /** Layers nested deeper are drawn as one node. */
  readonly depth?: number;
  /** The backward pass and the update, too. */
  readonly backward?: boolean;
  /** Measure how long each node takes in the compiled step. */
  readonly time?: boolean;
}

/** @returns the exit code */
export async function showGraph(terminal: Terminal, path: string, options: GraphCommandOptions): Promise<number> {
  const { format = "mermaid", out, depth, backward = false, time = false } = options;
  const run = await recordPath(terminal.host.cwd, path, options);
  // Afterwards: a training step trains.
  const timed = time ? profile(...(await compiledAt(terminal.host.cwd, path)), { limits: false }) : undefined;
  const drawn: GraphOptions = {
    passes: backward ? ["forward", "backward", "update"] : ["forward"],
    depth,
    profile: timed,
  };
  const graph = graphOf(run, drawn);
  const text = await formats[format](graph);
  if (out === undefined) terminal.print(text.trimEnd());
  else {
    await writeFileAtomic(resolve(terminal.host.cwd, out), text);
    terminal.print(`${out}: ${graph.nodes.length} nodes, ${graph.edges.length} edges`);
  }
  terminal.result({ format, file: out, ...graph });
  return 0;
}
