// Finds every function, constructor and method of the public interface that takes options, by the text of its parameters.

import * as data from "../../src/data/index.ts";
import * as dataNode from "../../src/data/node.ts";
import * as root from "../../src/index.ts";
import * as inspect from "../../src/inspect/index.ts";
import * as io from "../../src/io/index.ts";
import * as ioNode from "../../src/io/node.ts";
import * as nn from "../../src/nn/index.ts";
import * as optim from "../../src/optim/index.ts";
import * as train from "../../src/train/index.ts";
import * as trainNode from "../../src/train/node.ts";

const modules = {
  root,
  nn,
  optim,
  train,
  "train/node": trainNode,
  data,
  "data/node": dataNode,
  io,
  "io/node": ioNode,
  inspect,
} as const;

type Callable = (...given: never[]) => unknown;

/** Like "nn linear", "data Dataset.split", "root Tensor.sum"; what several modules export is named once. */
export function takingOptions(): string[] {
  const found = new Set<string>();
  const seen = new Set<unknown>();
  for (const [module, exports] of Object.entries(modules))
    for (const [name, value] of Object.entries(exports as Record<string, unknown>)) visit(`${module} ${name}`, value, found, seen);
  visit("root Tensor", root.tensor([1]).constructor, found, seen);
  visitMembers("nn Layer", nn.linear(1, 1), found, seen);
  visitMembers("optim Optimizer", optim.sgd([root.parameter([1])], { learningRate: 1 }), found, seen);
  visitMembers("nn init", nn.init, found, seen);
  return [...found].sort();
}

function visit(name: string, value: unknown, found: Set<string>, seen: Set<unknown>): void {
  if (typeof value !== "function" || seen.has(value)) return;
  seen.add(value);
  if (takes(value as Callable)) found.add(name);
  if (!/^class\b/.test(String(value))) return;
  visitMembers(name, value, found, seen);
  visitMembers(name, value.prototype, found, seen);
}

function visitMembers(name: string, owner: object, found: Set<string>, seen: Set<unknown>): void {
  for (const [member, { value }] of Object.entries(Object.getOwnPropertyDescriptors(owner)))
    if (member !== "constructor" && typeof value === "function") visit(`${name}.${member}`, value, found, seen);
}

/** Whether a parameter is called options, or is taken apart as an object. */
function takes(fn: Callable): boolean {
  return /\boptions\b|\{/.test(parametersOf(String(fn)));
}

function parametersOf(text: string): string {
  const source = /^class\b/.test(text) ? (/\n\s*constructor\s*(\([\s\S]*)/.exec(text)?.[1] ?? "()") : text;
  const start = source.indexOf("(");
  let depth = 0;
  for (let at = start; at < source.length; at++) {
    if (source[at] === "(") depth++;
    if (source[at] === ")" && --depth === 0) return source.slice(start, at + 1);
  }
  return "";
}
