// Linux system calls that emitted code makes itself, by number.

/** Gives the processor to another thread that is ready. */
export const yieldNumber = 24;

/** Gives mapped pages back. */
export const unmapNumber = 11;

/** Sleeping until a word changes, and waking who sleeps on it; for threads of one process. */
export const futex = { number: 202, waitPrivate: 128, wakePrivate: 129 } as const;
