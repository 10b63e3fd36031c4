// kasane compile: what a compiled function becomes, pass after pass, down to its kernels and code.

import { backendFor } from "../backends/choose.ts";
import { optimize, PASSES, printGraph, type StepGraph } from "../compiler/index.ts";
import { byteLength } from "../nest/arrays.ts";
import type { CompiledStep } from "../tensor/index.ts";
import { compiledAt } from "./compiled.ts";
import type { Terminal } from "./terminal.ts";
import { duration, grouped, table } from "./terminal.ts";

const passNames = ["trace", ...PASSES.map(({ name }) => name)];
/** What `--show` takes. */
export const shownNames: readonly string[] = [...passNames, "all", "kernels", "code"];

interface Stage {
  readonly name: string;
  readonly graph: StepGraph;
}

/** @returns the exit code */
export async function showCompiled(terminal: Terminal, path: string, { show }: { readonly show?: string }): Promise<number> {
  const [compiled] = await compiledAt(terminal.host.cwd, path);
  const results = compiled.steps.map((step) => present(terminal, step, show));
  terminal.result({ steps: results });
  return 0;
}

/** Prints one step; gives what --json tells of it. */
function present(terminal: Terminal, step: CompiledStep, show: string | undefined): object {
  const { name, traced, memory, compileMs, listing } = step;
  const stages: Stage[] = [{ name: "trace", graph: traced }];
  optimize(traced, backendFor(traced.buffers).facts, (pass, graph) => stages.push({ name: pass, graph }));
  const inputs = traced.inputs.map((buffer) => `${traced.buffers[buffer]?.dtype}[${traced.buffers[buffer]?.shape.join(", ")}]`);
  const { colors } = terminal;
  terminal.print(colors.bold(`${name}(${inputs.join(", ")})`));
  const text = textOf(stages, show, listing);
  if (text === undefined) {
    const rows = stages.map(({ name: pass, graph }) => [pass, grouped(graph.operations.length), grouped(unsharedBytes(graph))]);
    for (const line of table([{ title: "pass", side: "left" }, { title: "kernels" }, { title: "bytes written" }], rows, colors.bold))
      terminal.print(line);
  } else terminal.print(text);
  const cells = step.graph.cells.reduce((total, buffer) => total + byteLength(step.graph.buffers[buffer]!), 0);
  terminal.print();
  terminal.print(
    `memory: ${bytes(memory.bytes)} for temporaries at their peak, ${bytes(memory.unshared)} if none shared room; ${bytes(cells)} stay between runs`,
  );
  terminal.print(`compiled in ${duration(compileMs / 1000)}`);
  return {
    name,
    inputs,
    passes: stages.map(({ name: pass, graph }) => ({ name: pass, kernels: graph.operations.length })),
    memory: { peak: memory.bytes, unshared: memory.unshared, cells },
    compileMs,
    shown: text,
  };
}

/** undefined: no pass was asked for. */
function textOf(stages: readonly Stage[], show: string | undefined, listing: CompiledStep["listing"]): string | undefined {
  if (show === undefined) return undefined;
  if (show === "kernels" || show === "code") return listing(show);
  const shown = stages.filter(({ name }) => show === "all" || name === show);
  return shown.map(({ name, graph }) => `after ${name}: ${graph.operations.length} kernels\n${printGraph(graph)}`).join("\n\n");
}

/** Bytes of what the operations write. */
function unsharedBytes(graph: StepGraph): number {
  const written = new Set(graph.operations.map((operation) => operation.writes));
  return [...written].reduce((total, buffer) => total + byteLength(graph.buffers[buffer]!), 0);
}

function bytes(count: number): string {
  if (count < 10_000) return `${grouped(count)} bytes`;
  return count < 10 * 2 ** 20 ? `${(count / 1024).toFixed(0)} KiB` : `${(count / 2 ** 20).toFixed(0)} MiB`;
}
