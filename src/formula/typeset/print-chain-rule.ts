// Prints the chain rule of an explained gradient: upstream · local with names, upstream × local with numbers, the sum.

import type { ChainPath, ChainRule } from "../explain/chain-rule.ts";
import { elementName, explanationText } from "../explain/explain.ts";
import type { Filled } from "../filled.ts";
import { numberText } from "../numbers.ts";
import { printFactor, printNamedFactor } from "../print.ts";
import type { Box, LayoutOptions } from "./layout.ts";
import { layoutElement, layoutFactor, layoutNumber, layoutRow } from "./layout.ts";
import { mathmlOfRows } from "./print-mathml.ts";
import { texAligned, texOfBox } from "./print-tex.ts";

/** More paths than this get a line each. */
const ON_ONE_LINE = 3;

/** How the text names things, and how wide it may be. */
export interface ChainRuleTextOptions {
  /** What the element is called (default: as the formula calls it, `gx[0, 2]`). */
  readonly name?: string;
  /** What the upstream gradient is called (default: as the formula calls it, `gy`). */
  readonly upstream?: string;
  /** Columns that a line should not go beyond (default: no limit). What is longer gets a line for every equal sign. */
  readonly width?: number;
}

/**
 * `gx[0] = gy[0] · w[0, 0] + gy[1] · w[1, 0] = 0.5 × 3 + 0.1 × (-2) = 1.3`; of more than three paths each is a line of
 * its own. A local derivative of several parts is also written out with its numbers. Where the element has no paths, or
 * is no plain sum of them, the explanation itself, with the reason.
 */
export function chainRuleText(rule: ChainRule, options: ChainRuleTextOptions = {}): string {
  const { paths, omitted, explanation } = rule;
  const { name = elementName(rule), upstream = rule.upstream, width = Number.POSITIVE_INFINITY } = options;
  const { digits } = explanation;
  if (paths.length === 0) {
    const text = explanationText(explanation);
    const sentence = text.includes("\n") || text.startsWith(`${name} =`) ? text : `${name} = ${text}`;
    return `${sentence}\n(${whyNoPaths(rule, upstream)})`;
  }
  const steps = paths.map((path) => stepsOf(path, upstream, digits));
  const value = numberText(rule.value, rule.type, digits);
  const more = `… ${omitted} more, together ${numberText(rule.rest, "float", digits)}`;
  if (paths.length <= ON_ONE_LINE) {
    const joined = (write: (step: PathSteps) => string, last: string): string =>
      [...steps.map(write), ...(omitted > 0 ? [last] : [])].join(" + ");
    const written = steps.some(({ filled, numbers }) => filled !== numbers) ? [joined(({ filled }) => filled, more)] : [];
    return equals([name, joined(({ named }) => named, "…"), ...written, joined(({ numbers }) => numbers, more), value], width);
  }
  const lines = steps.map(({ named, filled, numbers }, n) =>
    equals(
      [named, ...(filled === numbers ? [] : [filled]), numbers, numberText(paths[n]!.contribution, "float", digits)],
      width - 4,
    ).replace(/^/gm, "    "),
  );
  return [`${name} = ${value}, the sum of`, ...lines, ...(omitted > 0 ? [`    ${more}`] : [])].join("\n");
}

/** Why a rule has no paths. */
function whyNoPaths({ obstacle, omitted }: ChainRule, upstream: string): string {
  return obstacle ?? `no element of ${upstream} reaches it${omitted > 0 ? " in the terms shown" : ""}`;
}

/** One path with names, with all numbers, and with the number of its local derivative. */
interface PathSteps {
  readonly named: string;
  readonly filled: string;
  readonly numbers: string;
}

function stepsOf({ upstream, local }: ChainPath, tensor: string, digits: number): PathSteps {
  const from = printFactor(upstream, digits);
  return {
    named: `${elementName({ target: tensor, position: upstream.coordinates })} · ${printNamedFactor(local, digits)}`,
    filled: `${from} × ${printFactor(local, digits)}`,
    numbers: `${from} × ${printFactor(valueOf(local), digits)}`,
  };
}

/**
 * On one line; where that is too long the second side ends the first line, and the others share as few more as they fit
 * on.
 */
