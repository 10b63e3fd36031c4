// Errors a user sees: one sentence with what was expected, what arrived, where, and what to try.

/** What an error says beyond its message. */
export interface ErrorDetails {
  /** What to try; printed on its own line after the message. */
  readonly hint?: string;
  /** Where in the user's program or model ("conv1.weight", "train.ts:12"). */
  readonly where?: string;
  readonly cause?: unknown;
}

/** Base of every error thrown on purpose; anything else that escapes is a bug in kasane. */
export class KasaneError extends Error {
  // Written out in every class: minifiers shorten the names of classes themselves.
  static override readonly name: string = "KasaneError";
  readonly hint: string | undefined;
  readonly where: string | undefined;
  readonly #message: string;

  constructor(message: string, details: ErrorDetails = {}) {
    const place = details.where === undefined ? "" : ` (in ${details.where})`;
    const hint = details.hint === undefined ? "" : `\n  try: ${details.hint}`;
    super(message + place + hint, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = new.target.name;
    this.hint = details.hint;
    this.where = details.where;
    this.#message = message;
    captureDeepStack(this, new.target);
  }

  /** The same error with the place it concerns. */
  at(where: string): this {
    const Class = this.constructor as new (message: string, details: ErrorDetails) => this;
    const placed = new Class(this.#message, { where, cause: this.cause, hint: this.hint });
    if (this.stack !== undefined)
      placed.stack = `${placed.name}: ${placed.message}\n${this.stack
        .split("\n")
        .filter((line) => /^\s+at /.test(line))
        .join("\n")}`;
    return placed;
  }
}

/** Layers inside layers take more frames than V8 keeps by default, and the user's line is the outermost one. */
function captureDeepStack(error: Error, thrower: unknown): void {
  if (typeof Error.captureStackTrace !== "function") return;
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 100;
  // Frames begin at the place that throws, not in here.
  Error.captureStackTrace(error, thrower as () => unknown);
  Error.stackTraceLimit = stackTraceLimit;
}

/** A value, option or argument is not of the expected form. */
export class InputError extends KasaneError {
  static override readonly name: string = "InputError";
}

/** Shapes do not fit together. */
export class ShapeError extends KasaneError {
  static override readonly name: string = "ShapeError";
}

/** A formula cannot be parsed, typed or bound; the message shows the place with a caret. */
export class FormulaError extends KasaneError {
  static override readonly name: string = "FormulaError";
}

/** A file is missing, truncated, malformed or cannot be written. */
export class FileError extends KasaneError {
  static override readonly name: string = "FileError";
}

/** A backend cannot do what was asked (missing capability, out of memory). */
export class BackendError extends KasaneError {
  static override readonly name: string = "BackendError";
}

/** A backend gets no memory, or no addresses for it, not even to begin with: another one may need less. */
export class NoRoomError extends BackendError {
  static override readonly name: string = "NoRoomError";
}

/** Wrong use of the command line (exit code 2). */
export class UsageError extends KasaneError {
  static override readonly name: string = "UsageError";
}
