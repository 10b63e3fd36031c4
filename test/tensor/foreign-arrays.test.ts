// Arrays of every kind, realm and memory, through every door: the numbers arrive as they are, or are refused by name.

import v8 from "node:v8";
import vm from "node:vm";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DataLoader, Dataset, type NdArray, ndArray } from "../../src/data/index.ts";
import {
  availableBackends,
  compile,
  InputError,
  KasaneError,
  parameter,
  setBackend,
  type Tensor,
  tensor,
  uniform,
  zeros,
} from "../../src/index.ts";
import { parseSafetensors, serializeSafetensors } from "../../src/io/index.ts";
import { type AnyNumberArray, arrayKind, toNumberArray } from "../../src/nest/arrays.ts";
import { makeLayer } from "../../src/nn/layer.ts";
import { predict } from "../../src/train/index.ts";

const foreign = vm.createContext({});
const kinds = {
  Int8Array: [-128, 0, 127],
  Uint8Array: [0, 1, 255],
  Uint8ClampedArray: [0, 1, 255],
  Int16Array: [-32768, 300, 32767],
  Uint16Array: [0, 300, 65535],
  Int32Array: [-2147483648, 0, 2147483647],
  Uint32Array: [0, 300, 4294967295],
  Float32Array: [-0.5, 0.1, 3e38].map(Math.fround),
  Float64Array: [-0.5, 0.1, 1e300],
  BigInt64Array: [-(2 ** 53) + 1, 0, 2 ** 40],
  BigUint64Array: [0, 1, 2 ** 53 - 1],
} as const;
type Kind = keyof typeof kinds;
type Maker = (kind: Kind, numbers: readonly number[]) => AnyNumberArray;

const elements = (kind: Kind, numbers: readonly number[]): never => (kind.startsWith("Big") ? numbers.map(BigInt) : numbers) as never;
const local: Maker = (kind, numbers) => (globalThis[kind] as typeof Float64Array).from(elements(kind, numbers));
const shared: Maker = (kind, numbers) => {
  const bytes = globalThis[kind].BYTES_PER_ELEMENT * numbers.length;
  const array = new globalThis[kind](new SharedArrayBuffer(bytes) as never);
  array.set(elements(kind, numbers));
  return array as AnyNumberArray;
};
const sources: Readonly<Record<string, Maker>> = {
  "this realm": local,
  "another realm": (kind, numbers) => vm.runInContext(`(numbers) => ${kind}.from(numbers)`, foreign)(elements(kind, numbers)),
  "shared memory": shared,
  structuredClone: (kind, numbers) => structuredClone(local(kind, numbers)),
  "v8.deserialize": (kind, numbers) => v8.deserialize(v8.serialize(local(kind, numbers))),
  "the middle of a buffer": (kind, numbers) => (local(kind, [...numbers, ...numbers]) as Float64Array).subarray(numbers.length),
  "memory that can grow": (kind, numbers) => {
    const bytes = globalThis[kind].BYTES_PER_ELEMENT * numbers.length;
    const Growing = ArrayBuffer as unknown as new (length: number, options: { maxByteLength: number }) => ArrayBuffer;
    const array = new globalThis[kind](new Growing(bytes, { maxByteLength: 4 * bytes }));
    array.set(elements(kind, numbers));
    return array as AnyNumberArray;
  },
};
const cases = Object.keys(sources).flatMap((source) => (Object.keys(kinds) as Kind[]).map((kind) => [source, kind] as const));

const given = (data: AnyNumberArray): NdArray => ({ shape: [data.length], data: data as NdArray["data"] });

/** A layer whose only part is a float64 buffer, and whose output is its input. */
function holder(count: number): { buffer: Tensor; load: (data: AnyNumberArray) => void } {
  const buffer = zeros([count], { dtype: "float64" });
  const layer = makeLayer({ kind: "holder", buffers: { held: buffer }, forward: (_, x) => x });
  return { buffer, load: (data) => layer.loadStateDict({ held: { shape: [count], data } }) };
}

const doors: Readonly<Record<string, (data: AnyNumberArray) => ArrayLike<number> | Promise<ArrayLike<number>>>> = {
  tensor: (data) => tensor(data).data,
  "tensor with a shape": (data) => tensor(data, [1, data.length]).data,
  "tensor of numbers with their shape": (data) => tensor({ shape: [data.length], data }).data,
  "tensor of rows": (data) => tensor([data, data]).data.slice(0, data.length),
  parameter: (data) => parameter(tensor(data, { dtype: "float64" })).data,
  ndArray: (data) => ndArray(data, [data.length]).data,
  Dataset: (data) => new Dataset({ x: given(data) }).subset(Array.from({ length: data.length }, (_, n) => n)).fields.x!.data,
  DataLoader: (data) => [...new DataLoader(new Dataset({ x: given(data) }), { batchSize: 2 })].flatMap((batch) => [...batch.x!.data]),
  predict: async (data) =>
    (
      await predict(
        Object.assign((x: Tensor) => x, { eval: () => undefined as never }),
        { shape: [data.length], data } as never,
      )
    ).data,
  loadStateDict: (data) => {
    const { buffer, load } = holder(data.length);
    load(data);
    return buffer.data;
  },
  assign: (data) => {
    const buffer = zeros([data.length], { dtype: "float64" });
    buffer.assign(data);
    return buffer.data;
  },
  safetensors: (data) => parseSafetensors(serializeSafetensors({ a: { shape: [data.length], data } })).tensors.get("a")!.data,
};

