// Quotes words of suggested commands for the user's shell.

/** The system, where it is known; browsers suggest no commands. */
const platform = (globalThis as { process?: { platform?: string } }).process?.platform;

/** A word in quotes where it needs them: double ones on Windows, which cmd and PowerShell both take, single ones elsewhere. */
export function quoted(text: string, system: string | undefined = platform): string {
  if (system === "win32") return /^[\w./:\\=,@+-]+$/.test(text) ? text : `"${text.replaceAll('"', '\\"').replace(/\\+$/, "$&$&")}"`;
  return /^[\w./:=,@%+-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
