// One loop over the conformance table: every op of the catalogue on every backend, its values, gradients and second derivatives.

import { afterAll, describe, expect, it } from "vitest";
import { availableBackends } from "../../src/backends/choose.ts";
import { compile, fromData, type HostArray, type Tensor } from "../../src/index.ts";
import { allocate } from "../../src/nest/arrays.ts";
import { sizeOfShape } from "../../src/nest/evaluate.ts";
import { type CatalogueEntry, catalogue } from "../../src/ops/catalogue.ts";
import type { Op } from "../../src/ops/op.ts";
import {
  applyCase,
  backendOf,
  type Case,
  derivativeAtZero,
  difference,
  dot,
  drawInputs,
  EPSILON,
  float,
  generator,
  gradientsByTape,
  type Input,
  type Numbers,
  on,
  rootMeanSquare,
  seedOf,
  type Tolerance,
  tensorsOf,
  variants,
} from "./support.ts";
import { type Spec, table } from "./table.ts";

/** Every backend this package has; one that cannot run here is an error in continuous integration and a loud line elsewhere. */
const available = variants.filter((variant) => typeof backendOf(variant) !== "string");
const missing = variants.filter((variant) => !available.includes(variant));

/** Cases per op that are also compiled. */
const COMPILED = 2;

const counts = { forward: 0, compiled: 0, gradient: 0, derivative: 0, second: 0, written: 0, special: 0, integers: 0, inert: 0 };

afterAll(() => {
  const total = Object.values(counts).reduce((a, b) => a + b, 0);
  const parts = Object.entries(counts)
    .map(([kind, count]) => `${kind} ${count}`)
    .join(", ");
  console.log(
    `conformance: ${catalogue.length} ops × ${available.length} backends (${available.join(", ")}): ${total} cases checked (${parts})`,
  );
  if (missing.length > 0) console.error(`conformance: NOT CHECKED, because they cannot run here: ${missing.join(", ")}`);
});

describe("the table", () => {
  it("has a row for every op of the catalogue and no other", () => {
    expect(Object.keys(table).sort()).toEqual(catalogue.map((entry) => entry.name).sort());
    for (const { name, op } of catalogue)
      for (const { inputs } of table[name]?.cases ?? []) expect(Object.keys(inputs), name).toEqual(op.formula.inputs);
  });

  it("tries every backend that runs here", () => {
    const tried = new Set(variants.map((variant) => variant.split(" ")[0] as string));
    expect(availableBackends().filter((name) => !tried.has(name))).toEqual([]);
  });

  for (const variant of variants)
    it.skipIf(missing.includes(variant) && !process.env.CI)(`runs on ${variant}`, () => {
      expect(backendOf(variant)).toBeTypeOf("object");
    });
});

