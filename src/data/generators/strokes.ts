// The pen strokes of the ten digits: several ways to write each, as points for smooth curves.

/** A pen movement as points; the curve through them is smooth except at a point marked as a corner. */
interface Stroke {
  /** x0, y0, x1, y1, … in a unit box, x to the right and y downwards. */
  readonly points: Float64Array;
  /** One flag per point: true where the pen changes direction sharply. */
  readonly corners: readonly boolean[];
}

/** One way of writing a digit. */
export interface Glyph {
  readonly strokes: readonly Stroke[];
  /** How often this way is chosen, relative to the others of its digit. */
  readonly weight: number;
}

/** Glyphs by digit. Text form: strokes separated by `|`, points `x,y` in percent of the box, `!` marks a corner. */
export const glyphs: readonly (readonly Glyph[])[] = [
  [
    glyph(3, "50,2 24,14 12,50 24,87 50,98 77,86 88,50 76,13 50,2"),
    glyph(2, "62,8 34,6 14,36 16,72 42,98 74,88 88,52 76,16 50,4 38,14"),
    glyph(1, "44,4 20,34 22,80 52,99 82,70 80,28 60,6"),
    glyph(1, "70,12 46,2 18,26 14,66 36,97 66,92 86,60 82,24 64,6 42,10"),
  ],
  [
    glyph(4, "50,1 50,50 50,99"),
    glyph(2, "32,20 44,12 54,1! 54,50 54,99"),
    glyph(1.5, "31,20 52,2! 52,50 52,97! | 24,98 50,97 80,98"),
    glyph(1, "56,0 50,35 48,70 52,99"),
  ],
  [
    glyph(2, "16,26 28,8 52,1 76,13 78,36 54,64 13,96! 50,94 90,96"),
    glyph(2, "16,24 36,4 66,6 76,28 60,58 32,88 14,94 14,80 30,78 58,92 80,95 92,86"),
    glyph(1, "14,16 44,2 78,14 74,40 40,74 12,97! 40,88 70,97 92,90"),
    glyph(1, "18,10 56,3 84,20 62,56 16,94! 52,97 86,93"),
  ],
  [
    glyph(3, "17,15 44,1 76,12 72,36 42,47! 76,56 85,77 58,98 28,95 12,82"),
    glyph(1, "16,5 50,4 82,4! 62,24 42,42! 72,48 85,72 62,97 30,97 12,86"),
    glyph(1.5, "18,10 50,1 80,16 66,40 44,48 40,44 54,44 84,60 78,90 44,99 14,88"),
    glyph(1, "22,6 60,2 80,20 50,46! 80,54 82,84 50,99 8,90"),
  ],
  [
    glyph(3, "24,4 20,28 15,56! 50,57 90,54 | 70,16 66,56 62,99"),
    glyph(2, "64,2 38,34 10,66! 50,66 92,65 | 66,3 64,50 64,99"),
    glyph(2, "20,6 17,34 34,52 58,50 78,36 | 82,4 78,50 74,99"),
    glyph(1, "30,2 12,50! 50,53 84,50! | 84,10 70,60 56,99"),
  ],
  [
    glyph(2, "80,4 54,4 27,5! 24,22 21,44! 50,36 82,54 80,82 52,98 14,90"),
    glyph(2, "30,8 26,26 22,46! 50,38 80,54 82,80 54,98 14,92 | 29,7 56,6 88,3"),
    glyph(1.5, "82,6 52,5 28,18 32,38 60,48 80,66 70,92 40,99 14,88"),
    glyph(1, "84,2 40,6! 30,42! 60,44 76,66 60,94 18,98"),
  ],
  [
    glyph(3, "66,3 38,22 18,56 22,86 48,98 76,86 78,64 54,54 28,66 20,80"),
    glyph(1, "52,1 28,40 18,74 36,98 66,94 80,74 64,56 38,60 22,76"),
    glyph(1, "78,10 54,4 26,30 16,68 38,97 70,92 78,68 56,52 28,60 18,72"),
    glyph(1, "44,2 24,44 20,80 44,98 72,88 66,66 42,66 24,84"),
  ],
  [
    glyph(3, "13,7 48,7 86,5! 66,42 46,72 38,99"),
    glyph(2, "12,8 48,8 84,6! 62,48 42,99 | 30,53 54,51 80,50"),
    glyph(1.5, "14,24 15,6! 46,10 86,6! 58,46 50,99"),
    glyph(1, "10,14 40,4 80,10 76,32 56,66 50,99"),
  ],
  [
    glyph(3, "76,14 50,2 26,14 34,38 66,58 78,82 50,99 24,84 34,60 64,40 74,20 68,8"),
    glyph(1.5, "50,46 26,34 28,10 52,2 76,12 74,34 50,46 | 50,46 22,60 20,86 50,99 80,86 78,60 50,46"),
    glyph(1, "62,4 34,6 26,26 50,46 78,66 76,92 46,98 22,82 40,56 72,30 80,8"),
    glyph(1, "46,48 28,26 48,3 72,16 62,42 34,62 24,86 52,98 78,82 66,58 42,46"),
  ],
  [
    glyph(2, "76,18 52,3 24,18 20,42 44,54 70,38 78,12! 76,50 74,99"),
    glyph(2, "78,22 56,3 26,14 22,42 48,54 74,36 79,20 78,58 62,90 28,96"),
    glyph(1, "70,12 40,4 18,28 34,50 66,40 76,10! 68,54 50,99"),
    glyph(1, "80,26 62,4 34,6 20,30 38,50 68,44 82,22 76,70 50,98 20,88"),
  ],
];

function glyph(weight: number, text: string): Glyph {
  return { weight, strokes: text.split("|").map(parseStroke) };
}

function parseStroke(text: string): Stroke {
  const marks = text.trim().split(/\s+/);
  const points = new Float64Array(2 * marks.length);
  const corners = marks.map((mark, index) => {
    const [x = "", y = ""] = mark.replace("!", "").split(",");
    points[2 * index] = Number(x) / 100;
    points[2 * index + 1] = Number(y) / 100;
    return mark.endsWith("!");
  });
  return { points, corners };
}
