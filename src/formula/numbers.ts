// Formats numbers as textbooks do: a few significant digits, powers of ten where they help, NaN and infinity.

import type { ScalarType } from "../nest/nest.ts";

/** A number split into what is printed: `-1.72e-4` is sign "-", digits "1.72", exponent −4. */
export interface WrittenNumber {
  readonly sign: "" | "-";
  readonly digits: string;
  /** Power of ten to multiply with, where written apart. */
  readonly exponent: number | undefined;
}

/** @param digits significant digits; whole numbers below a million and all ints keep every digit */
export function writeNumber(value: number, type: ScalarType = "float", digits = 4): WrittenNumber {
  if (type === "bool") return { sign: "", digits: value === 0 ? "false" : "true", exponent: undefined };
  if (Number.isNaN(value)) return { sign: "", digits: "NaN", exponent: undefined };
  const sign = value < 0 || Object.is(value, -0) ? "-" : "";
  const size = Math.abs(value);
  if (size === Number.POSITIVE_INFINITY) return { sign, digits: "inf", exponent: undefined };
  if (Number.isInteger(size) && (size < 1e6 || type === "int")) return { sign, digits: String(size), exponent: undefined };
  const [mantissa = "0", power = "0"] = size.toExponential(digits - 1).split("e");
  const exponent = Number(power);
  if (exponent < -4 || exponent >= 6) return { sign, digits: trim(mantissa), exponent };
  return { sign, digits: trim(size.toFixed(Math.max(0, digits - 1 - exponent))), exponent: undefined };
}

/** As plain text: `0.9526`, `-1.721e-5`, `NaN`, `-inf`, `true`. */
export function numberText(value: number, type?: ScalarType, digits?: number): string {
  const { sign, digits: text, exponent } = writeNumber(value, type, digits);
  return sign + text + (exponent === undefined ? "" : `e${exponent}`);
}

function trim(decimal: string): string {
  return decimal.includes(".") ? decimal.replace(/\.?0+$/, "") : decimal;
}
