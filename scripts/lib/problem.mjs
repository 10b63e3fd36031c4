// A problem that is told to the person in one sentence, without a stack trace.

export class Problem extends Error {
  /**
   * @param {string} sentence what went wrong, where, and what to do
   * @param {number} [exitCode] 2 for wrong usage, 1 for a failure
   */
  constructor(sentence, exitCode = 1) {
    super(sentence);
    this.name = "Problem";
    this.exitCode = exitCode;
  }
}

/**
 * Runs a script's main function; a Problem becomes its sentence on standard error and its exit code.
 * @param {() => Promise<void> | void} main
 */
export async function runScript(main) {
  try {
    await main();
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exitCode = error.exitCode;
  }
}
