// The result of a rule: what is wrong, where, by which numbers, why, and what to try.

import { checkArguments } from "../../util/arguments.ts";
import { short } from "../../util/short.ts";
import { FINDINGS } from "../kinds.ts";

/** Everything that can be found, causes before their consequences: the order of findings. */
export const FINDING_KINDS = [
  "symmetric initialization",
  "unscaled inputs",
  "unscaled targets",
  "gradients not zeroed",
  "evaluation mode",
  "softmax twice",
  "learning rate too high",
  "not finite",
  "bad initialization",
  "exploding gradients",
  "dead units",
  "saturated activations",
  "vanishing gradients",
  "unused parameters",
  "frozen parameters",
  "learning rate too low",
  "class imbalance",
  "label errors",
  "noisy labels",
  "duplicates",
  "overfitting",
  "nothing to learn",
  "not learning",
  "plateau",
] as const;

/** A disease. */
export type FindingKind = (typeof FINDING_KINDS)[number];

/** One thing that is wrong. */
export interface Finding {
  readonly kind: FindingKind;
  /** A layer's path, a parameter's name, "data", "loss" or "optimizer". */
  readonly where: string;
  /** One sentence with the numbers. */
  readonly what: string;
  /** Lines that show it, as they are. */
  readonly details?: readonly string[];
  /** The same numbers as data. */
  readonly evidence: Readonly<Record<string, number | string | readonly number[]>>;
  /** Why it happens. */
  readonly why: string;
  /** What to change, the most promising first. */
  readonly advice: readonly string[];
}

/** Findings as text of at most 80 columns; "no findings" when there are none. */
export function findingsText(findings: readonly Finding[]): string {
  checkArguments("findingsText", { findings: [findings, FINDINGS] });
  if (findings.length === 0) return "no findings: nothing looks wrong in this run";
  return findings
    .flatMap(({ kind, where, what, details = [], why, advice }, n) => [
      ...(n === 0 ? [] : [""]),
      `${kind}: ${where}`,
      ...wrapped(what, "  "),
      ...details.map((line) => `  ${line}`),
      ...wrapped(`why: ${why}`, "  "),
      ...advice.flatMap((one) => wrapped(`try: ${one}`, "  ")),
    ])
    .join("\n");
}

function wrapped(text: string, indent: string): string[] {
  const lines: string[] = [];
  let line = indent;
  for (const word of text.split(" ")) {
    if (line.length + word.length > 79 && line.trim() !== "") {
      lines.push(line.trimEnd());
      line = `${indent}  `;
    }
    line += `${word} `;
  }
  return [...lines, line.trimEnd()];
}

export { short };

/** "37 %" */
export function percent(share: number): string {
  return `${short(100 * share)} %`;
}
