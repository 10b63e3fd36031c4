// The safetensors format: bytes laid out by hand, round trips, every rule of its validation, hostile files.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { TensorToStore } from "../../src/io/index.ts";
import { parseSafetensors, serializeSafetensors } from "../../src/io/index.ts";
import { linear } from "../../src/nn/index.ts";
import { tensor } from "../../src/tensor/index.ts";
import { FileError, InputError, KasaneError } from "../../src/util/errors.ts";

/** A file with this header (text, or a value to write as JSON) and this much data. */
function file(header: unknown, data: ArrayLike<number> = []): Uint8Array {
  const text = new TextEncoder().encode(typeof header === "string" ? header : JSON.stringify(header));
  const bytes = new Uint8Array(8 + text.length + data.length);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(text.length), true);
  bytes.set(text, 8);
  bytes.set(Uint8Array.from(data), 8 + text.length);
  return bytes;
}

const four = { dtype: "U8", shape: [4], data_offsets: [0, 4] };

describe("serializeSafetensors", () => {
  it("writes bfloat16 tensors as BF16, which come back", () => {
    const x = tensor([1, -2, 3.140625, Number.POSITIVE_INFINITY, 2 ** -130], { dtype: "bfloat16" });
    const bytes = serializeSafetensors({ x });
    expect(new TextDecoder().decode(bytes)).toContain('"dtype":"BF16","shape":[5],"data_offsets":[0,10]');
    const stored = parseSafetensors(bytes).tensors.get("x");
    expect(stored?.dtype).toBe("BF16");
    expect(stored?.data).toEqual(x.data);
    const rounded = serializeSafetensors({ x: { shape: [1], data: Float32Array.of(1.005), dtype: "BF16" } });
    expect([...rounded.slice(-2)]).toEqual([0x81, 0x3f]);
  });

  it("writes exactly the documented layout", () => {
    const bytes = serializeSafetensors({ "conv1.weight": { shape: [2, 1], data: Float32Array.of(1, -2) } }, { format: "kasane" });
    const header = '{"__metadata__":{"format":"kasane"},"conv1.weight":{"dtype":"F32","shape":[2,1],"data_offsets":[0,8]}}';
    const padded = header.padEnd(Math.ceil(header.length / 8) * 8);
    expect([...bytes.subarray(0, 8)]).toEqual([padded.length, 0, 0, 0, 0, 0, 0, 0]);
    expect(new TextDecoder().decode(bytes.subarray(8, 8 + padded.length))).toBe(padded);
    expect([...bytes.subarray(8 + padded.length)]).toEqual([0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0]);
  });

  it("aligns every tensor to its element size and does not depend on the order given", () => {
    const tensors: [string, TensorToStore][] = [
      ["flags", { shape: [3], data: Uint8Array.of(1, 0, 1), dtype: "BOOL" }],
      ["b", { shape: [1], data: Float32Array.of(1) }],
      ["a", { shape: [1], data: Float64Array.of(2) }],
      ["10", { shape: [], data: Int32Array.of(-7) }],
    ];
    const bytes = serializeSafetensors(tensors);
    expect(serializeSafetensors([...tensors].reverse())).toEqual(bytes);
    expect([...parseSafetensors(bytes).tensors.keys()]).toEqual(["a", "10", "b", "flags"]);
    expect(new DataView(bytes.buffer).getUint32(0, true) % 8).toBe(0);
  });

  it("reads back what was written, whatever the values, shapes and names", () => {
    const data = fc.oneof(
      fc.float32Array({ maxLength: 12 }),
      fc.float64Array({ maxLength: 12 }),
      fc.int32Array({ maxLength: 12 }),
      fc.uint8Array({ maxLength: 12 }),
    );
    const name = fc.oneof(fc.constantFrom("__proto__", "constructor", "0", "", "重ね.weight"), fc.string({ unit: "binary" }));
    fc.assert(
      fc.property(fc.uniqueArray(fc.tuple(name, data), { selector: ([key]) => key, maxLength: 6 }), fc.string(), (items, note) => {
        const tensors = items.map(([key, values]): [string, TensorToStore] => [key, { shape: [1, values.length], data: values }]);
        const parsed = parseSafetensors(serializeSafetensors(tensors, { note }));
        expect(parsed.metadata.get("note")).toBe(note);
        expect(parsed.tensors.size).toBe(tensors.length);
        for (const [key, { shape, data }] of tensors) {
          const read = parsed.tensors.get(key);
          expect(read?.shape).toEqual(shape);
          expect(read?.data).toEqual(data);
        }
      }),
      { numRuns: 500 },
    );
  });

  it.each([
    ["a shape that does not fit", { a: { shape: [3], data: new Float32Array(2) } }, /tensor "a": shape \[3\] does not fit 2 values/],
    ["the reserved name", { __metadata__: { shape: [1], data: new Float32Array(1) } }, /reserved/],
    ["a name that is not Unicode", { "\uD800": { shape: [1], data: new Float32Array(1) } }, /not valid Unicode/],
    ["a BOOL of 2", { a: { shape: [1], data: Uint8Array.of(2), dtype: "BOOL" } }, /only 0 and 1/],
    ["a wrong type", { a: { shape: [1], data: Uint8Array.of(2), dtype: "F32" } }, /dtype F32 does not fit a Uint8Array/],
  ] as [string, Record<string, TensorToStore>, RegExp][])("refuses %s", (_, tensors, message) => {
    expect(() => serializeSafetensors(tensors)).toThrow(InputError);
    expect(() => serializeSafetensors(tensors)).toThrow(message);
  });

  it("takes tensors as they are, and a layer takes back what was read", () => {
    const made = { float: tensor([[1, -2.5]]), integer: tensor([7], { dtype: "int32" }), bool: tensor([true, false]) };
    const { tensors } = parseSafetensors(serializeSafetensors(made));
    expect(Object.fromEntries([...tensors].map(([name, { dtype }]) => [name, dtype]))).toEqual({
      float: "F32",
      integer: "I32",
      bool: "BOOL",
    });
    expect(tensors.get("float")?.data).toEqual(Float32Array.of(1, -2.5));

    const [saved, fresh] = [linear(3, 2), linear(3, 2)];
    fresh.loadStateDict(parseSafetensors(serializeSafetensors(saved.stateDict())).tensors);
    expect(fresh.namedParameters().get("weight")?.data).toEqual(saved.namedParameters().get("weight")?.data);
  });

  it("writes the notes of a file as they were read", () => {
    const bytes = serializeSafetensors({}, { b: "2", a: "1", __proto__2: "" });
    expect(serializeSafetensors({}, parseSafetensors(bytes).metadata)).toEqual(bytes);
  });

  const one = { shape: [1], data: new Float32Array(1) };
  it.each<[string, unknown, unknown, RegExp]>([
    ["a list of tensors", [one], {}, /tensors: expected a name and its value at place 0, got an object/],
    ["a number for a name", new Map([[3, one]]), {}, /tensors: expected a name and its value at place 0, got the number 3/],
    ["text for tensors", "abc", {}, /expected tensors by name, got the string abc/],
    ["no notes", { a: one }, null, /expected metadata by name, got null/],
    ["a list of notes", { a: one }, ["x"], /metadata: expected a name and its value at place 0, got the string x/],
    ["text for notes", { a: one }, "x", /expected metadata by name, got the string x/],
    ["a number for a note", { a: one }, { epoch: 3 }, /metadata "epoch" must be text, got the number 3/],
    ["a note that is not Unicode", { a: one }, { note: "\ud800" }, /metadata "note" is not valid Unicode/],
  ])("refuses %s", (_, tensors, metadata, message) => {
    const write = (): unknown => serializeSafetensors(tensors as Record<string, TensorToStore>, metadata as Record<string, string>);
    expect(write).toThrow(InputError);
    expect(write).toThrow(message);
  });

  it("refuses two tensors of one name", () => {
    const tensor = { shape: [1], data: new Float32Array(1) };
    expect(() =>
      serializeSafetensors([
        ["a", tensor],
        ["a", tensor],
      ]),
    ).toThrow(/two tensors are named "a"/);
  });
});

