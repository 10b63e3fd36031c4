// Elements of row-major tensors: coordinates to flat position and back.

/** The coordinates of a flat place. */
export function positionOf(place: number, shape: readonly number[]): number[] {
  const position = shape.map(() => 0);
  for (let d = shape.length - 1, rest = place; d >= 0; d--) {
    const extent = shape[d]!;
    position[d] = rest % extent;
    rest = Math.floor(rest / extent);
  }
  return position;
}

/** The flat place of coordinates, row-major. */
export function placeAt(position: readonly number[], shape: readonly number[]): number {
  return position.reduce((place, step, d) => place * shape[d]! + step, 0);
}
