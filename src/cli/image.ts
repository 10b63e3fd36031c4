// Draws a grey image as text: each character stands for two pixels, one above the other.

const SHADES = [" ", "░", "▒", "▓", "█"] as const;

/** @param pixels row-major values from 0 (background) to 1 (ink) */
export function imageLines(pixels: readonly number[], width: number): string[] {
  const lines: string[] = [];
  for (let top = 0; top < pixels.length; top += 2 * width) {
    const letters = Array.from({ length: width }, (_, column) => {
      const upper = pixels[top + column] ?? 0;
      const mean = (upper + (pixels[top + width + column] ?? 0)) / 2;
      return SHADES[Math.min(4, Math.max(0, Math.round(4 * mean)))];
    });
    lines.push(letters.join(""));
  }
  return lines;
}
