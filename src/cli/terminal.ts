// Writes to the terminal: colours and moving lines only where the terminal supports and wants them.

import pc from "picocolors";
import stringWidth from "string-width";
import { nonFiniteAsText } from "../util/json.ts";
import { harmless, harmlessJson } from "./harmless.ts";

type Colors = ReturnType<typeof pc.createColors>;

/** The process as the commands see it; tests give their own. */
export interface Host {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  /** How the user started us, for the commands that are suggested: "kasane". */
  readonly self: string;
  readonly stdout: Sink;
  readonly stderr: Sink;
  /** Calls back at Ctrl-C and at a request to end; gives back how to stop listening. */
  onInterrupt(handler: (signal: "SIGINT" | "SIGTERM") => void): () => void;
  /**
   * Hands over keys as they are pressed, also Ctrl-C; gives back how to stop listening. Undefined where nobody sits at
   * a keyboard.
   */
  readonly onKey?: (handler: (key: string) => void) => () => void;
  /** Ends the process at once. */
  exit(code: number): void;
}

export interface Sink {
  readonly isTerminal: boolean;
  /** Undefined when it is not known. */
  readonly columns: number | undefined;
  write(text: string): void;
}

/** What a command says: talk for people, one JSON object for programs. */
export class Terminal {
  readonly host: Host;
  readonly json: boolean;
  readonly verbose: boolean;
  /** Colours of the results on standard output, or on standard error with --json. */
  readonly colors: Colors;
  readonly errorColors: Colors;
  #moving = false;

  constructor(host: Host, { json, verbose }: { readonly json: boolean; readonly verbose: boolean }) {
    this.host = host;
    this.json = json;
    this.verbose = verbose;
    this.colors = pc.createColors(isPlain(host.env) ? false : (json ? host.stderr : host.stdout).isTerminal);
    this.errorColors = pc.createColors(isPlain(host.env) ? false : host.stderr.isTerminal);
  }

  /** Columns to fill: at most 80, so that lines stay readable. */
  get width(): number {
    return Math.max(40, Math.min(80, (this.json ? this.host.stderr : this.host.stdout).columns ?? 80));
  }

  /** Whether a line may be drawn over itself. */
  get canMove(): boolean {
    return this.host.stderr.isTerminal && !isPlain(this.host.env);
  }

  /** A result, for people: standard output, or standard error with --json. */
  print(text = ""): void {
    this.clearLine();
    const sink = this.json ? this.host.stderr : this.host.stdout;
    sink.write(`${harmless(text, this.colors.isColorSupported)}\n`);
  }

  /** Talk beside the result: standard error. */
  say(text: string): void {
    this.clearLine();
    this.host.stderr.write(`${harmless(text, this.errorColors.isColorSupported)}\n`);
  }

  /** The result, for programs; written only with --json. */
  result(value: object): void {
    if (this.json) this.host.stdout.write(`${harmlessJson(JSON.stringify(value, nonFiniteAsText))}\n`);
  }

  /** Draws a line that the next one replaces. */
  drawLine(text: string): void {
    if (!this.canMove) return;
    this.host.stderr.write(`\r${harmless(text, this.errorColors.isColorSupported)}\u001b[K`);
    this.#moving = true;
  }

  clearLine(): void {
    if (!this.#moving) return;
    this.host.stderr.write("\r\u001b[K");
    this.#moving = false;
  }
}

/** https://no-color.org, and machines that collect output. */
function isPlain(env: Host["env"]): boolean {
  return (env.NO_COLOR ?? "") !== "" || (env.CI ?? "") !== "" || env.TERM === "dumb";
}

/** Pads to a width in terminal columns; longer text is cut with "…". */
export function pad(text: string, width: number, side: "left" | "right" = "left"): string {
  const cut = cutTo(text, width);
  const space = " ".repeat(Math.max(0, width - stringWidth(cut)));
  return side === "left" ? cut + space : space + cut;
}

/** At most so many columns. Text with colours must fit already. */
export function cutTo(text: string, width: number): string {
  if (stringWidth(text) <= width) return text;
  let cut = "";
  for (const letter of text) {
    if (stringWidth(cut + letter) > width - 1) break;
    cut += letter;
  }
  return `${cut}…`;
}

export interface Column {
  readonly title: string;
  readonly side?: "left" | "right";
}

/** Rows under titles, two spaces apart; numbers stand right. */
export function table(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  heading: (text: string) => string = (text) => text,
): string[] {
  const widths = columns.map(({ title }, n) => Math.max(stringWidth(title), ...rows.map((row) => stringWidth(row[n] ?? ""))));
  const line = (cells: readonly string[]): string =>
    columns
      .map(({ side }, n) => pad(cells[n] ?? "", widths[n]!, side ?? "right"))
      .join("  ")
      .trimEnd();
  return [heading(line(columns.map(({ title }) => title))), ...rows.map(line)];
}

/** "97.35 %" */
export function percent(share: number): string {
  return Number.isFinite(share) ? `${(100 * share).toFixed(2)} %` : "–";
}

/** "12 ms", "42 s", "3 min 05 s", "1 h 02 min" */
export function duration(seconds: number): string {
  if (seconds < 0.0995) return `${Math.max(1, Math.round(1000 * seconds))} ms`;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${String(whole % 60).padStart(2, "0")} s`;
  return `${Math.floor(whole / 3600)} h ${String(Math.floor((whole % 3600) / 60)).padStart(2, "0")} min`;
}

/** "101,770" */
export function grouped(count: number): string {
  return Math.round(count).toLocaleString("en-US");
}

/** Breaks at spaces into lines of at most so many columns. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const last = lines.at(-1);
    if (last === undefined || stringWidth(last) + 1 + stringWidth(word) > width) lines.push(word);
    else lines[lines.length - 1] = `${last} ${word}`;
  }
  return lines;
}
