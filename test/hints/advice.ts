// A case of advice: a mistake, what its error tells people to try, and that done.

export type Run = () => unknown;

export interface Advice {
  /** The hint; the message where there is none. "…" stands for anything. */
  readonly hint: string;
  readonly mistake: Run;
  /** What the hint says, done; several where it names several. Each must succeed. */
  readonly remedies: readonly [Run, ...Run[]];
}

export const advice = (hint: string, mistake: Run, ...remedies: [Run, ...Run[]]): Advice => ({ hint, mistake, remedies });

/** A text in which "…" stands for anything. */
export function patternOf(text: string): RegExp {
  const parts = text.split("…").map((part) => part.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&"));
  return new RegExp(`^${parts.join("[^]*")}$`);
}

/** What an error tells people to try. */
export function adviceOf(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  return (error as { readonly hint?: string }).hint ?? error.message;
}

/** The error of a mistake; undefined where it was none. */
export async function errorOf(mistake: Run): Promise<unknown> {
  try {
    await mistake();
    return undefined;
  } catch (error) {
    return error ?? new Error("nothing was thrown");
  }
}