describe.each(catalogue)("$name", (entry) => {
  const spec = table[entry.name] as Spec;
  const small = spec.cases.filter((given) => sizeOf(given) > 0 && sizeOf(given) <= 200 && given.attributes.extent0 !== 0);

  /** The truth: float64 on the reference, computed once for all backends. */
  const valuesOf = remember((given) => applyCase(entry.op, given, tensorsOf(given, drawInputs(given, entry.name), "float64")));
  const gradientsOf = remember((given) => gradients(entry.op, given, drawInputs(given, entry.name), "float64"));

  for (const backend of available) {
    it(`${backend}: values in float32`, () => {
      every(spec.cases, (given) => {
        counts.forward++;
        const numbers = drawInputs(given, entry.name);
        const expected = valuesOf(given);
        const actual = on(backend, () => applyCase(entry.op, given, tensorsOf(given, numbers, "float32")));
        if (actual.dtype !== expected.dtype.replace("64", "32")) return `dtype ${actual.dtype} instead of ${expected.dtype}`;
        if (actual.shape.join() !== expected.shape.join()) return `shape [${actual.shape}] instead of [${expected.shape}]`;
        return difference(actual.data, expected.data, allowance(spec.forward, termsOf(entry, spec, given, numbers)));
      });
    });

    it(`${backend}: compiled values`, () => {
      every(spec.cases.slice(0, COMPILED), (given) => {
        counts.compiled++;
        const numbers = drawInputs(given, entry.name);
        const expected = valuesOf(given);
        const run = (): Tensor =>
          compile((...inputs: Tensor[]) => applyCase(entry.op, given, inputs))(...tensorsOf(given, numbers, "float32"));
        return difference(on(backend, run).data, expected.data, allowance(spec.forward, termsOf(entry, spec, given, numbers)));
      });
    });

    itWhere(!spec.constant, `${backend}: gradients in float32`, () => {
      every(spec.cases, (given) => {
        counts.gradient++;
        const numbers = drawInputs(given, entry.name);
        const expected = gradientsOf(given);
        const actual = on(backend, () => gradients(entry.op, given, numbers, "float32"));
        return compareGradients(given, actual, expected, spec.gradient ?? { ulp: 64 });
      });
    });

    itWhere(spec.special, `${backend}: NaN, infinities, zeros of both signs, huge and tiny numbers`, () => {
      every([specialCase(entry, small[0] as Case)], (given) => {
        counts.special++;
        const numbers = specialNumbers(given, spec.largest);
        const single = (): HostArray => applyCase(entry.op, given, tensorsOf(given, numbers, "float32")).data;
        const expected = on("reference", single);
        const actual = on(backend, single);
        const values = difference(actual, expected, (e) => (EPSILON * 64 + 1e-30) * Math.max(Math.abs(e), 1e-30));
        if (values !== undefined || spec.constant) return describeSpecial(values, given, numbers);
        const slopes = compareGradients(
          given,
          on(backend, () => gradients(entry.op, given, numbers, "float32")),
          on("reference", () => gradients(entry.op, given, numbers, "float32")),
          { ulp: 256, floor: 1e-30 },
        );
        return describeSpecial(slopes, given, numbers);
      });
    });

    itWhere(!spec.special && backend !== "reference", `${backend}: one NaN or infinity spreads as far as on the reference`, () => {
      every(
        spec.cases.filter((given) => sizeOf(given) > 0 && floatInputs(given).length > 0),
        (given) => {
          counts.special++;
          const numbers = drawInputs(given, entry.name);
          const [name] = floatInputs(given)[0] as readonly [string, number];
          for (const value of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
            const changed = (numbers[name] as Float64Array).slice();
            changed[Math.floor(changed.length / 2)] = value;
            const run = (): HostArray => applyCase(entry.op, given, tensorsOf(given, { ...numbers, [name]: changed }, "float32")).data;
            const found = difference(on(backend, run), on("reference", run), () => Number.POSITIVE_INFINITY);
            if (found !== undefined) return `${value} in ${name}: ${found}`;
          }
          return undefined;
        },
      );
    });

    itWhere(spec.integers, `${backend}: int32, uint8 and bool inputs`, () => {
      every(integerCases(spec), (given) => {
        counts.integers++;
        const numbers = integerNumbers(given, entry.name);
        const run = (): Tensor => applyCase(entry.op, given, tensorsOf(given, numbers, "float32"));
        const expected = on("reference", run);
        const actual = on(backend, run);
        if (actual.dtype !== expected.dtype) return `dtype ${actual.dtype} instead of ${expected.dtype}`;
        const exact = !expected.dtype.startsWith("float");
        return difference(actual.data, expected.data, (e) =>
          exact ? 0 : EPSILON * Math.max(spec.forward.ulp, 4) * Math.max(Math.abs(e), spec.forward.floor ?? 0),
        );
      });
    });
  }

  itWhere(spec.constant, "no gradient flows", () => {
    every(small, (given) => {
      counts.inert++;
      const found = gradients(entry.op, given, drawInputs(given, entry.name), "float64");
      return found.every((gradient) => gradient === undefined) ? undefined : "a gradient arrived";
    });
  });

  itWhere(!spec.constant, "gradients equal central differences", () => {
    every(small, (given) => {
      counts.derivative++;
      const numbers = drawInputs(given, entry.name);
      const result = applyCase(entry.op, given, tensorsOf(given, numbers, "float64"));
      const upstream = upstreamFor(result, given.label);
      const found = gradients(entry.op, given, numbers, "float64");
      const objective = (moved: Numbers): number => dot(applyCase(entry.op, given, tensorsOf(given, moved, "float64")).data, upstream.data);
      return floatInputs(given)
        .map(([name, place]) => checkSlope(name, given, numbers, found[place]?.data, objective))
        .find((problem) => problem !== undefined);
    });
  });

  itWhere(!spec.constant, "second derivatives equal central differences of the gradient", () => {
    every(small, (given) => {
      counts.second++;
      const numbers = drawInputs(given, entry.name);
      return secondDerivatives(entry.op, given, numbers);
    });
  });

  itWhere(Object.keys(entry.op.gradient).length > 0, "written gradients equal the derived ones", () => {
    every(small, (given) => {
      counts.written++;
      const numbers = drawInputs(given, entry.name);
      const derived = gradients({ ...entry.op, gradient: {} }, given, numbers, "float64");
      return compareGradients(given, gradients(entry.op, given, numbers, "float64"), derived, { ulp: 1e-10 / EPSILON });
    });
  });
});

