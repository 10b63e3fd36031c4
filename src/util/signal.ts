// What is read of an AbortSignal, declared here: a project need not have the types of browsers or of Node to use ours.

/** An AbortSignal. */
export interface StopSignal {
  readonly aborted: boolean;
  readonly reason: unknown;
  /** Throws `reason` once aborted. */
  throwIfAborted(): void;
}
