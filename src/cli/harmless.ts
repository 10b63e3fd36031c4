// Makes text from users' files safe for a terminal: names cannot move the cursor, clear the screen or set its title.

/** The colours that we write ourselves: a foreign name may take them, and is then coloured. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what it is about
const OWN = /\u001b\[(?:0|1|2|22|31|33|36|39)m/y;

/**
 * Control characters (but line ends and tabs), those of 8 bits, and marks that turn the direction of writing, as
 * "\x1b".
 * @param colors whether sequences for our own colours stay
 */
export function harmless(text: string, colors: boolean): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what it is about
  return text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g, (letter, place: number) => {
    OWN.lastIndex = place;
    if (colors && OWN.test(text)) return letter;
    return escaped(letter);
  });
}

/** JSON that means the same and holds none of them; JSON.stringify itself leaves those above 0x7e. */
export function harmlessJson(text: string): string {
  return text.replace(/[\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g, (letter) => `\\u${hex(letter, 4)}`);
}

function escaped(letter: string): string {
  return letter < "\u0100" ? `\\x${hex(letter, 2)}` : `\\u${hex(letter, 4)}`;
}

function hex(letter: string, digits: number): string {
  return letter.charCodeAt(0).toString(16).padStart(digits, "0");
}
