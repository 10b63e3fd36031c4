// Tokenizers: every text comes back, merges equal those of the definition, files are checked, windows are shifted by one.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { BytePairTokenizer, type Tokenizer, tokenWindows, VocabularyTokenizer } from "../../../src/data/index.ts";
import { InputError } from "../../../src/util/errors.ts";

const anyText = fc.string({ unit: "binary" });
/** Code units in any order: surrogates may stand alone. */
const anyUnits = fc.array(fc.integer({ min: 0, max: 0xffff })).map((units) => String.fromCharCode(...units));
const sample =
  "the cat sat on the mat; the other cat, in the hat, sat on that cat.\n  Then 1234 and 12 345 cats came — über Köln, 猫猫猫。 ";

/** Sennrich et al.'s algorithm as it is written: count all pairs, merge the most frequent one, begin again. */
function mergesByDefinition(pieces: readonly string[], merges: number): (readonly [number, number])[] {
  let words = pieces.map((piece) => [...new TextEncoder().encode(piece)]);
  const learned: (readonly [number, number])[] = [];
  while (learned.length < merges) {
    const counts = new Map<string, number>();
    for (const word of words)
      for (let place = 1; place < word.length; place++) {
        const pair = `${word[place - 1]} ${word[place]}`;
        counts.set(pair, (counts.get(pair) ?? 0) + 1);
      }
    const ranked = [...counts].map(([pair, count]) => ({ count, pair: pair.split(" ").map(Number) as [number, number] }));
    ranked.sort((a, b) => b.count - a.count || a.pair[0] - b.pair[0] || a.pair[1] - b.pair[1]);
    const best = ranked[0];
    if (best === undefined || best.count < 2) break;
    const token = 256 + learned.length;
    learned.push(best.pair);
    words = words.map((word) => {
      const merged: number[] = [];
      for (let place = 0; place < word.length; place++) {
        if (word[place] === best.pair[0] && word[place + 1] === best.pair[1]) {
          merged.push(token);
          place++;
        } else merged.push(word[place] as number);
      }
      return merged;
    });
  }
  return learned;
}