describe("parseSafetensors", () => {
  it("names a tensor that cannot be read, and leaves it out on request", () => {
    const bytes = file(
      {
        a: { dtype: "C64", shape: [1], data_offsets: [0, 8] },
        b: { dtype: "I64", shape: [1], data_offsets: [8, 16] },
        c: { dtype: "U8", shape: [2], data_offsets: [16, 18] },
      },
      [...new Array(8).fill(1), ...[1, 0, 0, 0, 0, 0, 32, 0], 7, 8],
    );
    expect(() => parseSafetensors(bytes)).toThrow(/tensor "a": the dtype is "C64".*\n {2}try: \{ skipUnreadable: true \}/);
    const { tensors, skipped } = parseSafetensors(bytes, "m", { skipUnreadable: true });
    expect([...tensors.keys()]).toEqual(["c"]);
    expect([...skipped].map(([name, why]) => [name, why.slice(0, 24)])).toEqual([
      ["a", 'the dtype is "C64"; the '],
      ["b", "the whole number 9007199"],
    ]);
    expect(() => parseSafetensors(bytes, "m", { skipUnreadble: true } as never)).toThrow(/did you mean skipUnreadable/);
  });

  it.each([
    { dtype: "F16", bytes: [0x00, 0x3c, 0x00, 0xc0, 0x01, 0x00, 0x00, 0x7c], expected: Float32Array.of(1, -2, 2 ** -24, Infinity) },
    { dtype: "BF16", bytes: [0x80, 0x3f, 0x00, 0xc0, 0x49, 0x40, 0x80, 0xff], expected: Float32Array.of(1, -2, 3.140625, -Infinity) },
    { dtype: "I64", bytes: [5, 0, 0, 0, 0, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255], expected: Int32Array.of(5, -1) },
    { dtype: "BOOL", bytes: [1, 0, 1], expected: Uint8Array.of(1, 0, 1) },
    { dtype: "I64", bytes: [0, 0, 0, 0, 1, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255], expected: Float64Array.of(2 ** 32, -1) },
    { dtype: "U64", bytes: [5, 0, 0, 0, 0, 0, 0, 0], expected: Int32Array.of(5) },
    { dtype: "U32", bytes: [255, 255, 255, 255], expected: Float64Array.of(4294967295) },
    { dtype: "I16", bytes: [0, 128, 255, 127], expected: Int32Array.of(-32768, 32767) },
    { dtype: "U16", bytes: [255, 255], expected: Int32Array.of(65535) },
    { dtype: "I8", bytes: [128, 127], expected: Int32Array.of(-128, 127) },
    { dtype: "F8_E4M3", bytes: [0x38, 0xb8, 0x7e, 0x01, 0x7f], expected: Float32Array.of(1, -1, 448, 2 ** -9, Number.NaN) },
    {
      dtype: "F8_E5M2",
      bytes: [0x3c, 0xbc, 0x7b, 0x01, 0x7c],
      expected: Float32Array.of(1, -1, 57344, 2 ** -16, Number.POSITIVE_INFINITY),
    },
  ])("converts $dtype", ({ dtype, bytes, expected }) => {
    const { tensors } = parseSafetensors(file({ a: { dtype, shape: [expected.length], data_offsets: [0, bytes.length] } }, bytes));
    expect(tensors.get("a")).toEqual({ dtype, shape: [expected.length], data: expected });
  });

  it("reads half-precision NaN, and data that does not begin at a multiple of its size", () => {
    const header = {
      a: { dtype: "U8", shape: [1], data_offsets: [0, 1] },
      b: { dtype: "F64", shape: [], data_offsets: [1, 9] },
      c: { dtype: "F16", shape: [1], data_offsets: [9, 11] },
    };
    const { tensors } = parseSafetensors(file(header, [7, 0, 0, 0, 0, 0, 0, 0xf8, 0x3f, 0x01, 0x7e]));
    expect(tensors.get("b")?.data).toEqual(Float64Array.of(1.5));
    expect(tensors.get("c")?.data[0]).toBeNaN();
  });

  it("reads an empty file of tensors and tensors without elements", () => {
    expect(parseSafetensors(file("{}")).tensors.size).toBe(0);
    const { tensors } = parseSafetensors(file({ a: { dtype: "F32", shape: [0, 3], data_offsets: [0, 0] }, b: four }, [1, 2, 3, 4]));
    expect(tensors.get("a")).toEqual({ dtype: "F32", shape: [0, 3], data: new Float32Array(0) });
  });

  it("copies: the file can change afterwards", () => {
    const bytes = file({ a: four }, [1, 2, 3, 4]);
    const { tensors } = parseSafetensors(bytes);
    bytes.fill(0);
    expect(tensors.get("a")?.data).toEqual(Uint8Array.of(1, 2, 3, 4));
  });

  it("rejects every truncation", () => {
    const whole = serializeSafetensors({
      w: { shape: [2, 2], data: Float32Array.of(1, 2, 3, 4) },
      b: { shape: [2], data: Float32Array.of(5, 6) },
    });
    for (let length = 0; length < whole.length; length++) {
      expect(() => parseSafetensors(whole.subarray(0, length), "model.safetensors"), `${length} bytes`).toThrow(FileError);
    }
    expect(() => parseSafetensors(whole.subarray(0, whole.length - 1), "model.safetensors")).toThrow(
      /model\.safetensors: not a valid safetensors file: the file is cut short: the header describes 24 bytes of data, but there are 23/,
    );
  });

  const huge = new Uint8Array(16);
  new DataView(huge.buffer).setBigUint64(0, 2n ** 63n, true);
  it.each([
    ["a header longer than the format allows", huge, /claims 9223372036854775808 bytes/],
    ["a header that does not begin with a brace", file(" {}"), /must begin with "\{"/],
    ["an empty header", file(""), /must begin/],
    ["a header that is not JSON", file("{'a'}"), /not JSON in UTF-8/],
    ["a header that is not UTF-8", Uint8Array.of(6, 0, 0, 0, 0, 0, 0, 0, 0x7b, 0x22, 0xff, 0x22, 0x3a, 0x7d), /not JSON in UTF-8/],
    ["a repeated tensor", file(`{"a":${JSON.stringify(four)},"\\u0061":${JSON.stringify(four)}}`, [1, 2, 3, 4]), /key "a" twice/],
    ["a repeated field", file('{"a":{"dtype":"U8","dtype":"U8","shape":[0],"data_offsets":[0,0]}}'), /key "dtype" twice/],
    ["metadata that is not text", file({ __metadata__: { epoch: 3 } }), /__metadata__ must be an object whose values are text/],
    ["metadata that is a list", file({ __metadata__: [] }), /__metadata__/],
    [
      "an unknown type",
      file({ a: { ...four, dtype: "C64" } }, [1, 2, 3, 4]),
      /the dtype is "C64"; the types that can be read are F64.*\n {2}try: \{ skipUnreadable: true \}/,
    ],
    ["a type named like a built-in", file({ a: { ...four, dtype: "constructor" } }, [1, 2, 3, 4]), /the dtype is "constructor"/],
    ["no type", file({ a: { shape: [4], data_offsets: [0, 4] } }, [1, 2, 3, 4]), /the dtype is missing/],
    ["a negative dimension", file({ a: { ...four, shape: [-4] } }, [1, 2, 3, 4]), /shape must be a list/],
    ["a fractional dimension", file({ a: { ...four, shape: [0.5, 8] } }, [1, 2, 3, 4]), /shape must be a list/],
    [
      "a shape that overflows",
      file({ a: { ...four, shape: [2 ** 40, 2 ** 40] } }, [1, 2, 3, 4]),
      /takes .* bytes, but data_offsets span 4/,
    ],
    [
      "offsets that do not match the shape",
      file({ a: { ...four, data_offsets: [0, 3] } }, [1, 2, 3]),
      /of shape \[4\] takes 4 bytes, but data_offsets span 3/,
    ],
    ["offsets in reverse", file({ a: { ...four, data_offsets: [4, 0] } }, [1, 2, 3, 4]), /span -4/],
    ["three offsets", file({ a: { ...four, data_offsets: [0, 4, 8] } }, [1, 2, 3, 4]), /two non-negative/],
    [
      "data beyond the end",
      file({ a: four, b: { ...four, data_offsets: [4, 8] } }, [1, 2, 3, 4]),
      /cut short: .* 8 bytes of data, but there are 4/,
    ],
    ["overlapping tensors", file({ a: four, b: { ...four, data_offsets: [2, 6] } }, [1, 2, 3, 4, 5, 6]), /"b" overlaps/],
    ["a hole", file({ a: four, b: { ...four, data_offsets: [5, 9] } }, new Uint8Array(9)), /"b" leaves a hole/],
    ["bytes that belong to no tensor", file({ a: four }, [1, 2, 3, 4, 5]), /belong to no tensor/],
    ["a tensor that is not an object", file({ a: 3 }), /expected an object/],
    [
      "a BOOL that is neither 0 nor 1",
      file({ a: { ...four, dtype: "BOOL" } }, [0, 1, 2, 0]),
      /BOOL byte must be 0 or 1, got 2 at element 2/,
    ],
    [
      "an I64 beyond 53 bits",
      file({ a: { dtype: "I64", shape: [1], data_offsets: [0, 8] } }, [1, 0, 0, 0, 0, 0, 32, 0]),
      /^m\.safetensors: tensor "a": the whole number 9007199254740993 is beyond 2⁵³, what float64 holds exactly\n {2}try: \{ skipUnreadable/,
    ],
  ])("rejects %s", (_, bytes, message) => {
    const run = () => parseSafetensors(bytes, "m.safetensors");
    expect(run).toThrow(FileError);
    expect(run).toThrow(message);
  });

  it("survives headers built to exhaust the stack or the screen", () => {
    const deep = "[".repeat(200_000) + "]".repeat(200_000);
    expect(() => parseSafetensors(file(`{"a":${deep}}`))).toThrow(FileError);
    expect(() => parseSafetensors(file(`{"a":{"dtype":${deep},"shape":[0],"data_offsets":[0,0]}}`))).toThrow(FileError);
    const long = "x".repeat(5_000_000);
    const message = (() => {
      try {
        parseSafetensors(file({ [long]: { dtype: long, shape: [0], data_offsets: [0, 0] } }));
      } catch (error) {
        return error;
      }
      return undefined;
    })();
    expect(message).toBeInstanceOf(FileError);
    expect(String(message).length).toBeLessThan(1000);
  });

  it("gives tensors or a KasaneError for damaged files", () => {
    const whole = serializeSafetensors(
      { w: { shape: [2], data: Float32Array.of(1, 2) }, n: { shape: [3], data: Uint8Array.of(1, 2, 3) } },
      { a: "b" },
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { minLength: 1, maxLength: 5 }), (flips) => {
        const bytes = whole.slice();
        for (const [place, value] of flips) bytes[place] = value;
        try {
          for (const { shape, data } of parseSafetensors(bytes).tensors.values())
            expect(data.length).toBe(shape.reduce((a, b) => a * b, 1));
        } catch (error) {
          expect(error).toBeInstanceOf(KasaneError);
        }
      }),
      { numRuns: 5000 },
    );
  });
});
