// Draws pen strokes into a small grey image: smooth curves through points, with soft-edged ink along them.

/** A polyline in pixel coordinates with a pen radius at every point. */
export interface InkLine {
  /** x0, y0, x1, y1, … in pixels; the centre of the top-left pixel is (0.5, 0.5). */
  readonly points: Float64Array;
  /** Pen radius in pixels, one per point. */
  readonly radii: Float64Array;
}

/**
 * Points along the smooth curve through `points` (a Catmull-Rom spline, cut at corners).
 *
 * @param steps points per span between two given points.
 */
export function smoothCurve(points: Float64Array, corners: readonly boolean[], steps: number): Float64Array {
  const count = points.length / 2;
  const curve = new Float64Array(2 * ((count - 1) * steps + 1));
  let next = 0;
  for (let span = 0; span + 1 < count; span++) {
    // At an end or a corner the missing neighbour is the point itself: the tangent there is one-sided.
    const before = span === 0 || corners[span] === true ? span : span - 1;
    const after = span + 2 === count || corners[span + 1] === true ? span + 1 : span + 2;
    for (let step = 0; step < steps; step++) {
      const t = step / steps;
      for (let axis = 0; axis < 2; axis++) {
        curve[next++] = catmullRom(
          points[2 * before + axis]!,
          points[2 * span + axis]!,
          points[2 * span + 2 + axis]!,
          points[2 * after + axis]!,
          t,
        );
      }
    }
  }
  curve[next] = points[2 * count - 2]!;
  curve[next + 1] = points[2 * count - 1]!;
  return curve;
}

/**
 * Lays ink along a line: each pixel takes the darkest of what it has and what the pen leaves there.
 *
 * @param image row-major size × size values in [0, 1], changed in place.
 * @param softness width in pixels over which the edge fades.
 * @param darkness the value at the middle of the line.
 */
export function drawLine(image: Float32Array, size: number, line: InkLine, softness: number, darkness: number): void {
  const { points, radii } = line;
  for (let index = 0; index + 1 < radii.length; index++) {
    const ax = points[2 * index]!;
    const ay = points[2 * index + 1]!;
    const dx = points[2 * index + 2]! - ax;
    const dy = points[2 * index + 3]! - ay;
    const radius = radii[index]!;
    const growth = radii[index + 1]! - radius;
    const lengthSquared = dx * dx + dy * dy || 1e-12;
    const reach = radius + Math.max(0, growth) + softness / 2;
    const left = Math.max(0, Math.floor(Math.min(ax, ax + dx) - reach));
    const right = Math.min(size - 1, Math.ceil(Math.max(ax, ax + dx) + reach));
    const top = Math.max(0, Math.floor(Math.min(ay, ay + dy) - reach));
    const bottom = Math.min(size - 1, Math.ceil(Math.max(ay, ay + dy) + reach));
    for (let row = top; row <= bottom; row++) {
      for (let column = left; column <= right; column++) {
        const px = column + 0.5 - ax;
        const py = row + 0.5 - ay;
        const along = Math.min(1, Math.max(0, (px * dx + py * dy) / lengthSquared));
        const offX = px - along * dx;
        const offY = py - along * dy;
        const distance = Math.sqrt(offX * offX + offY * offY);
        const cover = (radius + along * growth - distance) / softness + 0.5;
        if (cover <= 0) continue;
        const ink = darkness * (cover < 1 ? cover * cover * (3 - 2 * cover) : 1);
        const pixel = row * size + column;
        if (ink > image[pixel]!) image[pixel] = ink;
      }
    }
  }
}

/** Wipes ink away around a point: complete at the centre, none from `radius` pixels on. */
export function eraseSpot(image: Float32Array, size: number, x: number, y: number, radius: number): void {
  for (let row = Math.max(0, Math.floor(y - radius)); row < Math.min(size, y + radius); row++) {
    for (let column = Math.max(0, Math.floor(x - radius)); column < Math.min(size, x + radius); column++) {
      const distance = Math.hypot(column + 0.5 - x, row + 0.5 - y) / radius;
      const pixel = row * size + column;
      if (distance < 1) image[pixel] = image[pixel]! * distance * distance;
    }
  }
}

function catmullRom(p0: number, p1: number, p2: number, p3: number, t: number): number {
  const slope1 = (p2 - p0) / 2;
  const slope2 = (p3 - p1) / 2;
  const rest = p2 - p1;
  return p1 + t * (slope1 + t * (3 * rest - 2 * slope1 - slope2 + t * (slope1 + slope2 - 2 * rest)));
}