/** A test where it applies; inapplicable ones are not listed, so that "skipped" always means something is missing here. */
function itWhere(applies: boolean | undefined, name: string, run: () => void): void {
  if (applies) it(name, run);
}

function remember<Result>(compute: (given: Case) => Result): (given: Case) => Result {
  const known = new Map<Case, Result>();
  return (given) => {
    let result = known.get(given);
    if (result === undefined) {
      result = compute(given);
      known.set(given, result);
    }
    return result;
  };
}

/** Runs a check on all cases and fails with the sentences of those that went wrong. */
function every(cases: readonly Case[], check: (given: Case) => string | undefined): void {
  const problems: string[] = [];
  for (const given of cases) {
    let problem: string | undefined;
    try {
      problem = check(given);
    } catch (error) {
      problem = `threw ${(error as Error).stack?.split("\n").slice(0, 6).join("\n")}`;
    }
    if (problem !== undefined) problems.push(`${given.label}: ${problem}`);
  }
  if (problems.length > 0) throw new Error(`${problems.length} of ${cases.length} cases:\n${problems.slice(0, 5).join("\n")}`);
}

function sizeOf(given: Case): number {
  const sizes = Object.values(given.inputs).map(({ shape }) => sizeOfShape(shape));
  return sizes.some((size) => size === 0) ? 0 : sizes.reduce((a, b) => a + b, 0);
}

const floatInputs = (given: Case): (readonly [name: string, place: number])[] =>
  Object.entries(given.inputs).flatMap(([name, { dtype }], place) => (dtype === "float" ? [[name, place] as const] : []));

function upstreamFor(result: Tensor, label: string): Tensor {
  const random = generator(seedOf(`upstream ${label}`));
  const precision = result.dtype === "float64" ? "float64" : "float32";
  return float(
    new Float64Array(result.size).map(() => Math.fround(0.5 + random())),
    result.shape,
    precision,
  );
}

function gradients(op: Op, given: Case, numbers: Numbers, precision: "float32" | "float64"): (Tensor | undefined)[] {
  const inputs = tensorsOf(given, numbers, precision, true);
  const result = applyCase(op, given, inputs);
  return gradientsByTape(result, inputs, upstreamFor(result, given.label));
}

