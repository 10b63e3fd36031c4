// Breaks formulas and numbers into lines of a given width.

/** A line that is too long continues below, indented, with an operator. */
export function broken(line: string, width: number): string[] {
  if (line.length <= width) return [line];
  const indent = `${/^ */.exec(line)?.[0]}    `;
  const lines: string[] = [];
  for (const part of partsOf(line, width - indent.length)) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + part.length <= width) lines[lines.length - 1] = `${last} ${part}`;
    else lines.push(last === undefined ? part : indent + part);
  }
  return lines;
}

/** Cuts a line before its operators; inside of parentheses only where a part is still too long. */
function partsOf(line: string, width: number, inside = 0): string[] {
  const parts: string[] = [];
  let [depth, start, deepest] = [0, 0, 0];
  for (let at = 0; at < line.length; at++) {
    const mark = line[at]!;
    depth += "([".includes(mark) ? 1 : ")]".includes(mark) ? -1 : 0;
    deepest = Math.max(deepest, depth);
    if (depth > inside || !/^ [+=·×/-] /.test(line.slice(at, at + 3))) continue;
    parts.push(line.slice(start, at));
    start = at + 1;
  }
  parts.push(line.slice(start));
  if (inside >= deepest) return parts;
  return parts.flatMap((part) => (part.length <= width ? [part] : partsOf(part, width, inside + 1)));
}

/** The start of a line that is too long. */
export function cut(line: string, width: number): string {
  return line.length <= width ? line : `${line.slice(0, width - 1)}…`;
}