describe.each(Object.keys(doors))("%s", (door) => {
  it.each(cases)("from %s takes %s as it is", async (source, kind) => {
    const data = (sources[source] as Maker)(kind, kinds[kind]);
    expect([...Array.from(await (doors[door] as (data: AnyNumberArray) => ArrayLike<number>)(data))]).toEqual([...kinds[kind]]);
  });

  it.each([
    ["a DataView", new DataView(new ArrayBuffer(8))],
    ["an ArrayBuffer", new ArrayBuffer(8)],
    ["a SharedArrayBuffer", new SharedArrayBuffer(8)],
    ["a BigInt64Array beyond 2⁵³", BigInt64Array.of(2n ** 53n + 1n, 0n)],
    ["a Map", new Map([[0, 1]])],
    ["a Date", new Date(0)],
  ])("refuses %s with a sentence", async (_, data) => {
    if (door === "safetensors" && arrayKind(data) !== undefined) return;
    await expect((async () => (doors[door] as (data: never) => unknown)(data as never))()).rejects.toThrow(KasaneError);
  });
});

describe("toNumberArray", () => {
  it("changes no number and no length, whatever the kind", () => {
    const any = fc.oneof(
      ...[fc.int8Array(), fc.int16Array(), fc.uint16Array(), fc.int32Array(), fc.uint32Array(), fc.uint8Array(), fc.uint8ClampedArray()],
      ...[fc.float32Array(), fc.float64Array()],
    );
    fc.assert(
      fc.property(any, (array) => {
        expect([...toNumberArray(array, "test")]).toEqual([...array]);
      }),
    );
  });

  it("sees subclasses as plain: no copy shares memory with a Buffer", () => {
    const buffer = Buffer.from([1, 2]);
    const made = tensor(buffer);
    expect(Object.getPrototypeOf(made.data)).toBe(Uint8Array.prototype);
    const copy = made.clone();
    buffer[0] = 9;
    expect(copy.toArray()).toEqual([1, 2]);
  });
});

describe("numbers in lists", () => {
  it.each([
    ["a hole", new Array(2), "got nothing"],
    ["a bigint", [1n], "got the bigint 1"],
    ["text", ["1"], "got the string 1"],
    ["a tensor", [tensor([1])], "stack([…]) joins tensors"],
    ["an object", [{ value: 1 }], "got an object with value"],
    ["rows of different kinds", [Int32Array.of(1), Uint8Array.of(1)], "different kinds: int32, uint8"],
    ["a row of other depth", [[1], Float32Array.of(1), 2], "expected an array of 1 at depth 1, got the number 2"],
  ])("refuse %s", (_, data, message) => {
    expect(() => tensor(data as never)).toThrow(KasaneError);
    expect(() => tensor(data as never)).toThrow(message);
  });

  it("take number objects and typed rows", () => {
    expect(tensor([Object(3), Object(true)] as never).toArray()).toEqual([3, 1]);
    const rows = tensor([Int16Array.of(1, 2), Int16Array.of(3, 4)]);
    expect([rows.dtype, rows.shape, rows.toArray()]).toEqual([
      "int32",
      [2, 2],
      [
        [1, 2],
        [3, 4],
      ],
    ]);
    expect(tensor([[Float32Array.of(0.5)], [[1]]] as never).toArray()).toEqual([[[0.5]], [[1]]]);
    expect(() => tensor(new BigInt64Array(2), { dtype: "float99" as never })).toThrow(InputError);
  });
});

describe.each(availableBackends())("numbers that were given away, on %s", (backend) => {
  const transfer = ({ buffer }: ArrayBufferView) => structuredClone(buffer, { transfer: [buffer as ArrayBuffer] });
  const gone = /its buffer was transferred to another owner/;
  const sum = compile((x: Tensor) => x.mul(2).sum());
  const uses: Readonly<Record<string, (x: Tensor) => unknown>> = {
    "x.add(1)": (x) => x.add(1),
    "matmul(x, x)": (x) => x.reshape([2, 20]).matmul(x.reshape([20, 2])),
    "a compiled function": (x) => sum(x),
    "a gradient": (x) => {
      const weight = parameter(new Float32Array(40).fill(1));
      weight.mul(x).sum().backward();
    },
  };

  it.each(Object.keys(uses))("are missed by %s", (use) => {
    setBackend(backend);
    const made = new Float32Array(40).fill(1);
    const tensors = [tensor(made), tensor(new Float32Array(40)).add(1), uniform([40])];
    for (const x of tensors) {
      uses[use]!(x);
      transfer(x.data as Float32Array);
      expect(() => uses[use]!(x)).toThrow(gone);
    }
  });

  it("are missed by a parameter of a compiled function, and by tensor()", () => {
    setBackend(backend);
    const weight = parameter(tensor(new Float32Array(40).fill(1)));
    const product = compile(() => weight.mul(2).sum());
    transfer(weight.data as Float32Array);
    expect(() => product()).toThrow(gone);
    const array = new Float32Array(2);
    transfer(array);
    expect(() => tensor(array)).toThrow(/tensor: the numbers of this Float32Array are gone/);
    expect(tensor(new Float32Array(0)).shape).toEqual([0]);
  });
});
