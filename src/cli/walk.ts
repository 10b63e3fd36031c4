// kasane explain RUN --step: shows the ops of a recorded run one by one, by key in a terminal, else as a list.

import {
  type ExplainedElement,
  elementMathml,
  elementTex,
  type Recording,
  RunCursor,
  stopJson,
  stopsText,
  stopText,
} from "../inspect/index.ts";

import { harmless } from "./harmless.ts";
import type { Terminal } from "./terminal.ts";

export const EXPLAIN_FORMATS = ["text", "json", "tex", "mathml"] as const;

export type ExplainFormat = (typeof EXPLAIN_FORMATS)[number];

export interface WalkOptions {
  /** Which step, counted from 1; true: all of them. */
  readonly step: number | true;
  /** Begin at the op that computed this number. */
  readonly at?: string;
  /** Numbers written out of a long sum. */
  readonly terms?: number;
  readonly format: ExplainFormat;
}

const HELP = "n, →: next   p, ←: previous   g: first   G: last   q: end";
const CLEAR = "\u001b[2J\u001b[H";

/** @returns the exit code */
export async function walk(terminal: Terminal, run: Recording, { step, at, terms = 8, format }: WalkOptions): Promise<number> {
  const cursor = new RunCursor(run, { terms });
  if (at !== undefined) cursor.goTo(at);
  if (step !== true) cursor.goTo(step);
  const isChosen = step !== true || at !== undefined;
  const { host, width } = terminal;
  const isInteractive = host.stdout.isTerminal && terminal.canMove && !terminal.json && format === "text";
  if (step === true && isInteractive && host.onKey !== undefined) return byKey(terminal, cursor, host.onKey);
  if (isChosen) terminal.print(writers[format](cursor, width));
  else terminal.print(listers[format](cursor, width));
  terminal.result(isChosen ? stopJson(cursor.stop) : stopsJson(cursor));
  return 0;
}

type Writer = (cursor: RunCursor, width: number) => string;

/** Where the cursor stands. */
const writers: Readonly<Record<ExplainFormat, Writer>> = {
  text: ({ stop }, width) => stopText(stop, 4, width),
  json: ({ stop }) => JSON.stringify(stopJson(stop), null, 2),
  tex: ({ stop }) => drawn(stop.element, elementTex),
  mathml: ({ stop }) => drawn(stop.element, elementMathml),
};

/** All steps. */
const listers: Readonly<Record<ExplainFormat, Writer>> = {
  text: (cursor, width) => `${stopsText(cursor, 3, width)}\n\none of them: --step N`,
  json: (cursor) => JSON.stringify(stopsJson(cursor), null, 2),
  tex: (cursor, width) => each(cursor, () => writers.tex(cursor, width)),
  mathml: (cursor, width) => each(cursor, () => writers.mathml(cursor, width)),
};

function stopsJson(cursor: RunCursor): object {
  return { steps: cursor.ops.map((_, n) => stopJson(cursor.goTo(n + 1))) };
}

function each(cursor: RunCursor, write: () => string): string {
  const parts = cursor.ops.map((_, n) => {
    cursor.goTo(n + 1);
    return write();
  });
  return parts.filter((part) => part !== "").join("\n\n");
}

/** Nothing where the op gave no numbers. */
function drawn(element: ExplainedElement | undefined, draw: (element: ExplainedElement) => string): string {
  return element === undefined ? "" : draw(element);
}

/** Draws one step after the other, as keys ask for them. */
function byKey({ host, width, colors }: Terminal, cursor: RunCursor, onKey: NonNullable<Terminal["host"]["onKey"]>): Promise<number> {
  const draw = (): void => host.stdout.write(`${CLEAR}${harmless(stopText(cursor.stop, 4, width), false)}\n\n${colors.dim(HELP)}\n`);
  return new Promise((resolve) => {
    const end = (code: number): void => {
      stopListening();
      resolve(code);
    };
    const actions: Readonly<Record<string, () => unknown>> = {
      next: () => cursor.next(),
      previous: () => cursor.previous(),
      first: () => cursor.goTo(1),
      last: () => cursor.goTo(cursor.count),
    };
    const stopListening = onKey((key) => {
      if (key === "\u0003") return end(130);
      const meant = KEYS[key];
      if (meant === "end") return end(0);
      if (meant === undefined) return;
      actions[meant]?.();
      draw();
    });
    draw();
  });
}

/** What terminals send. */
const KEYS: Readonly<Record<string, "next" | "previous" | "first" | "last" | "end">> = {
  n: "next",
  " ": "next",
  "\r": "next",
  "\u001b[C": "next",
  "\u001b[B": "next",
  p: "previous",
  "\u007f": "previous",
  "\u001b[D": "previous",
  "\u001b[A": "previous",
  g: "first",
  "\u001b[H": "first",
  G: "last",
  "\u001b[F": "last",
  q: "end",
  "\u001b": "end",
  "\u0004": "end",
};
