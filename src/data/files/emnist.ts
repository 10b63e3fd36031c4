// The parts of EMNIST (Cohen, Afshar, Tapson and van Schaik, 2017): their file names and class names.

const digits = [..."0123456789"];
const capitals = [..."ABCDEFGHIJKLMNOPQRSTUVWXYZ"];
/** Small letters that do not look like their capitals. */
const distinct = [..."abdefghnqrt"];

/** One part of EMNIST: the names of its classes, and which label the first of them has. */
interface EmnistSplit {
  readonly classNames: readonly string[];
  readonly firstLabel: number;
}

export const emnistSplits = {
  balanced: { classNames: [...digits, ...capitals, ...distinct], firstLabel: 0 },
  bymerge: { classNames: [...digits, ...capitals, ...distinct], firstLabel: 0 },
  byclass: { classNames: [...digits, ...capitals, ...capitals.map((letter) => letter.toLowerCase())], firstLabel: 0 },
  digits: { classNames: digits, firstLabel: 0 },
  letters: { classNames: capitals, firstLabel: 1 },
  mnist: { classNames: digits, firstLabel: 0 },
} as const satisfies Record<string, EmnistSplit>;

export type EmnistName = keyof typeof emnistSplits;
