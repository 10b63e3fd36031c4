// kasane explain: an op's formula, gradients, source file, backends, and an example with numbers.

import { availableBackends, backendFor, getBackend, setBackend } from "../backends/choose.ts";
import { planProgram } from "../compiler/index.ts";
import {
  type Binding,
  bind,
  deriveGradient,
  evaluateProgram,
  explainElement,
  explanationText,
  type Formula,
  mathmlOf,
  printFormula,
  texOf,
} from "../formula/index.ts";
import type { LayoutOptions } from "../formula/typeset/layout.ts";
import { allocate } from "../nest/arrays.ts";
import { positionOf } from "../nest/positions.ts";
import { type CatalogueEntry, catalogue, findOp, type Op, type OpKind } from "../ops/index.ts";
import { UsageError } from "../util/errors.ts";
import { nearestName } from "../util/nearest.ts";
import { type Terminal, wrap } from "./terminal.ts";
import type { ExplainFormat } from "./walk.ts";

/** @returns the exit code */
export async function explain(terminal: Terminal, name: string | undefined, format: ExplainFormat = "text"): Promise<number> {
  if (name === undefined) return list(terminal, format);
  const entry = opOf(name);
  if (entry === undefined) throw unknown(name);
  const { op, file } = entry;
  const gradients = op.formula.inputs.flatMap((input) => gradientOf(op, input));
  const runs = backendsOf(entry);
  const example = exampleOf(entry);
  const result = {
    name: entry.name,
    kind: op.kind,
    description: op.doc.en,
    formula: printFormula(op.formula),
    tex: texOf(op.formula),
    gradients: gradients.map(({ input, formulas, written }) => ({ input, formulas: formulas.flatMap(lines), written })),
    file,
    backends: runs,
    source: op.doc.source,
    example,
  };
  const formulas = [op.formula, ...gradients.flatMap((gradient) => gradient.formulas)];
  const drawn: LayoutOptions = { gradients: [...op.formula.inputs, op.formula.statements.at(-1)?.target ?? "y"] };
  const write: Readonly<Record<ExplainFormat, () => void>> = {
    text: () => talk(terminal, entry, { gradients, runs, example }),
    json: () => terminal.print(JSON.stringify(result, null, 2)),
    tex: () => terminal.print(formulas.map((formula) => texOf(formula, drawn)).join("\n\n")),
    mathml: () => terminal.print(formulas.map((formula) => mathmlOf(formula, drawn)).join("\n\n")),
  };
  write[format]();
  terminal.result(result);
  return 0;
}

/** An op by its name, whatever the case. */
export function opOf(name: string): CatalogueEntry | undefined {
  return findOp(name) ?? catalogue.find((candidate) => candidate.name.toLowerCase() === name.toLowerCase());
}

interface Gradient {
  readonly input: string;
  readonly formulas: readonly Formula[];
  readonly written: boolean;
}

interface Found {
  readonly gradients: readonly Gradient[];
  readonly runs: readonly string[];
  readonly example: { readonly inputs: readonly string[]; readonly text: string } | undefined;
}

function talk(terminal: Terminal, entry: CatalogueEntry, { gradients, runs, example }: Found): void {
  const { op, file } = entry;
  const { colors } = terminal;
  terminal.print(`${colors.bold(entry.name)}  (${op.kind})`);
  if (op.doc.en !== "") for (const line of wrap(op.doc.en, terminal.width)) terminal.print(line);
  terminal.print();
  terminal.print(colors.bold("formula"));
  for (const line of lines(op.formula)) terminal.print(`  ${line}`);
  if (gradients.length > 0) {
    terminal.print();
    terminal.print(colors.bold("derivative") + (gradients.length > 1 ? "s" : ""));
    for (const { input, formulas, written } of gradients) {
      terminal.print(`  by ${input}${written ? " (written by hand, tested against the derived one)" : " (derived from the formula)"}`);
      for (const line of formulas.flatMap(lines)) terminal.print(`    ${line}`);
    }
  }
  terminal.print();
  terminal.print(`${colors.bold("row")}       ${file}`);
  terminal.print(`${colors.bold("runs on")}   ${runs.join(", ")}`);
  if (op.doc.source !== undefined) terminal.print(`${colors.bold("source")}    ${op.doc.source}`);
  terminal.print(`${colors.bold("TeX")}       ${texOf(op.formula).split("\n").join("\n          ")}`);
  if (example !== undefined) {
    terminal.print();
    terminal.print(colors.bold("example with numbers"));
    for (const line of example.inputs) terminal.print(`  ${line}`);
    for (const line of example.text.split("\n")) terminal.print(`  ${line}`);
  }
}

function list(terminal: Terminal, format: ExplainFormat): number {
  const result = { ops: catalogue.map(({ name, op, file }) => ({ name, kind: op.kind, formula: op.source, file })) };
  if (format === "json") terminal.print(JSON.stringify(result, null, 2));
  else {
    const kinds = new Map<OpKind, string[]>();
    for (const { name, op } of catalogue) kinds.set(op.kind, [...(kinds.get(op.kind) ?? []), name]);
    for (const [kind, names] of kinds) {
      terminal.print(terminal.colors.bold(`${kind} (${names.length})`));
      for (const line of wrap(names.join(", "), terminal.width - 2)) terminal.print(`  ${line}`);
    }
    terminal.print();
    terminal.print(`One of them in full: ${terminal.host.self} explain softmax`);
  }
  terminal.result(result);
  return 0;
}

