// Checks that TeX and MathML are well formed.

import { expect } from "vitest";

/** Every tag is closed, in order, and no bare & or < is left. */
export function expectMathml(markup: string): void {
  const open: string[] = [];
  const rest = markup.replace(/<(\/?)([a-z]+)((?: [a-z]+="[^"<&]*")*)>/g, (_, closing: string, tag: string) => {
    if (closing === "") open.push(tag);
    else expect(open.pop(), markup).toBe(tag);
    return "";
  });
  expect(open, markup).toEqual([]);
  expect(rest.replace(/&(?:amp|lt|gt|quot);/g, ""), markup).not.toMatch(/[<>&]/);
  expect(markup).toMatch(/^<math xmlns="http:\/\/www\.w3\.org\/1998\/Math\/MathML" display="block">/);
}

/** Braces, \left … \right and environments are balanced; no Unicode is left that needs a command. */
export function expectTex(tex: string): void {
  let depth = 0;
  const bare = tex.replace(/\\[{}_#$%&\\]/g, "");
  for (const character of bare) {
    if (character === "{") depth++;
    if (character === "}") depth--;
    expect(depth, tex).toBeGreaterThanOrEqual(0);
  }
  expect(depth, tex).toBe(0);
  const count = (pattern: RegExp): number => (tex.match(pattern) ?? []).length;
  expect(count(/\\left[^a-z]|\\left\\/g), tex).toBe(count(/\\right[^a-z]|\\right\\/g));
  expect(count(/\\begin\{/g), tex).toBe(count(/\\end\{/g));
  expect(tex).not.toMatch(/[·−×≤≥≠∧∨¬∑∏∞∂…⋯⌊⌋⌈⌉]/);
  // Two scripts of the same kind on one base are an error in TeX.
  expect(tex).not.toMatch(/_\{[^{}]*\}_|\^\{[^{}]*\}\^/);
}
