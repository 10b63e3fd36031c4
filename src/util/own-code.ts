// Finds where kasane's own code lies, from a stack trace on first use; bundlers see no file address to copy.

/** A line of a stack: in which file, and where in it ("12:5"). */
export interface Frame {
  readonly file: string;
  readonly position: string;
}

/** The lines of a stack that name a file, innermost first. */
export function framesOf(stack: unknown): Frame[] {
  if (typeof stack !== "string") return [];
  const lines = stack.split("\n").map((line) => line.trim());
  const told = lines.some((line) => line.startsWith("at ")) ? lines.filter((line) => line.startsWith("at ")) : lines;
  return told.flatMap((line) => {
    const [, file, position] = FRAME.exec(line) ?? [];
    return file === undefined || position === undefined || file.includes("<anonymous>") ? [] : [{ file, position }];
  });
}

/**
 * The address of this file ("file:///…/util/own-code.js"), or of the bundle it is in; undefined where stacks tell none.
 */
export function ownFile(): string | undefined {
  own ??= framesOf(new Error().stack)[0]?.file;
  return own;
}

/** Whether kasane lies in files of its own, as it was published, and not in a bundle. */
export function isInOwnFiles(): boolean {
  return HERE.test(ownFile() ?? "");
}

/** Whether a file is one of kasane's; a bundle that has kasane in it is. */
export function isOwnFile(file: string): boolean {
  const known = ownFile();
  if (known === undefined) return false;
  return isInOwnFiles() ? file.startsWith(known.replace(HERE, "")) : file === known;
}

let own: string | undefined;

const HERE = /util\/own-code\.[jt]s(\?.*)?$/;
/** "at name (file:12:5)" and "at file:12:5" of V8, "name@file:12:5" and "file:12:5" of other engines. */
const FRAME = /(?:^at (?:async |.*\()?|^[^@]*@|^)((?:[a-z][a-z0-9+.-]*:|\/|[A-Za-z]:\\).*?):(\d+:\d+)\)?$/;