describe("BytePairTokenizer", () => {
  const tokenizer = BytePairTokenizer.train(sample, { size: 320, special: ["<end>"] });

  it("gives back any text; lone surrogates become U+FFFD as in UTF-8", () => {
    fc.assert(
      fc.property(anyText, (text) => {
        expect(tokenizer.decode(tokenizer.encode(text))).toBe(text);
      }),
    );
    fc.assert(
      fc.property(anyUnits, (text) => {
        expect(tokenizer.decode(tokenizer.encode(text))).toBe(
          new TextDecoder("utf-8", { ignoreBOM: true }).decode(new TextEncoder().encode(text)),
        );
      }),
    );
    expect(tokenizer.decode(tokenizer.encode("a\ud800b"))).toBe("a\ufffdb");
    expect(tokenizer.decode(tokenizer.encode("\ufeffbom"))).toBe("\ufeffbom");
    expect(tokenizer.encode("")).toEqual(new Int32Array(0));
    expect(tokenizer.decode([])).toBe("");
  });

  it("learns the merges of the definition, ties included, from random words of few letters", () => {
    const word = fc.string({ unit: fc.constantFrom("a", "b", "c"), minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(fc.array(word, { minLength: 1, maxLength: 30 }), fc.integer({ min: 1, max: 25 }), (words, merges) => {
        const pieces = words.map((letters, place) => (place === 0 ? letters : ` ${letters}`));
        const learned = BytePairTokenizer.train(words.join(" "), { size: 256 + merges }).merges;
        expect(learned).toEqual(mergesByDefinition(pieces, merges));
      }),
    );
  });

  it("applies merges in the order in which they were learned", () => {
    // l o → 256, lo w → 257: "low" is one token, "lot" begins with lo.
    const low = new BytePairTokenizer({ merges: [[108, 111], [256, 119]], special: [] }); // biome-ignore format: pairs
    expect([...low.encode("low lot")]).toEqual([257, 32, 256, 116]);
    expect([...low.encode("lolow")]).toEqual([256, 257]);
  });

  it("shortens the text it was trained on, and long runs without a space too", () => {
    expect(tokenizer.encode(sample).length).toBeLessThan(0.6 * new TextEncoder().encode(sample).length);
    const run = "a".repeat(100_000);
    const runs = BytePairTokenizer.train(run, { size: 262 });
    expect(runs.encode(run).length).toBeLessThan(2000);
    expect(runs.decode(runs.encode(run))).toBe(run);
  });

  it("keeps special tokens apart from text", () => {
    const end = tokenizer.specialToken("<end>");
    expect(end).toBe(tokenizer.size - 1);
    expect(tokenizer.encode("<end>")).not.toContain(end);
    expect(tokenizer.decode([...tokenizer.encode("x"), end])).toBe("x<end>");
    expect(() => tokenizer.specialToken("<start>")).toThrow('no special token "<start>"; there are: <end>');
  });

  it("has only as many tokens as there are frequent pairs", () => {
    expect(BytePairTokenizer.train("ab", { size: 400 }).size).toBe(256);
    expect(BytePairTokenizer.train("ab", { size: 400, minimumCount: 1 }).size).toBe(257);
    expect(BytePairTokenizer.train("ab ab", { size: 256 }).size).toBe(256);
  });

  it("rejects too small a vocabulary, no text, foreign tokens and damaged files", () => {
    expect(() => BytePairTokenizer.train("text", { size: 255 })).toThrow(InputError);
    expect(() => BytePairTokenizer.train("text", { size: 256, special: ["<a>"] })).toThrow("expected a size from 257");
    expect(() => BytePairTokenizer.train("", { size: 300 })).toThrow("expected some text");
    expect(() => tokenizer.decode([0, tokenizer.size])).toThrow(`got ${tokenizer.size} at position 1`);
    expect(() => tokenizer.decode([-1])).toThrow(InputError);
    for (const state of [null, 1, {}, { merges: [[1]], special: [] }, { merges: [[0, 256]], special: [] }, { merges: [], special: [1] }]) {
      expect(() => BytePairTokenizer.fromJSON(state)).toThrow(InputError);
    }
    expect(() => BytePairTokenizer.fromJSON({ merges: [["length", 1]], special: [] })).toThrow(InputError);
    expect(() => BytePairTokenizer.fromJSON({ merges: [[97, 98], [97, 98]], special: [] })).toThrow("for the first time"); // biome-ignore format: pairs
  });
});

describe("VocabularyTokenizer", () => {
  it("gives back any text it was fitted on, lone surrogates included, by characters and by words", () => {
    for (const level of ["character", "word"] as const) {
      fc.assert(
        fc.property(fc.oneof(anyText, anyUnits), (text) => {
          fc.pre(text !== "");
          const tokenizer = VocabularyTokenizer.fit(text, { level });
          expect(tokenizer.decode(tokenizer.encode(text))).toBe(text);
        }),
      );
    }
  });

  it("numbers pieces by code unit and cuts words from signs", () => {
    expect([...VocabularyTokenizer.fit("hello").encode("hole")]).toEqual([1, 3, 2, 0]);
    expect(VocabularyTokenizer.fit("The cat, the 2 cats", { level: "word" }).pieces).toEqual([" ", ",", "2", "The", "cat", "cats", "the"]);
  });

  it("has a token for the unknown when asked, and an error otherwise", () => {
    const open = VocabularyTokenizer.fit("abc", { unknown: "<unknown>", special: ["<end>"] });
    expect([...open.encode("axc")]).toEqual([0, open.specialToken("<unknown>"), 2]);
    expect(open.size).toBe(5);
    expect(open.decode([0, 3, 4])).toBe("a<end><unknown>");
    expect(() => VocabularyTokenizer.fit("abc").encode("axc")).toThrow('"x" is not among the 3 known pieces');
  });

  it("keeps the most frequent pieces within the size", () => {
    const small = VocabularyTokenizer.fit("aaabbc", { size: 3, unknown: "?" });
    expect(small.pieces).toEqual(["a", "b"]);
    expect(VocabularyTokenizer.fit("aaabbc", { minimumCount: 3 }).pieces).toEqual(["a"]);
    expect(() => VocabularyTokenizer.fit("abc", { size: 1, unknown: "?" })).toThrow(InputError);
    expect(() => VocabularyTokenizer.fit("abc", { minimumCount: 2 })).toThrow("occurs 2 times");
    expect(() => VocabularyTokenizer.fit("")).toThrow("expected some text");
  });

  it("rejects damaged files", () => {
    const good = VocabularyTokenizer.fit("ab", { unknown: "?" }).toJSON();
    for (const state of [
      null,
      {},
      { ...good, pieces: [] },
      { ...good, pieces: ["a", "a"] },
      { ...good, unknown: "!" },
      { ...good, level: "x" },
    ]) {
      expect(() => VocabularyTokenizer.fromJSON(state)).toThrow(InputError);
    }
  });
});

it("tokenizers go through JSON unchanged", () => {
  const pair: readonly [Tokenizer, (state: unknown) => Tokenizer][] = [
    [BytePairTokenizer.train(sample, { size: 300, special: ["<end>"] }), BytePairTokenizer.fromJSON],
    [VocabularyTokenizer.fit(`${sample}\ud800`, { unknown: "?" }), VocabularyTokenizer.fromJSON],
  ];
  for (const [tokenizer, fromJSON] of pair) {
    const again = fromJSON(JSON.parse(JSON.stringify(tokenizer)));
    expect(again.size).toBe(tokenizer.size);
    expect(again.encode(sample)).toEqual(tokenizer.encode(sample));
    expect(again.toJSON()).toEqual(tokenizer.toJSON());
  }
});

describe("tokenWindows", () => {
  it("gives every window with what follows it", () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat(99), { minLength: 2, maxLength: 60 }),
        fc.integer({ min: 1, max: 20 }),
        fc.integer({ min: 1, max: 20 }),
        (tokens, length, stride) => {
          fc.pre(tokens.length > length);
          const { x, y } = tokenWindows(tokens, { length, stride }).fields;
          const starts = tokens.map((_, start) => start).filter((start) => start % stride === 0 && start + length < tokens.length);
          expect(x.shape).toEqual([starts.length, length]);
          expect([...x.data]).toEqual(starts.flatMap((start) => tokens.slice(start, start + length)));
          expect([...y.data]).toEqual(starts.flatMap((start) => tokens.slice(start + 1, start + 1 + length)));
        },
      ),
    );
  });

  it("needs one token more than a window holds", () => {
    expect(tokenWindows([1, 2, 3], { length: 2 }).size).toBe(1);
    expect(() => tokenWindows([1, 2], { length: 2 })).toThrow("expected at least 3 tokens");
    expect(() => tokenWindows([], { length: 1 })).toThrow(InputError);
    expect(() => tokenWindows([1, 2, 3], { length: 2, stride: 0 })).toThrow(InputError);
  });
});
