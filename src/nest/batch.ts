// Maps a bound formula over a batch (vmap): one more index on what differs, and one more loop.

import type { AffineIndex, Axis, Index, Nest, Operation, Program, Scalar } from "./nest.ts";

/**
 * The program for `size` examples at once. The inputs that are mapped have the examples along a first dimension more;
 * so has every buffer computed from one of them, or from random numbers, of which each example gets its own. What is
 * the same for all is computed once. The result always has that dimension.
 */
export function batchProgram(program: Program, isMapped: readonly boolean[], size: number, drawsOwn = true): Program {
  const mapped = new Set<number>([...isMapped.keys()].filter((number) => isMapped[number]));
  mapped.add(program.result);
  for (const operation of program.operations)
    if (operation.reads.some((read) => mapped.has(read)) || (drawsOwn && isRandomNest(operation.nest))) mapped.add(operation.writes);
  const buffers = program.buffers.map((operand, number) =>
    mapped.has(number) ? { ...operand, shape: [size, ...operand.shape] } : operand,
  );
  const operations = program.operations.map(
    (operation): Operation =>
      mapped.has(operation.writes) ? { ...operation, nest: batchNest(operation, mapped, size, drawsOwn) } : operation,
  );
  return { ...program, inputs: buffers.slice(0, program.inputs.length), buffers, operations };
}

const random = new WeakMap<Program, boolean>();

/** Whether a program draws random numbers. */
export function isRandom(program: Program): boolean {
  let found = random.get(program);
  if (found === undefined) {
    found = program.operations.some((operation) => isRandomNest(operation.nest));
    random.set(program, found);
  }
  return found;
}

function isRandomNest({ body, epilogue }: Nest): boolean {
  return draws(body) || (epilogue !== undefined && draws(epilogue));
}

function draws(scalar: Scalar): boolean {
  if (scalar.kind === "call") return scalar.fn === "uniform" || scalar.args.some(draws);
  if (scalar.kind !== "load" && scalar.kind !== "inside") return false;
  return scalar.index.some((index) => index.kind === "indirect" && draws(index.value));
}

/** The example is axis 0; all others move up by one. */
const EXAMPLE: AffineIndex = { kind: "affine", terms: [{ axis: 0, coefficient: 1 }], offset: 0, divisor: 1, checked: false };

function batchNest({ nest, reads }: Operation, mapped: ReadonlySet<number>, size: number, drawsOwn: boolean): Nest {
  const axes: readonly Axis[] = [{ name: "example", extent: size }, ...nest.axes];
  const isMapped = reads.map((read) => mapped.has(read));
  const moved = (index: AffineIndex): AffineIndex => ({
    ...index,
    terms: index.terms.map(({ axis, coefficient }) => ({ axis: axis + 1, coefficient })),
  });
  const place = (index: Index): Index => (index.kind === "affine" ? moved(index) : { ...index, value: change(index.value) });
  const change = (scalar: Scalar): Scalar => {
    switch (scalar.kind) {
      case "load": {
        const index = scalar.index.map(place);
        return { ...scalar, index: isMapped[scalar.operand] ? [EXAMPLE, ...index] : index };
      }
      case "inside":
        return { ...scalar, index: scalar.index.map(place) };
      case "position":
        return { ...scalar, index: moved(scalar.index) };
      case "call": {
        const args = scalar.args.map(change);
        return { ...scalar, args: scalar.fn === "uniform" && drawsOwn ? ownNumbers(args, axes, size) : args };
      }
      default:
        return scalar;
    }
  };
  return {
    ...nest,
    axes,
    free: nest.free + 1,
    operands: nest.operands.map((operand, number) => (isMapped[number] ? { ...operand, shape: [size, ...operand.shape] } : operand)),
    body: change(nest.body),
    epilogue: nest.epilogue && change(nest.epilogue),
    output: { ...nest.output, shape: [size, ...nest.output.shape], index: [EXAMPLE, ...nest.output.index.map(place)] },
  };
}

/**
 * The arguments of `uniform` with a range of counters for each example, as long as the one it uses: the same in forward
 * and backward pass.
 */
function ownNumbers(args: readonly Scalar[], axes: readonly Axis[], size: number): readonly Scalar[] {
  const [seed, stream, counter, word] = args as readonly [Scalar, Scalar, Scalar, Scalar];
  if (size === 1) return args;
  const span = counter.kind === "position" ? reach(counter.index, axes) : axes.slice(1).reduce((total, axis) => total * axis.extent, 1);
  if (counter.kind === "position")
    return [
      seed,
      stream,
      { ...counter, index: { ...counter.index, terms: [{ axis: 0, coefficient: span }, ...counter.index.terms] } },
      word,
    ];
  const example: Scalar = { kind: "position", index: { ...EXAMPLE, terms: [{ axis: 0, coefficient: span }] }, type: "int" };
  return [seed, stream, { kind: "call", fn: "add", args: [counter, example], type: "int" }, word];
}

/** One more than the largest position. */
function reach({ terms, offset }: AffineIndex, axes: readonly Axis[]): number {
  return terms.reduce((total, { axis, coefficient }) => total + coefficient * Math.max(0, axes[axis]!.extent - 1), offset + 1);
}
