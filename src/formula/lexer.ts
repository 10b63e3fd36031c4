// Splits the text of a formula into tokens with their positions.

import { FormulaError } from "../util/errors.ts";

export type TokenKind = "number" | "name" | "symbol" | "ellipsis" | "list" | "separator" | "end";

export interface Token {
  readonly kind: TokenKind;
  readonly text: string;
  /** Offset of the first character. */
  readonly at: number;
}

const NUMBER = /(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?/y;
const NAME = /[\p{L}_][\p{L}\p{M}\p{N}_]*/uy;
const SYMBOL = /\+=|<=|>=|==|!=|&&|\|\||[-+*/%^()[\],<>=!]/y;
const ELLIPSIS = /\.\.\.([\p{L}_][\p{L}\p{M}\p{N}_]*)?/uy;
const LIST = /@([\p{L}_][\p{L}\p{M}\p{N}_]*)/uy;

export function tokenize(source: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  let depth = 0;
  const push = (kind: TokenKind, text: string, length: number): void => {
    tokens.push({ kind, text, at });
    at += length;
  };
  const match = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at;
    return pattern.exec(source);
  };
  while (at < source.length) {
    const character = source[at]!;
    if (character === "\n" || character === ";") {
      if (depth === 0) push("separator", character, 1);
      else at++;
      continue;
    }
    if (/\s/.test(character)) {
      at++;
      continue;
    }
    let found: RegExpExecArray | null;
    if ((found = match(ELLIPSIS))) push("ellipsis", found[1] ?? "", found[0].length);
    else if ((found = match(NUMBER))) push("number", found[0], found[0].length);
    else if ((found = match(NAME))) push("name", found[0], found[0].length);
    else if ((found = match(LIST))) push("list", found[1] ?? "", found[0].length);
    else if ((found = match(SYMBOL))) {
      if (found[0] === "(" || found[0] === "[") depth++;
      if (found[0] === ")" || found[0] === "]") depth--;
      push("symbol", found[0], found[0].length);
    } else throw errorAt(source, at, `unexpected character '${String.fromCodePoint(source.codePointAt(at) as number)}'`);
  }
  tokens.push({ kind: "end", text: "", at: source.length });
  return tokens;
}

/** Most characters shown of a line on either side of the place. */
const SHOWN = 60;

/** A FormulaError that shows the line with a caret under the position. */
export function errorAt(source: string, at: number, message: string, hint?: string): FormulaError {
  const lineStart = source.lastIndexOf("\n", at - 1) + 1;
  const lineEnd = source.indexOf("\n", at);
  const start = Math.max(lineStart, at - SHOWN);
  const end = Math.min(lineEnd < 0 ? source.length : lineEnd, at + SHOWN);
  const [before, after] = [start > lineStart ? "…" : "", end < (lineEnd < 0 ? source.length : lineEnd) ? "…" : ""];
  const line = `${before}${source.slice(start, end).trimEnd()}${after}`;
  // Tabs are as wide in the caret's line as in the one above it.
  const caret = `${(before + source.slice(start, at)).replace(/[^\t]/gu, " ")}^`;
  const text = `formula: ${message} at column ${at - lineStart + 1}\n  ${line}\n  ${caret}`;
  return new FormulaError(text, hint === undefined ? {} : { hint });
}
