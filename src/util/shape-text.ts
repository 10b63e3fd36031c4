// A shape as errors, tables and pictures write it.

/** "[2, 3]" */
export function shapeText(shape: readonly number[]): string {
  return `[${shape.join(", ")}]`;
}
