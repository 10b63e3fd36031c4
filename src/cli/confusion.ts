// Draws a confusion matrix as text of at most the given width.

import stringWidth from "string-width";
import type { ConfusionMatrix } from "../train/index.ts";
import { cutTo, pad, percent } from "./terminal.ts";

/** Rows are what samples are, columns what the model took them for; every row ends with the share that was found. */
export function confusionLines(matrix: ConfusionMatrix, width = 80, heading: (text: string) => string = (text) => text): string[] {
  const { classNames, counts } = matrix;
  const largest = Math.max(...counts.flat());
  const nameWidth = Math.min(16, Math.max(6, ...classNames.map((name) => stringWidth(name))));
  const tail = 10;
  const digits = String(largest).length;
  // As wide as the names want, as narrow as the numbers allow.
  const room = Math.floor((width - nameWidth - tail) / classNames.length);
  const cell = Math.min(room, Math.max(digits, ...classNames.map((name) => stringWidth(name))) + 2);
  if (cell < digits + 1) return [...mistakeLines(matrix, width)];
  const titles = classNames.map((name) => pad(cutTo(name, cell - 1), cell, "right")).join("");
  const lines = [heading(`${pad("actual", nameWidth)}${titles}${pad("found", tail, "right")}`)];
  for (const [n, { className, recall }] of matrix.classReports().entries()) {
    const numbers = counts[n]!.map((count) => pad(count === 0 ? "·" : String(count), cell, "right")).join("");
    lines.push(`${pad(className, nameWidth)}${numbers}${pad(percent(recall), tail, "right")}`);
  }
  return lines;
}

/** For too many classes to fit: which are found least, and what is mistaken for what. */
function* mistakeLines(matrix: ConfusionMatrix, width: number): Generator<string> {
  yield cutTo(`${matrix.classNames.length} classes are too many for a matrix of ${width} columns; found least:`, width);
  const reports = [...matrix.classReports()].filter(({ support }) => support > 0).sort((a, b) => a.recall - b.recall);
  for (const { className, recall, support } of reports.slice(0, 10))
    yield cutTo(`  ${pad(className, 30)}  ${pad(percent(recall), 9, "right")} of ${support}`, width);
  for (const { actual, predicted, count } of matrix.mistakes(5)) yield cutTo(`  ${actual} taken for ${predicted}: ${count} times`, width);
}
