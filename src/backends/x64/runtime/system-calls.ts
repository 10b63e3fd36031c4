// Linux system calls that emitted code makes itself, by number.

/** Gives the processor to another thread that is ready. */
export const YIELD_NUMBER = 24;

/** Gives mapped pages back. */
export const UNMAP_NUMBER = 11;

/** Sleeping until a word changes, and waking who sleeps on it; for threads of one process. */
export const FUTEX = { number: 202, waitPrivate: 128, wakePrivate: 129 } as const;
