// Advice of formulas, and of the numbers that everything is made of.

import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ndArray } from "../../src/data/index.ts";
import { type Binding, bind, deriveGradient, explainElement, FUNCTIONS, parseFormula } from "../../src/formula/index.ts";
import { defineOp, type Tensor, tensor, zeros } from "../../src/index.ts";
import { parseSafetensors, serializeSafetensors } from "../../src/io/index.ts";
import { conv2d } from "../../src/nn/index.ts";
import { type Advice, advice } from "./advice.ts";

const row = (): Tensor<readonly [number]> => tensor([1, 2, 3]);
const places = (): Tensor => tensor([0, 1, 1], { dtype: "int32" });
const bound = (text: string, inputs: Binding["inputs"]) => bind(parseFormula(text), { name: "op", inputs });
const floats = (...shape: number[]) => ({ dtype: "float32", shape }) as const;
const chained = (length: number): string => `y = ${Array.from({ length }, () => "x").join(" + ")}`;
const stored = () => serializeSafetensors({ x: row() });
const square = (kernel: number, size: number, padding = 0): Tensor =>
  (conv2d(1, 1, kernel, { padding }) as (x: Tensor) => Tensor)(zeros([1, 1, size, size]));

export const formulaAdvice: readonly Advice[] = [
  // The text.
  advice(
    "choose another name",
    () => parseFormula("sum = x"),
    () => parseFormula("total = x"),
  ),
  advice(
    "split it into several statements: a = …; y = … a …",
    () => parseFormula(chained(400)),
    () => parseFormula(`a = ${chained(150).slice(4)}\n${chained(150)} + a`),
  ),
  advice(
    "write inf for infinity",
    () => parseFormula("y = x + 1e999"),
    () => parseFormula("y = x + inf"),
  ),
  advice(
    "name the axes it runs over: sum[i](…)",
    () => parseFormula("y = sum(x[i])"),
    () => parseFormula("y = sum[i](x[i])"),
  ),
  advice(
    `known functions: ${Object.keys(FUNCTIONS).join(", ")}`,
    () => parseFormula("y = hypertan(x)"),
    () =>
      Object.entries(FUNCTIONS).map(([name, { parameters }]) =>
        parseFormula(`y = ${name}(${parameters.map((_, n) => `x${n}`).join(", ")})`),
      ),
  ),
  advice(
    "give the axis that sum runs over a name of its own",
    () => parseFormula("y[i] = sum[i](x[i])"),
    () => parseFormula("y[i] = x[i] * sum[j](x[j])"),
  ),
  advice(
    "pieces of one tensor must follow each other",
    () => parseFormula("a[0] = x[0]; b = x[1]; a[1] = b; y[i] = a[i]"),
    () => parseFormula("b = x[1]; a[0] = x[0]; a[1] = b; y[i] = a[i]"),
  ),
  advice(
    "the last statement's target (b) is the result",
    () => parseFormula("a = x; b = x * 2"),
    () => parseFormula("b = x * 2"),
    () => parseFormula("a = x; b = a * 2"),
  ),
  // Shapes and sizes.
  advice(
    "give x as an input, or define it in an earlier statement",
    () => bound("y = x * 2", {}),
    () => bound("y = x * 2", { x: floats() }),
    () => bound("x = z + 1; y = x * 2", { z: floats() }),
  ),
  advice(
    "use smaller sizes, or sum over an axis in the statement: y[i] = sum[j](…)",
    () => bound("y[i, j] = a[i] * b[j]", { a: floats(2 ** 16), b: floats(2 ** 16) }),
    () => bound("y[i, j] = a[i] * b[j]", { a: floats(2 ** 8), b: floats(2 ** 8) }),
    () => bound("y[i] = sum[j](a[i] * b[j])", { a: floats(2 ** 16), b: floats(2 ** 16) }),
  ),
  advice(
    "+= adds up what they write",
    () => defineOp("y[0 * i] = x[i]").with({ shape: [1] })(row()),
    () => defineOp("y[0 * i] += x[i]").with({ shape: [1] })(row()),
  ),
  advice(
    "give the op the shape of its result: op.with({ shape: [3] })(…)",
    () => defineOp("y[id[i]] += x[i]")(row(), places()),
    () => defineOp("y[id[i]] += x[i]").with({ shape: [3] })(row(), places()),
  ),
  advice(
    "dimensions are matched from the last one; each pair must be equal or one of them 1",
    () => row().add(tensor([1, 2])),
    () => row().add(tensor([[1], [2]])),
    () => row().add(tensor([1])),
  ),
  advice(
    "use a stride of at least 1",
    () => defineOp("y[i] = x[i * n]").with({ attributes: { n: 0 } })(row()),
    () => defineOp("y[i] = x[i * n]").with({ attributes: { n: 1 } })(row()),
  ),
  advice(
    "use a smaller kernel, more padding or a larger input",
    () => square(5, 3),
    () => square(3, 3),
    () => square(5, 3, 1),
    () => square(5, 5),
  ),
  advice(
    "index a tensor with it alone, or give it: [i < 3]",
    () => defineOp("y[i] = x[0]")(row()),
    () => defineOp("y[i] = x[i]")(row()),
    () => defineOp("y[i < 3] = x[0]")(row()),
  ),
  advice(
    "use smaller strides, dilations, paddings and offsets",
    () => defineOp("y[i < 3] = x[i + 2147483647]")(row()),
    () => defineOp("y[i < 3] = x[i + 2]")(row()),
  ),
  advice(
    "give it among the attributes: op.with({ attributes: { axes: [0] } })(…)",
    () => defineOp("y[...] = sum[@axes](x[...])")(row()),
    () => defineOp("y[...] = sum[@axes](x[...])").with({ attributes: { axes: [0] } })(row()),
  ),
  advice(
    "a scalar has no axes: give an empty list",
    () => defineOp("y[...] = sum[@axes](x[...])").with({ attributes: { axes: [0] } })(tensor(1)),
    () => defineOp("y[...] = sum[@axes](x[...])").with({ attributes: { axes: [] } })(tensor(1)),
  ),
  advice(
    "axes go from -1 to 0",
    () => defineOp("y[...] = sum[@axes](x[...])").with({ attributes: { axes: [1] } })(row()),
    () => defineOp("y[...] = sum[@axes](x[...])").with({ attributes: { axes: [-1] } })(row()),
    () => defineOp("y[...] = sum[@axes](x[...])").with({ attributes: { axes: [0] } })(row()),
  ),
  advice(
    "give it among the attributes: op.with({ attributes: { n: 3 } })(…)",
    () => defineOp("y[i < 1] = x[i + n]")(tensor([1, 2, 3, 4])),
    () => defineOp("y[i < 1] = x[i + n]").with({ attributes: { n: 3 } })(tensor([1, 2, 3, 4])),
  ),
  advice(
    "give that input another name",
    () => deriveGradient(parseFormula("y = x * gy"), "x"),
    () => deriveGradient(parseFormula("y = x * g"), "x"),
  ),
  advice(
    "give one coordinate per dimension, counted from 0",
    () => explainElement(parseFormula("y = x * 2"), { name: "op", inputs: { x: floats(3) } }, [new Float32Array(3)], [], [3]),
    () => explainElement(parseFormula("y = x * 2"), { name: "op", inputs: { x: floats(3) } }, [new Float32Array(3)], [], [2]),
  ),
  // Numbers.
  advice(
    "dtypes: …",
    () => tensor([1], { dtype: "float31" as never }),
    () => tensor([1], { dtype: "float32" }),
  ),
  advice(
    "number the values anew, or split them into two columns",
    () => tensor(new BigInt64Array([2n ** 60n])),
    () => tensor([0]),
    () => tensor(new BigInt64Array([(2n ** 60n) >> 32n, (2n ** 60n) & 0xffffffffn])),
  ),
  advice(
    "say what its bytes are: new Float32Array(buffer), new Uint8Array(buffer), …",
    () => ndArray(new ArrayBuffer(8) as never, [2]),
    () => ndArray(new Float32Array(new ArrayBuffer(8)), [2]),
    () => ndArray(new Uint8Array(new ArrayBuffer(8)), [8]),
  ),
  advice(
    "Float32Array.from(numbers)",
    () => ndArray([1, 2] as never, [2]),
    () => ndArray(Float32Array.from([1, 2]), [2]),
  ),
  advice(
    "new Uint8Array(await file.arrayBuffer()) in browsers, await readFile(path) in Node",
    () => parseSafetensors("weights" as never),
    async () => parseSafetensors(new Uint8Array(await new Blob([stored()]).arrayBuffer())),
    async () => {
      const folder = await mkdtemp(join(tmpdir(), "kasane-hints-"));
      try {
        await writeFile(join(folder, "x"), stored());
        parseSafetensors(await readFile(join(folder, "x")));
      } finally {
        await rm(folder, { recursive: true });
      }
    },
  ),
];
