// Prints the chain rule of an explained gradient as a textbook does: upstream · local with names, upstream × local with numbers, the sum.

import type { ChainPath, ChainRule } from "./chain-rule.ts";
import { elementName, explanationText } from "./explain.ts";
import type { Filled } from "./filled.ts";
import type { Box, LayoutOptions } from "./layout.ts";
import { layoutElement, layoutFactor, layoutNumber, layoutRow } from "./layout.ts";
import { numberText } from "./numbers.ts";
import { printFactor, printNamedFactor } from "./print.ts";
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
 * `gx[0] = gy[0] · w[0, 0] + gy[1] · w[1, 0] = 0.5 × 3 + 0.1 × (-2) = 1.3`; of more than three paths each is a line of its own. A local
 * derivative of several parts is also written out with its numbers. Where the element has no paths, or is no plain sum of them, the explanation
 * itself, with the reason.
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
      [named, ...(filled === numbers ? [] : [filled]), numbers, numberText((paths[n] as ChainPath).contribution, "float", digits)],
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

/** On one line; where that is too long the second side ends the first line, and the others share as few more as they fit on. */
function equals(sides: readonly string[], width: number): string {
  const line = sides.join(" = ");
  if (line.length <= width) return line;
  const lines = [sides.slice(0, 2).join(" = ")];
  for (const side of sides.slice(2)) {
    const last = lines.at(-1) as string;
    if (lines.length > 1 && `${last} = ${side}`.length <= width) lines[lines.length - 1] = `${last} = ${side}`;
    else lines.push(`    = ${side}`);
  }
  return lines.join("\n");
}

/** The same as an aligned block of TeX: ∂L/∂x with names, with numbers, and the value; empty where there are no paths. */
export function chainRuleTex(rule: ChainRule): string {
  const rows = rowsOf(rule);
  return rows.length === 0 ? "" : texAligned(rows.map((cells) => cells.map(texOfBox)));
}

/** The same as MathML; empty where there are no paths. */
export function chainRuleMathml(rule: ChainRule): string {
  const rows = rowsOf(rule);
  return rows.length === 0 ? "" : mathmlOfRows(rows);
}

function rowsOf(rule: ChainRule): Box[][] {
  const { paths, target, upstream, omitted, explanation } = rule;
  const { digits } = explanation;
  if (paths.length === 0) return [];
  const options: LayoutOptions = {
    digits,
    gradients: [target, upstream].filter((name) => name.startsWith("g")).map((name) => name.slice(1)),
  };
  const sum = (factors: (path: ChainPath) => readonly [Box, Box], sign: string, last: Box): Box => {
    const parts = paths.flatMap((path, n) => {
      const [left, right] = factors(path);
      return [...(n === 0 ? [] : [PLUS]), left, operator(sign), right];
    });
    return layoutRow(...parts, ...(omitted > 0 ? [PLUS, last] : []));
  };
  const rest = layoutNumber(rule.rest, "float", digits);
  const others: Box = { kind: "brace", body: rest, label: { kind: "text", text: `${omitted} more, together` } };
  const named = sum(
    (path) => [
      layoutElement(path.upstream.tensor, path.upstream.coordinates, options),
      layoutFactor(path.local, { ...options, named: true }),
    ],
    "·",
    operator("⋯"),
  );
  const numbers = sum((path) => [layoutFactor(path.upstream, options), layoutFactor(valueOf(path.local), options)], "×", others);
  const equals = operator("=");
  const value = layoutNumber(rule.value, rule.type, digits);
  return [
    [layoutElement(target, rule.position, options), layoutRow(equals, named)],
    [layoutRow(), layoutRow(equals, numbers)],
    [layoutRow(), layoutRow(equals, value)],
  ];
}

const PLUS = operator("+");

function operator(text: string): Box {
  return { kind: "operator", text };
}

function valueOf({ value, type }: Filled): Filled {
  return { kind: "value", value, type };
}
