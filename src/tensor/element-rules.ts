// Rules for the elements of a tensor (ids in range, labels, probabilities), checked on the host or inside a step.

import type { HostArray } from "../backends/backend.ts";
import type { Formula } from "../formula/ast.ts";
import { bind } from "../formula/bind/bind.ts";
import { parseFormula } from "../formula/parse.ts";
import { INTEGER_RANGES } from "../nest/integers.ts";
import type { Operand, Program } from "../nest/nest.ts";
import { isFloat } from "../nest/typing.ts";
import type { KasaneError } from "../util/errors.ts";

/** Limits included; left out, there is none. */
export interface ElementRule {
  readonly least?: number | undefined;
  readonly most?: number | undefined;
  readonly whole?: boolean;
  /** A number within the limits that is none of those wanted. */
  readonly except?: number | undefined;
  /** A number that is let through wherever it lies. */
  readonly also?: number | undefined;
  /** Whether NaN is let through. Default false. */
  readonly allowsNaN?: boolean;
}

/** The error about an element, the first that breaks the rule. */
export type Complain = (value: number, position: number) => KasaneError;

/** @throws what `complain` makes of the first element that breaks the rule */
export function checkElements(data: HostArray, rule: ElementRule, complain: Complain): void {
  for (let n = 0; n < data.length; n++) {
    const value = data[n]!;
    if (!keeps(value, rule)) throw complain(value, n);
  }
}

function keeps(value: number, { least, most, whole, except, also, allowsNaN }: ElementRule): boolean {
  if (value === also) return true;
  if (Number.isNaN(value)) return allowsNaN === true;
  if (least !== undefined && value < least) return false;
  if (most !== undefined && value > most) return false;
  return value !== except && (whole !== true || Number.isInteger(value));
}

/** Given the flat elements: the position of the first that breaks the rule, or NONE. */
export function programOfRule(elements: Operand, rule: ElementRule): Program {
  return bind(formulaOf(isFloat(elements.dtype), rule), { name: "check", inputs: { x: elements } });
}

/** The position that stands for none. */
export const NONE = INTEGER_RANGES.int32[1];

/** Given the flat elements and a position: the element there, 0 where there is none. */
export function programOfElement(elements: Operand, position: Operand): Program {
  return bind(elementAt, { name: "check", inputs: { x: elements, at: position } });
}

const elementAt = parseFormula("y[] = x[at[]]");
const formulas = new Map<string, Formula>();

function formulaOf(areFloats: boolean, rule: ElementRule): Formula {
  const wanted = areFloats ? ofFloats(rule) : ofInts(rule);
  const text = `y[] = min[i](select(${wanted}, ${NONE}, position[i]))`;
  let formula = formulas.get(text);
  if (formula === undefined) {
    formula = parseFormula(text);
    formulas.set(text, formula);
  }
  return formula;
}

function ofFloats({ least, most, whole, except, also, allowsNaN }: ElementRule): string {
  // Comparisons with NaN are false, but for !=.
  const within = [
    "x[i] == x[i]",
    ...(least === undefined ? [] : [`x[i] >= ${least}`]),
    ...(most === undefined ? [] : [`x[i] <= ${most}`]),
    ...(except === undefined ? [] : [`x[i] != ${except}`]),
    ...(whole === true ? ["isfinite(x[i])", "x[i] == trunc(x[i])"] : []),
  ];
  return [`(${within.join(" && ")})`, ...(also === undefined ? [] : [`x[i] == ${also}`]), ...(allowsNaN ? ["isnan(x[i])"] : [])].join(
    " || ",
  );
}

function ofInts({ least = Number.NEGATIVE_INFINITY, most = Number.POSITIVE_INFINITY, except, also }: ElementRule): string {
  const [low, high] = INTEGER_RANGES.int32;
  // Written as −2³¹ it would be the negative of a number that no int32 is.
  const int = (value: number): string => (value === low ? `(${low + 1} - 1)` : `${value}`);
  const within = [
    ...(least <= low ? [] : [`x[i] >= ${int(Math.min(high, Math.ceil(least)))}`]),
    ...(most >= high ? [] : [`x[i] <= ${int(Math.max(low, Math.floor(most)))}`]),
    ...(except === undefined ? [] : [`x[i] != ${int(except)}`]),
  ];
  const all = within.length === 0 ? ["1 == 1"] : within;
  return [`(${all.join(" && ")})`, ...(also === undefined ? [] : [`x[i] == ${int(also)}`])].join(" || ");
}
