// Text as numbers and back: re-exports only.

export type { BytePairOptions, BytePairState } from "./byte-pair.ts";
export { BytePairTokenizer } from "./byte-pair.ts";
export type { Tokenizer } from "./tokenizer.ts";
export type { VocabularyOptions, VocabularyState } from "./vocabulary.ts";
export { VocabularyTokenizer } from "./vocabulary.ts";
export type { TokenWindows, WindowOptions } from "./windows.ts";
export { tokenWindows } from "./windows.ts";
