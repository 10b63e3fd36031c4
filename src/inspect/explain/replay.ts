// Computes a recorded run again op by op, with changed numbers or in double precision.

import type { Backend, Executable } from "../../backends/backend.ts";
import { backendFor } from "../../backends/choose.ts";
import { planProgram } from "../../compiler/index.ts";
import { dtypeOfArray, type NumberArray } from "../../nest/arrays.ts";
import { evaluateProgram, sizeOfShape } from "../../nest/evaluate.ts";
import type { DType, Program } from "../../nest/nest.ts";
import { checkArguments } from "../../util/arguments.ts";
import { checkOptions } from "../../util/options.ts";
import { RECORDING, TENSORS } from "../kinds.ts";
import type { RecordedOp, RecordedTensor, Recording } from "../record/recording.ts";

/** What a replay computes with. */
export interface ReplayOptions {
  /** Numbers that replace recorded ones. */
  readonly changed?: ReadonlyMap<RecordedTensor, NumberArray>;
  /**
   * Interprets everything in double precision, from the recorded numbers of parameters and data; else it is computed as
   * tensors are. Default false.
   */
  readonly double?: boolean;
}

/** The numbers of a replay. */
export type Replayed = (tensor: RecordedTensor) => NumberArray;

/**
 * Computes the ops that lead to `targets` again, those only that depend on changed numbers (in double precision all).
 */
export function replay(recording: Recording, targets: readonly RecordedTensor[], options: ReplayOptions = {}): Replayed {
  checkArguments("replay", { recording: [recording, RECORDING], targets: [targets, TENSORS] });
  const { changed = new Map<RecordedTensor, NumberArray>(), double = false } = checkOptions<ReplayOptions>("replay", options, {
    changed: true,
    double: true,
  });
  const known = new Map<RecordedTensor, NumberArray>(changed);
  const numbers = (tensor: RecordedTensor): NumberArray => known.get(tensor) ?? inPrecision(tensor, double);
  const wanted = behind(targets, changed);
  for (const op of recording.ops) {
    if (!wanted.has(op) || known.has(op.output)) continue;
    if (!double && !op.inputs.some((input) => known.has(input))) continue;
    known.set(op.output, computed(op, numbers, double));
  }
  return numbers;
}

/** The ops that lead to the targets, not through what is given. */
function behind(targets: readonly RecordedTensor[], given: ReadonlyMap<RecordedTensor, unknown>): Set<RecordedOp> {
  const found = new Set<RecordedOp>();
  const waiting = [...targets];
  for (let tensor = waiting.pop(); tensor !== undefined; tensor = waiting.pop()) {
    const { source } = tensor;
    if (source === undefined || found.has(source) || given.has(tensor)) continue;
    found.add(source);
    waiting.push(...source.inputs);
  }
  return found;
}

function computed(op: RecordedOp, numbers: Replayed, double: boolean): NumberArray {
  if (op.program === undefined) return numbers(op.inputs[0]!);
  const inputs = op.inputs.map(numbers);
  return double ? evaluateProgram(inDouble(op.program), inputs, op.params) : onBackend(op.program, inputs, op.params);
}

const doubles = new WeakMap<Program, Program>();

/** The same program on double-precision operands. */
function inDouble(program: Program): Program {
  let found = doubles.get(program);
  if (found === undefined) {
    const wide = <Typed extends { readonly dtype: DType }>(operand: Typed): Typed =>
      operand.dtype === "float32" ? { ...operand, dtype: "float64" } : operand;
    found = {
      ...program,
      inputs: program.inputs.map(wide),
      buffers: program.buffers.map(wide),
      operations: program.operations.map((step) => ({
        ...step,
        nest: { ...step.nest, operands: step.nest.operands.map(wide), output: wide(step.nest.output) },
      })),
    };
    doubles.set(program, found);
  }
  return found;
}

/**
 * Numbers of parameters, data and gradients as they were recorded, single-precision ones in double where that is asked
 * for.
 */
function inPrecision({ data }: RecordedTensor, double: boolean): NumberArray {
  return double && dtypeOfArray(data) === "float32" ? Float64Array.from(data) : data;
}

const executables = new WeakMap<Program, { readonly backend: Backend; readonly executable: Executable }>();

/** Runs a program where tensors are computed now. */
function onBackend(program: Program, inputs: readonly NumberArray[], params: readonly number[]): NumberArray {
  const { shape } = program.buffers[program.result]!;
  if (sizeOfShape(shape) === 0) return evaluateProgram(program, inputs, params);
  const backend = backendFor(program.buffers);
  let found = executables.get(program);
  if (found?.backend !== backend) {
    found = { backend, executable: backend.compile(planProgram(program, backend.facts)) };
    executables.set(program, found);
  }
  return found.executable.run(inputs, [], params)[0] as NumberArray;
}
