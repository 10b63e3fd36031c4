// A recorded run as a graph: layers that contain ops, with shapes, statistics and memory.

import { printFormula } from "../../formula/print.ts";
import { byteLength } from "../../nest/arrays.ts";
import type { Pass } from "../../tensor/context.ts";
import type { HostArray } from "../../tensor/types.ts";
import { checkArguments } from "../../util/arguments.ts";
import { checkOptions } from "../../util/options.ts";
import { RECORDING } from "../kinds.ts";
import { opTimes } from "../profile/op-times.ts";
import type { StepProfile } from "../profile/profile.ts";
import { tensorName } from "../record/elements.ts";
import type { Statistics } from "../record/measures.ts";
import { type RecordedOp, type RecordedTensor, type Recording, unviewed } from "../record/recording.ts";

/** An op, a closed layer, or a tensor from outside. */
export interface GraphNode {
  readonly id: string;
  readonly kind: "op" | "layer" | "parameter" | "data";
  /** The op's name, the layer's kind, or what the tensor is called. */
  readonly label: string;
  /** The layers it is in, outermost first, as paths. */
  readonly groups: readonly string[];
  /** Of what it gives. */
  readonly shape: readonly number[];
  readonly dtype: string;
  /** Of the numbers it gives. */
  readonly statistics: Statistics;
  /** Of the same, in memory. */
  readonly bytes: number;
  /** Steps of all its loops: for a sum of products half its floating-point operations. */
  readonly iterations: number;
  /** What it takes in a compiled step, where a profile was given; undefined for tensors from outside. */
  readonly milliseconds: number | undefined;
  readonly pass: Pass;
  /** The op's formula. */
  readonly formula: string | undefined;
  /** The line of the user's program. */
  readonly site: string | undefined;
}

/** What one node gives another. */
export interface GraphEdge {
  readonly from: string;
  readonly to: string;
  readonly shape: readonly number[];
}

/** A layer that is open: its nodes are those whose groups name it. */
export interface GraphGroup {
  readonly path: string;
  /** "conv2d", "sequential", or the name of a composite op. */
  readonly label: string;
  /** The path of the group around it. */
  readonly inside: string | undefined;
}

/** Nodes, edges and groups: plain data, for drawing. */
export interface RunGraph {
  readonly nodes: readonly GraphNode[];
  readonly edges: readonly GraphEdge[];
  readonly groups: readonly GraphGroup[];
}

/** What is drawn. */
export interface GraphOptions {
  /** Default: the forward pass alone. */
  readonly passes?: readonly Pass[];
  /** Layers nested deeper than this are drawn as one node. Default: all are open. */
  readonly depth?: number;
  /** Whether parameters are nodes. Default true. */
  readonly parameters?: boolean;
  /** Of the same step compiled, by `profile`: nodes then say how long they take. */
  readonly profile?: Pick<StepProfile, "kernels">;
}

/** The graph of a recorded run. Ops that only give another shape are left out: their input replaces them. */
export function graphOf(recording: Recording, options: GraphOptions = {}): RunGraph {
  checkArguments("graphOf", { recording: [recording, RECORDING] });
  const {
    passes = ["forward"],
    depth = Number.POSITIVE_INFINITY,
    parameters = true,
    profile,
  } = checkOptions<GraphOptions>("graphOf", options, {
    ...{ passes: true, depth: true, parameters: true, profile: true },
  });
  const kinds = new Map(recording.calls.map(({ path, kind }) => [path, kind]));
  const ops = recording.ops.filter(({ pass, program }) => passes.includes(pass) && program !== undefined);
  const nodeOf = new Map<RecordedOp, string>();
  const members = new Map<string, RecordedOp[]>();
  for (const op of ops) {
    const { closed } = placeOf(op, depth);
    const id = closed === undefined ? `op${op.id}` : `layer:${op.pass}:${closed}`;
    nodeOf.set(op, id);
    members.set(id, [...(members.get(id) ?? []), op]);
  }
  const times = profile && opTimes(recording.ops, profile);
  const nodes = [...members].map(([id, own]) => opNode(id, own, placeOf(own.at(-1)!, depth), kinds, times));
  const edges = new Map<string, GraphEdge>();
  const outside = new Map<RecordedTensor, GraphNode>();
  for (const op of ops)
    for (const input of op.inputs) {
      const to = nodeOf.get(op)!;
      const tensor = unviewed(input);
      const source = tensor.source && nodeOf.get(tensor.source);
      if (tensor.source === undefined && (tensor.origin === "constant" || (tensor.origin === "parameter" && !parameters))) continue;
      if (source === to) continue;
      const groups = tensor.origin === "parameter" ? prefixes(tensor.name).slice(0, -1) : [];
      // The parameters of a closed layer are inside of it.
      if (groups.length > depth && tensor.source === undefined) continue;
      const from = source ?? outsideNode(tensor, groups, outside).id;
      edges.set(`${from} ${to} ${tensor.id}`, { from, to, shape: input.shape });
    }
  const all = withoutSingleGroups([...outside.values(), ...nodes]);
  return { nodes: all, edges: [...edges.values()], groups: groupsOf(all, kinds) };
}