function compareGradients(
  given: Case,
  actual: readonly (Tensor | undefined)[],
  expected: readonly (Tensor | undefined)[],
  { ulp, floor = 0 }: Tolerance,
): string | undefined {
  for (const [name, place] of floatInputs(given)) {
    const a = actual[place];
    const e = expected[place];
    if ((a === undefined) !== (e === undefined))
      return `gradient by ${name}: ${a === undefined ? "none" : "some"} instead of ${e === undefined ? "none" : "some"}`;
    if (a === undefined || e === undefined) continue;
    if (a.shape.join() !== e.shape.join()) return `gradient by ${name}: shape [${a.shape}] instead of [${e.shape}]`;
    const typical = Math.max(rootMeanSquare(e.data), floor);
    const found = difference(
      a.data,
      e.data,
      (value) => EPSILON * ulp * Math.max(Math.abs(value), Number.isFinite(typical) && typical < 1e20 ? typical : 0),
    );
    if (found !== undefined) return `gradient by ${name}: ${found}`;
  }
  return undefined;
}

function allowance({ ulp, floor = 0 }: Tolerance, terms: HostArray | undefined): (expected: number, position: number) => number {
  return (expected, position) => EPSILON * ulp * Math.max(Math.abs(expected), floor, Math.abs(terms?.[position] ?? 0));
}

/** Σ |terms| of every result: the op on absolute values. */
function termsOf(entry: CatalogueEntry, spec: Spec, given: Case, numbers: Numbers): HostArray | undefined {
  if (!spec.forward.terms) return undefined;
  const absolute = Object.fromEntries(Object.entries(numbers).map(([name, values]) => [name, values.map(Math.abs)]));
  return applyCase(entry.op, given, tensorsOf(given, absolute, "float64")).data;
}

/** Each element on its own for small inputs, random directions for larger ones. */
function checkSlope(
  name: string,
  given: Case,
  numbers: Numbers,
  gradient: HostArray | undefined,
  objective: (moved: Numbers) => number,
): string | undefined {
  const values = numbers[name] as Float64Array;
  const random = generator(seedOf(`direction ${given.label} ${name}`));
  const directions: Float64Array[] = [];
  if (values.length <= 12)
    for (let n = 0; n < values.length; n++) directions.push(new Float64Array(values.length).map((_, place) => Number(place === n)));
  else for (let n = 0; n < 2; n++) directions.push(values.map(() => random() * 2 - 1));
  for (const direction of directions) {
    const measured = derivativeAtZero((t) =>
      objective({ ...numbers, [name]: values.map((value, n) => value + t * (direction[n] as number)) }),
    );
    const computed = gradient === undefined ? 0 : dot(gradient, direction);
    const scale = Math.max(1, Math.abs(measured), gradient === undefined ? 0 : rootMeanSquare(gradient) * Math.sqrt(gradient.length));
    if (!(Math.abs(measured - computed) <= 1e-7 * scale))
      return `gradient by ${name}: ${computed} instead of ${measured} (central difference)`;
  }
  return undefined;
}

/** For s = Σ_inputs ⟨gradient, v⟩ with fixed random v: its gradient against central differences of s. */
function secondDerivatives(op: Op, given: Case, numbers: Numbers): string | undefined {
  const names = floatInputs(given);
  const random = generator(seedOf(`second ${given.label}`));
  const weights = new Map(names.map(([name]) => [name, (numbers[name] as Float64Array).map(() => random() * 2 - 1)]));
  const firstOrder = (at: Numbers, createGraph: boolean): { inputs: Tensor[]; found: (Tensor | undefined)[] } => {
    const inputs = tensorsOf(given, at, "float64", true);
    const result = applyCase(op, given, inputs);
    const upstream = upstreamFor(result, given.label);
    return { inputs, found: gradientsByTape(result, inputs, upstream, createGraph) };
  };
  const { inputs, found } = firstOrder(numbers, true);
  let total: Tensor | undefined;
  for (const [name, place] of names) {
    const gradient = found[place];
    if (gradient === undefined) continue;
    const term = gradient.mul(fromData(weights.get(name) as Float64Array, gradient.shape, "float64")).sum();
    total = total === undefined ? term : total.add(term);
  }
  if (total === undefined) return "no gradient at all";
  const second = gradientsByTape(total, inputs, float(Float64Array.of(1), [], "float64"));
  const objective = (moved: Numbers): number => {
    const gradient = firstOrder(moved, false).found;
    return names.reduce(
      (sum, [name, place]) =>
        sum + (gradient[place] === undefined ? 0 : dot((gradient[place] as Tensor).data, weights.get(name) as Float64Array)),
      0,
    );
  };
  return names
    .map(([name, place]) => checkSlope(name, given, numbers, second[place]?.data, objective))
    .find((problem) => problem !== undefined);
}