function gradientOf(op: Op, input: string): Gradient[] {
  const written = op.gradient[input];
  if (written !== undefined) return [{ input, formulas: [written], written: true }];
  try {
    const derived = deriveGradient(op.formula, input);
    return derived.length === 0 ? [] : [{ input, formulas: derived, written: false }];
  } catch {
    // Integers and comparisons have no derivative; that is nothing to complain about here.
    return [];
  }
}

function lines(formula: Parameters<typeof printFormula>[0]): string[] {
  return printFormula(formula).split(/\n|; /);
}

/** Those whose compiler takes the example and whose dtypes hold it. */
function backendsOf(entry: CatalogueEntry): string[] {
  // A view is another shape for the same memory: nothing is left for a backend to do.
  if (entry.op.kind === "view") return [...availableBackends()];
  const before = getBackend().name;
  try {
    return availableBackends().filter((name) => {
      try {
        setBackend(name);
        const operands = Object.values(entry.example.inputs);
        const backend = backendFor(operands);
        if (backend.name !== name) return false;
        backend.compile(planProgram(bind(entry.op.formula, bindingOf(entry)), backend.facts));
        return true;
      } catch {
        return false;
      }
    });
  } finally {
    setBackend(before);
  }
}

function bindingOf({ name, op, example }: CatalogueEntry): Binding {
  const numbers = { ...op.defaults, ...example.attributes };
  const sizes = Object.fromEntries(op.formula.sizes.map((size) => [size, numbers[size] as number]));
  const lists = Object.fromEntries(op.formula.lists.map((list) => [list, numbers[list] as readonly number[]]));
  return {
    name,
    sizes,
    lists,
    params: op.params,
    axisNames: op.axisNames,
    inputs: Object.fromEntries(Object.entries(example.inputs).map(([input, { dtype, shape }]) => [input, { dtype, shape }])),
    resultShape: example.resultShape,
  };
}

/** The element with the largest value: one that shows something. */
function exampleOf(entry: CatalogueEntry): { inputs: string[]; text: string } | undefined {
  const { op, example } = entry;
  if (op.kind === "view") {
    const from = Object.values(example.inputs).map(({ shape }) => shape.join(" × "));
    return {
      inputs: inputsOf(entry),
      text: `${from.join(", ")} becomes ${example.resultShape?.join(" × ") ?? "another shape"}; the numbers stay where they are`,
    };
  }
  const binding = bindingOf(entry);
  if (op.formula.inputs.some((input) => example.inputs[input] === undefined)) return undefined;
  const params = op.formula.params.map((param) => Number(example.attributes[param] ?? op.defaults[param] ?? 0));
  const program = bind(op.formula, binding);
  const shape = program.buffers[program.result]?.shape ?? [];
  const typed = op.formula.inputs.map((input) => toArray(example.inputs[input] as CatalogueEntry["example"]["inputs"][string]));
  const result = evaluateProgram(program, typed, params);
  let best = 0;
  for (let n = 1; n < result.length; n++) if (Math.abs(result[n] as number) > Math.abs(result[best] as number)) best = n;
  if (result.length === 0) return undefined;
  const explanation = explainElement(op.formula, binding, typed, params, positionOf(best, shape));
  const text =
    explanation.lines.length === 1
      ? `${elementOf(op, positionOf(best, shape))} = ${explanationText(explanation)}`
      : explanationText(explanation);
  return { inputs: inputsOf(entry), text };
}

function inputsOf({ example }: CatalogueEntry): string[] {
  return Object.entries(example.inputs).map(([input, { shape, data }]) => {
    const numbers = `[${data.slice(0, 12).join(", ")}${data.length > 12 ? ", …" : ""}]`;
    return `${input} = ${numbers}${shape.length > 1 ? ` as ${shape.join(" × ")}` : ""}`;
  });
}

function toArray({ dtype, data }: CatalogueEntry["example"]["inputs"][string]) {
  const array = allocate(dtype, data.length);
  array.set(data);
  return array;
}

function elementOf(op: Op, position: readonly number[]): string {
  const target = op.formula.statements.at(-1)?.target ?? "y";
  return position.length === 0 ? target : `${target}[${position.join(", ")}]`;
}

function unknown(name: string): UsageError {
  const names = catalogue.map((entry) => entry.name);
  const lower = name.toLowerCase();
  const nearest = nearestName(name, names);
  const similar = [
    ...new Set([
      ...(nearest === undefined ? [] : [nearest]),
      ...names.filter((candidate) => candidate.toLowerCase().includes(lower) || lower.includes(candidate.toLowerCase())),
    ]),
  ].slice(0, 5);
  return new UsageError(`explain: there is no op "${name}"`, {
    hint: similar.length > 0 ? `did you mean ${similar.join(", or ")}?` : "explain without a name lists all ops",
  });
}
