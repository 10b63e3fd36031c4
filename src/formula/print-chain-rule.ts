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

/**
 * `gx[0] = gy[0] · w[0, 0] + gy[1] · w[1, 0] = 0.5 × 3 + 0.1 × (-2) = 1.3`; of more than three paths each is a line of its own. Where the
 * element has no paths, or is no plain sum of them, the explanation itself, with the reason.
 */
export function chainRuleText(rule: ChainRule): string {
  const { paths, omitted, explanation } = rule;
  const { digits } = explanation;
  const number = (value: number): string => numberText(value, "float", digits);
  const name = elementName(rule);
  if (paths.length === 0) {
    const text = explanationText(explanation);
    const sentence = text.includes("\n") || text.startsWith(`${name} =`) ? text : `${name} = ${text}`;
    const why = rule.obstacle ?? `no element of ${rule.upstream} reaches it${omitted > 0 ? ` in the terms shown` : ""}`;
    return `${sentence}\n(${why})`;
  }
  const named = (path: ChainPath): string => `${elementName(readName(path))} · ${printNamedFactor(path.local, digits)}`;
  const numbers = (path: ChainPath): string => `${printFactor(path.upstream, digits)} × ${printFactor(valueOf(path.local), digits)}`;
  const value = numberText(rule.value, rule.type, digits);
  const more = `… ${omitted} more, together ${number(rule.rest)}`;
  if (paths.length <= ON_ONE_LINE) {
    const joined = (write: (path: ChainPath) => string, last: string): string =>
      [...paths.map(write), ...(omitted > 0 ? [last] : [])].join(" + ");
    return `${name} = ${joined(named, "…")} = ${joined(numbers, more)} = ${value}`;
  }
  const lines = paths.map((path) => `  ${named(path)} = ${numbers(path)} = ${number(path.contribution)}`);
  return [`${name} = ${value}, the sum of`, ...lines, ...(omitted > 0 ? [`  ${more}`] : [])].join("\n");
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

function readName({ upstream }: ChainPath): { target: string; position: readonly number[] } {
  return { target: upstream.tensor, position: upstream.coordinates };
}

function valueOf({ value, type }: Filled): Filled {
  return { kind: "value", value, type };
}