function equals(sides: readonly string[], width: number): string {
  const line = sides.join(" = ");
  if (line.length <= width) return line;
  const lines = [sides.slice(0, 2).join(" = ")];
  for (const side of sides.slice(2)) {
    const last = lines.at(-1)!;
    if (lines.length > 1 && `${last} = ${side}`.length <= width) lines[lines.length - 1] = `${last} = ${side}`;
    else lines.push(`    = ${side}`);
  }
  return lines.join("\n");
}

/**
 * The same as an aligned block of TeX: ∂L/∂x with names, with numbers, and the value; empty where there are no paths.
 */
export function chainRuleTex(rule: ChainRule): string {
  const rows = cellsOf(rule);
  return rows.length === 0 ? "" : texAligned(rows.map((cells) => cells.map(texOfBox)));
}

/** The same as MathML; empty where there are no paths. */
export function chainRuleMathml(rule: ChainRule): string {
  const rows = cellsOf(rule);
  return rows.length === 0 ? "" : mathmlOfRows(rows);
}

function cellsOf(rule: ChainRule): Box[][] {
  return layoutChainRule(rule).map((right, n) => [
    n === 0 ? layoutElement(rule.target, rule.position, optionsOf(rule)) : layoutRow(),
    right,
  ]);
}

/**
 * What stands right of the element, line by line, each beginning with its equal sign: with names, with numbers, the
 * value. Of more than three paths the value comes first and each path has a line of its own. Empty where there are no
 * paths.
 */
export function layoutChainRule(rule: ChainRule): Box[] {
  const { paths, omitted } = rule;
  if (paths.length === 0) return [];
  const options = optionsOf(rule);
  const number = (value: number, type: Filled["type"] = "float"): Box => layoutNumber(value, type, options.digits);
  const steps = paths.map((path) => layoutPath(path, options));
  const label: Box = { kind: "text", text: `${omitted} more, together` };
  const others: Box[] = omitted > 0 ? [PLUS, { kind: "brace", body: number(rule.rest), label }] : [];
  if (paths.length > ON_ONE_LINE) {
    const lines = steps.map((sides, n) => [...sides, number(paths[n]!.contribution)]);
    return [
      layoutRow(EQUALS, number(rule.value, rule.type), { kind: "text", text: ", the sum of" }),
      ...lines.map((sides) => layoutRow({ kind: "space", width: 2 }, ...joined(sides, EQUALS))),
      ...(omitted > 0 ? [layoutRow({ kind: "space", width: 2 }, ...others)] : []),
    ];
  }
  // A path whose local derivative is a single number has nothing to fill in.
  const most = Math.max(...steps.map(({ length }) => length));
  const sums = Array.from({ length: most }, (_, step) => {
    const parts = steps.map((sides) => sides[step === 0 ? 0 : Math.max(1, sides.length - most + step)]!);
    const rest = omitted === 0 ? [] : step === 0 ? [PLUS, operator("⋯")] : others;
    return layoutRow(EQUALS, ...joined(parts, PLUS), ...rest);
  });
  return [...sums, layoutRow(EQUALS, number(rule.value, rule.type))];
}

/**
 * A path with names; with all numbers, where its local derivative is more than one; with the number of its local
 * derivative.
 */
function layoutPath({ upstream, local }: ChainPath, options: LayoutOptions): Box[] {
  const value = valueOf(local);
  const factors = (sign: string, left: Box, right: Box): Box => layoutRow(left, operator(sign), right);
  const from = layoutFactor(upstream, options);
  const isSingle = printFactor(local, options.digits) === printFactor(value, options.digits);
  return [
    factors("·", layoutElement(upstream.tensor, upstream.coordinates, options), layoutFactor(local, { ...options, named: true })),
    ...(isSingle ? [] : [factors("×", from, layoutFactor(local, options))]),
    factors("×", from, layoutFactor(value, options)),
  ];
}

function optionsOf({ target, upstream, explanation }: ChainRule): LayoutOptions & { readonly digits: number } {
  const gradients = [target, upstream].filter((name) => name.startsWith("g")).map((name) => name.slice(1));
  return { digits: explanation.digits, gradients };
}

function joined(boxes: readonly Box[], sign: Box): Box[] {
  return boxes.flatMap((box, n) => (n === 0 ? [box] : [sign, box]));
}

const PLUS = operator("+");
const EQUALS = operator("=");

function operator(text: string): Box {
  return { kind: "operator", text };
}

function valueOf({ value, type }: Filled): Filled {
  return { kind: "value", value, type };
}
