// Replaces the letters of a formula by the names users know its tensors by.

import type { ChainRule } from "../../formula/explain/chain-rule.ts";
import { sentenceOf } from "../../formula/explain/explain.ts";
import type { Explanation } from "../../formula/explain/explanation.ts";
import type { Filled } from "../../formula/filled.ts";
import { plainName, tensorName } from "../record/elements.ts";
import type { RecordedTensor } from "../record/recording.ts";
import type { ExplainedElement } from "./explain.ts";

/**
 * The chain rule of an element of a gradient with people's names in it; `upstream` is what to write for its upstream
 * gradient.
 */
export function spokenChain(element: ExplainedElement): { readonly chain: ChainRule; readonly upstream: string } | undefined {
  const { chain } = element;
  if (chain === undefined) return undefined;
  const names = namesIn(element);
  const paths = chain.paths.map((path) => ({ ...path, local: renamed(path.local, names) }));
  return { chain: { ...chain, paths }, upstream: names.get(chain.upstream) ?? `∂L/∂${chain.upstream.slice(1)}` };
}

/** `11 = 2·3 + 3·1 + 1·2`, and `3 = W1[0, 0]` where the number was only copied. */
export function spokenSentence(element: ExplainedElement): string {
  const { lines, digits } = element.explanation as Explanation;
  const line = lines.at(-1)!;
  return sentenceOf({ ...line, filled: renamed(line.filled, namesIn(element)) }, digits);
}

/** Names by the letter of the formula, where they differ. */
function namesIn({ explanation, tensor: { source } }: ExplainedElement): ReadonlyMap<string, string> {
  const names = new Map<string, string>();
  explanation?.inputs.forEach((letter, number) => {
    const input = source?.inputs[number];
    const name = input === undefined ? undefined : spokenName(letter, input, source?.taken ?? new Set());
    if (name !== undefined) names.set(letter, name);
  });
  return names;
}

/** Undefined where the formula's letter will do. */
function spokenName(letter: string, tensor: RecordedTensor, taken: ReadonlySet<string>): string | undefined {
  const { gradientOf } = tensor;
  const own = gradientOf ?? tensor;
  const isGiven = own.given !== undefined || (own.source === undefined && (own.origin === "parameter" || taken.has(own.name)));
  if (isGiven) return gradientOf === undefined ? plainName(own) : tensorName(tensor);
  if (!taken.has(gradientOf === undefined ? letter : letter.slice(1))) return undefined;
  return gradientOf === undefined ? `(${tensorName(own)})` : tensorName(tensor);
}

function renamed(filled: Filled, names: ReadonlyMap<string, string>): Filled {
  switch (filled.kind) {
    case "value":
      return filled;
    case "read":
      return {
        ...filled,
        tensor: names.get(filled.tensor) ?? filled.tensor,
        ...(filled.chosenBy === undefined ? {} : { chosenBy: filled.chosenBy.map((one) => renamed(one, names)) }),
      };
    case "call":
      return { ...filled, args: filled.args.map((arg) => renamed(arg, names)) };
    case "choice":
      return { ...filled, condition: renamed(filled.condition, names), chosen: renamed(filled.chosen, names) };
    case "chain":
      return { ...filled, terms: filled.terms.map((term) => ({ ...term, term: renamed(term.term, names) })) };
  }
}
