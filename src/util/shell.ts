// Quotes words of suggested commands for the user's shell.

/** The system, where it is known; browsers suggest no commands. */
const platform = (globalThis as { process?: { platform?: string } }).process?.platform;

/**
 * Characters that a terminal acts on instead of showing them: control characters, and marks of the direction of
 * writing.
 */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what it is about
const UNSEEN = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/;

/**
 * A word in quotes where it needs them: double ones on Windows, which cmd and PowerShell both take, single ones
 * elsewhere. With characters that do not show, as bash and zsh write them out: $'…'.
 */
export function quoted(text: string, system: string | undefined = platform): string {
  if (system === "win32") return /^[\w./:\\=,@+-]+$/.test(text) ? text : `"${text.replaceAll('"', '\\"').replace(/\\+$/, "$&$&")}"`;
  if (UNSEEN.test(text)) return `$'${text.replace(/[\\']/g, "\\$&").replace(new RegExp(UNSEEN, "g"), writtenOut)}'`;
  return /^[\w./:=,@%+-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

function writtenOut(letter: string): string {
  const code = letter.charCodeAt(0).toString(16);
  return letter < "\u0080" ? `\\x${code.padStart(2, "0")}` : `\\u${code.padStart(4, "0")}`;
}
