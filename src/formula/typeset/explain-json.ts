// Explanations and chain rules as plain data for JSON, in which NaN, the infinities and −0 survive.

import type { ChainRule } from "../explain/chain-rule.ts";
import { elementName } from "../explain/explain.ts";
import { readsOf } from "../explain/explain-reads.ts";
import type { Explanation } from "../explain/explanation.ts";
import { printFilled, printNamedFactor } from "../print.ts";
import { chainRuleText } from "./print-chain-rule.ts";

/** What JSON can hold. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json };

/**
 * An explanation for `JSON.stringify`. Numbers that JSON has no form for are strings: "NaN", "Infinity", "-Infinity",
 * "-0"; `Number(field)` reads every number, written either way. Field names are those of `Explanation`, with `reads`
 * (see `readsOf`) added.
 */
export function explanationJson(explanation: Explanation): Json {
  const { name, inputs, lines, omitted, value, digits } = explanation;
  return plain({
    name,
    inputs,
    value,
    digits,
    omitted,
    lines: lines.map(({ statement: _, terms: __, ...line }) => ({ element: elementName(line), ...line })),
    reads: readsOf(explanation),
  });
}

/**
 * A chain rule for `JSON.stringify`, numbers as in `explanationJson`. `local.named` and `local.substituted` are the
 * local derivative as text.
 */
export function chainRuleJson(rule: ChainRule): Json {
  const { target, position, value, upstream, paths, omitted, rest, obstacle } = rule;
  const { digits } = rule.explanation;
  return plain({
    element: elementName(rule),
    target,
    position,
    value,
    upstream,
    paths: paths.map((path) => ({
      upstream: { tensor: path.upstream.tensor, coordinates: path.upstream.coordinates, value: path.upstream.value },
      local: { value: path.local.value, named: printNamedFactor(path.local, digits), substituted: printFilled(path.local, digits) },
      contribution: path.contribution,
    })),
    omitted,
    rest,
    obstacle,
    text: chainRuleText(rule),
  });
}

/** The same value as JSON can hold it: undefined fields are left out, numbers that JSON has no form for are strings. */
export function plain(value: unknown): Json {
  if (typeof value === "number")
    return Number.isFinite(value) && !Object.is(value, -0) ? value : Object.is(value, -0) ? "-0" : String(value);
  if (value === null || typeof value === "string" || typeof value === "boolean") return value;
  if (Array.isArray(value)) return value.map(plain);
  return Object.fromEntries(
    Object.entries(value as object)
      .filter(([, field]) => field !== undefined)
      .map(([name, field]) => [name, plain(field)]),
  );
}