/** A layer of one op needs no box around it: the op carries its name. */
function withoutSingleGroups(nodes: readonly GraphNode[]): GraphNode[] {
  const counts = new Map<string, number>();
  for (const path of nodes.flatMap(({ groups }) => groups)) counts.set(path, (counts.get(path) ?? 0) + 1);
  return nodes.map((node) => {
    const alone = node.groups.find((path) => counts.get(path) === 1);
    return alone === undefined || node.kind === "parameter"
      ? node
      : { ...node, label: `${alone.split(".").at(-1)}: ${node.label}`, groups: node.groups.slice(0, node.groups.indexOf(alone)) };
  });
}

interface LayerPath {
  readonly groups: readonly string[];
  /** The path of the closed layer that stands for it. */
  readonly closed: string | undefined;
}

function placeOf({ path }: RecordedOp, depth: number): LayerPath {
  const paths = prefixes(path);
  return { groups: paths.slice(0, depth), closed: paths[depth] };
}

/** "a.b.c" → "a", "a.b", "a.b.c" */
function prefixes(path: string): string[] {
  const parts = path === "" ? [] : path.split(".");
  return parts.map((_, n) => parts.slice(0, n + 1).join("."));
}

function opNode(
  id: string,
  ops: readonly RecordedOp[],
  { groups, closed }: LayerPath,
  kinds: ReadonlyMap<string, string>,
  times: ReadonlyMap<RecordedOp, number> | undefined,
): GraphNode {
  const last = ops.at(-1)!;
  const { output, pass, site } = last;
  return {
    id,
    kind: closed === undefined ? "op" : "layer",
    label: closed === undefined ? last.op.name : `${closed.split(".").at(-1)}: ${kinds.get(closed) ?? "layer"}`,
    groups,
    shape: output.shape,
    dtype: output.dtype,
    statistics: statisticsOf(output.data),
    bytes: ops.reduce((sum, op) => sum + byteLength(op.output), 0),
    iterations: ops.reduce((sum, op) => sum + iterationsOf(op), 0),
    milliseconds: times && ops.reduce((sum, op) => sum + (times.get(op) ?? 0), 0),
    pass,
    formula: closed === undefined ? printFormula(last.op.formula) : undefined,
    site,
  };
}

function outsideNode(tensor: RecordedTensor, groups: readonly string[], known: Map<RecordedTensor, GraphNode>): GraphNode {
  let node = known.get(tensor);
  if (node === undefined) {
    const { origin, shape, dtype, data, id, source } = tensor;
    node = {
      id: `tensor${id}`,
      kind: origin === "parameter" ? "parameter" : "data",
      label: tensorName(tensor),
      groups,
      shape,
      dtype,
      statistics: statisticsOf(data),
      bytes: byteLength(tensor),
      iterations: 0,
      milliseconds: undefined,
      pass: source?.pass ?? "forward",
      formula: undefined,
      site: undefined,
    };
    known.set(tensor, node);
  }
  return node;
}

function groupsOf(nodes: readonly GraphNode[], kinds: ReadonlyMap<string, string>): GraphGroup[] {
  const paths = new Set(nodes.flatMap(({ groups }) => groups));
  return [...paths].sort().map((path) => {
    const outer = path.split(".").slice(0, -1).join(".");
    const kind = kinds.get(path);
    return { path, label: kind === undefined ? path : `${path} (${kind})`, inside: outer !== "" && paths.has(outer) ? outer : undefined };
  });
}

function iterationsOf({ program }: RecordedOp): number {
  return (program?.operations ?? []).reduce((sum, { nest }) => sum + nest.axes.reduce((product, { extent }) => product * extent, 1), 0);
}

/** The same that measures.ts computes where tensors are, of numbers that are here. */
export function statisticsOf(data: HostArray): Statistics {
  let [count, sum, zeros, nans, infinities] = [0, 0, 0, 0, 0];
  let [min, max] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const value of data) {
    if (Number.isFinite(value)) {
      count++;
      sum += value;
      if (value === 0) zeros++;
      if (value < min) min = value;
      if (value > max) max = value;
    } else if (Number.isNaN(value)) nans++;
    else infinities++;
  }
  const none = { mean: Number.NaN, std: Number.NaN, min: Number.NaN, max: Number.NaN, norm: Number.NaN };
  if (count === 0) return { count: data.length, ...none, zeros, nans, infinities };
  const mean = sum / count;
  let spread = 0;
  for (const value of data) if (Number.isFinite(value)) spread += (value - mean) ** 2;
  const [std, norm] = [Math.sqrt(spread / count), Math.sqrt(spread + count * mean * mean)];
  return { count: data.length, mean, std, min, max, norm, zeros, nans, infinities };
}
