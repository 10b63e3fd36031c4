// Formats a shape for errors, tables and pictures.

/** "[2, 3]" */
export function shapeText(shape: readonly number[]): string {
  return `[${shape.join(", ")}]`;
}