const SPECIAL = [
  Number.NaN,
  Number.POSITIVE_INFINITY,
  Number.NEGATIVE_INFINITY,
  0,
  -0,
  1,
  -1,
  0.5,
  -2.5,
  3,
  40,
  -40,
  200,
  -200,
  1e30,
  -1e30,
  1e-20,
  -1e-20,
];

/** All combinations of special numbers over the float inputs (three inputs and more: the first two combined, the others along). */
function specialCase(entry: CatalogueEntry, given: Case): Case {
  const names = Object.keys(given.inputs);
  const size = names.length === 1 ? SPECIAL.length : SPECIAL.length ** 2;
  return {
    label: `special numbers of ${entry.name}`,
    attributes: given.attributes,
    inputs: Object.fromEntries(Object.entries(given.inputs).map(([name, input]) => [name, { ...input, shape: [size] }])),
  };
}

function specialNumbers(given: Case, largest = Number.MAX_VALUE): Numbers {
  const entries = Object.entries(given.inputs);
  return Object.fromEntries(
    entries.map(([name, { shape, dtype }], place) => {
      const values = new Float64Array(shape[0] as number)
        .map(
          (_, n) =>
            SPECIAL[
              (entries.length > 1 && place % 2 === 0 ? Math.floor(n / SPECIAL.length) : n + (place > 1 ? place : 0)) % SPECIAL.length
            ] as number,
        )
        .map((value) =>
          Number.isFinite(value) && value !== 0 && (Math.abs(value) > largest || Math.abs(value) < 1 / largest)
            ? 1.5 * Math.sign(value)
            : value,
        );
      return [name, dtype === "float" ? values.map(Math.fround) : values.map((_, n) => n % 2)];
    }),
  );
}

function describeSpecial(problem: string | undefined, given: Case, numbers: Numbers): string | undefined {
  if (problem === undefined) return undefined;
  const place = Number(/ at (\d+)/.exec(problem)?.[1] ?? -1);
  return `${problem} where ${Object.keys(given.inputs)
    .map((name) => `${name} = ${Object.is(numbers[name]?.[place], -0) ? "-0" : numbers[name]?.[place]}`)
    .join(", ")}`;
}

const INTEGER_DTYPES = ["int32", "uint8", "bool"] as const;

function integerCases(spec: Spec): Case[] {
  const chosen = spec.cases.filter((given) => sizeOf(given) > 0).slice(0, 12);
  return INTEGER_DTYPES.flatMap((dtype) =>
    chosen.map((given) => ({
      ...given,
      label: `${dtype} ${given.label}`,
      inputs: Object.fromEntries(Object.entries(given.inputs).map(([name, input]): [string, Input] => [name, { ...input, dtype }])),
    })),
  );
}

function integerNumbers(given: Case, name: string): Numbers {
  const random = generator(seedOf(`${name} ${given.label}`));
  return Object.fromEntries(
    Object.entries(given.inputs).map(([input, { shape, dtype }]) => {
      const draw = (): number => {
        if (dtype === "bool") return Math.floor(random() * 2);
        if (dtype === "uint8") return Math.floor(random() * 8);
        return Math.floor(random() * 15) - 7;
      };
      const stored = allocate(dtype === "float" ? "float32" : dtype, sizeOfShape(shape)).map(draw);
      return [input, Float64Array.from(stored)];
    }),
  );
}
