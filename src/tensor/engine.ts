// Applies an op to tensors: finds or compiles its program for these shapes, runs it, records it on the tape.

import type { Backend, BackendBuffer, Cell, Executable, HostArray } from "../backends/backend.ts";
import { backendFor } from "../backends/choose.ts";
import { planProgram } from "../compiler/index.ts";
import { bind } from "../formula/bind/bind.ts";
import { LARGEST_INT, requireReach } from "../nest/addressable.ts";
import { allocate } from "../nest/arrays.ts";
import { batchProgram, isRandom } from "../nest/batch.ts";
import { sizeOfShape } from "../nest/evaluate.ts";
import { isHeldBy } from "../nest/integers.ts";
import type { DType, Program } from "../nest/nest.ts";
import { floatOf, isFloat } from "../nest/typing.ts";
import type { Op } from "../ops/op.ts";
import { InputError, KasaneError, ShapeError } from "../util/errors.ts";
import { shapeText } from "../util/shape-text.ts";
import { storedAs } from "./autocast.ts";
import { foundInAll, noteOp } from "./autograd/found.ts";
import { partsOf, shapeOfPart } from "./autograd/parts.ts";
import { needsTape, nextOrder } from "./autograd/tape.ts";
import { callSite, captureSite, currentOrigin, currentPass, currentScope, withScope } from "./context.ts";
import { observer } from "./observe.ts";
import { currentTrace } from "./trace/trace.ts";
import { LiveNumber } from "./trace/traced-graph.ts";
import { type Attributes, Held, type Level, type Numbers, type TapeNode, Value } from "./value.ts";
import { innermost, mapped, runningLevels } from "./vmap/mapping.ts";

interface Prepared {
  readonly program: Program;
  /** The same for a batch of examples, by the inputs that are batched. */
  readonly batched: Map<string, Prepared>;
  /** Compiled at the first run outside a trace. */
  executable: Executable | undefined;
  readonly backend: Backend;
  readonly shape: readonly number[];
  readonly dtype: DType;
  readonly size: number;
}

const NO_CELLS: readonly Cell[] = [];

/** Numbers of examples, and choices of what differs between them, kept per program. */
const BATCHES_KEPT = 32;

/** Compiled programs kept per op; beyond it the oldest go. */
const KEPT_PER_OP = 512;

const prepared = new WeakMap<Op, Map<string, Prepared>>();

export interface ApplyOptions {
  /** Shape of the result, where the op cannot infer it or must broadcast or sum to it. */
  readonly resultShape?: readonly number[] | undefined;
  /** What the result is stored as; left out: what follows from the inputs. */
  readonly dtype?: DType | undefined;
  /** The same where it is a float. */
  readonly float?: DType | undefined;
  /** Gives the tensor class to ops without inputs. */
  readonly like?: Value;
}

/**
 * Runs an op and records it when one of its inputs requires a gradient.
 * @throws ShapeError with the operand shapes, the layer path and the call site
 */
export function apply(op: Op, inputs: readonly Value[], attributes: Attributes = {}, options: ApplyOptions = {}): Value {
  try {
    const record = needsTape(inputs);
    if (record && op.kind !== "view" && !hasWrittenGradient(op, inputs)) {
      const parts = partsOf(op);
      if (parts.length > 1) return applyParts(op, parts, inputs, attributes, options);
    }
    const output = op.kind === "view" ? view(inputs[0]!, options.resultShape as readonly number[]) : run(op, inputs, attributes, options);
    if (record && isFloat(output.dtype)) {
      output.requiresGrad = true;
      const found = foundInAll(inputs);
      output.node = { op, inputs, found, attributes, output, scope: currentScope(), site: captureSite(), order: nextOrder() };
    }
    noteOp(inputs, output);
    if (observer() !== undefined) tell(op, inputs, attributes, options, output);
    return output;
  } catch (error) {
    throw located(inputs.every((input) => Value.isWhole(input)) ? error : wrapped(op, error));
  }
}

/** What makes only a part of a tensor: a clone of objects, and state that looks who reads it. */
function wrapped(op: Op, cause: unknown): InputError {
  return new InputError(`${op.name}: expected tensors, got a copy or a wrapper that another library made of one`, {
    hint: "copy with clone(), and keep tensors out of reactive state (markRaw in Vue, ref in Valtio)",
    cause,
  });
}

function tell(op: Op, inputs: readonly Value[], attributes: Attributes, options: ApplyOptions, output: Value): void {
  const found = op.kind === "view" ? undefined : prepare(op, inputs, attributes, options);
  const ran = found && allExamples(op.name, found, inputs, levelsOfRandom(found.program)).found.program;
  const { scope, site } = output.node ?? { scope: currentScope(), site: captureSite() };
  const [pass, of] = [currentPass(), currentOrigin()];
  observer()?.applied?.({ op, inputs, attributes, output, scope, site, pass, program: found?.program, ran, of });
}

/** Tells observers that `output` holds the numbers of `input`, as after a view. */
export function tellSame(op: Op, input: Value, output: Value): void {
  const [scope, site, pass, of] = [currentScope(), captureSite(), currentPass(), currentOrigin()];
  observer()?.applied?.({ op, inputs: [input], attributes: {}, output, scope, site, pass, program: undefined, ran: undefined, of });
}

/**
 * Records that `output` was made from `inputs` in a way that its gradients follow `pull` instead of the op's formula.
 * @returns the output
 */
export function recordPull(op: Op, inputs: readonly Value[], output: Value, pull: NonNullable<TapeNode["pull"]>): Value {
  if (!needsTape(inputs)) return output;
  output.requiresGrad = true;
  output.node = { op, inputs, attributes: {}, output, scope: currentScope(), site: captureSite(), order: nextOrder(), pull };
  return output;
}

function hasWrittenGradient(op: Op, inputs: readonly Value[]): boolean {
  return op.formula.inputs.every((name, number) => !inputs[number]?.requiresGrad || op.gradient[name] !== undefined);
}

/** A composite without a gradient of its own is recorded statement by statement. */
function applyParts(op: Op, parts: readonly Op[], inputs: readonly Value[], attributes: Attributes, options: ApplyOptions): Value {
  return withScope(op.name, () => {
    const values = new Map(op.formula.inputs.map((name, number) => [name, inputs[number]!]));
    const float = options.float ?? storedAs(op, inputs) ?? floatOf(inputs);
    const between = float === "bfloat16" ? "float32" : float;
    let result: Value | undefined;
    const { target } = op.formula.statements[op.formula.statements.length - 1]!;
    parts.forEach((part, number) => {
      const isLast = number === parts.length - 1;
      const partInputs = part.formula.inputs.map((name) => values.get(name)!);
      const own = isLast ? options.resultShape : options.resultShape && shapeOfPart(part, target, options.resultShape);
      result = apply(part, partInputs, attributes, {
        resultShape: own,
        dtype: isLast ? options.dtype : undefined,
        float: isLast ? float : between,
        like: options.like,
      });
      values.set(part.formula.statements[0]!.target, result);
    });
    return result as Value;
  });
}

/** The same elements under another shape, unrecorded. */
export function view(input: Value, shape: readonly number[]): Value {
  if (sizeOfShape(shape) !== input.size)
    throw new InputError(`reshape: ${input.size} elements of shape ${shapeText(input.shape)} do not fill ${shapeText(shape)}`);
  const { mapping } = input;
  if (mapping !== undefined) return mapped(view(mapping.whole, [mapping.level.size, ...shape]), mapping.level);
  const trace = currentTrace();
  if (trace === undefined) return input.make(input.share(), shape, input.dtype);
  return trace.view(input, input.make(undefined, shape, input.dtype));
}

function run(op: Op, inputs: readonly Value[], attributes: Attributes, options: ApplyOptions): Value {
  const like = inputs[0] ?? (options.like as Value);
  const found = prepare(op, inputs, attributes, options);
  const params = op.formula.params.map((name): number | LiveNumber => {
    const value = attributes[name] ?? op.defaults[name];
    if (value instanceof LiveNumber) return value;
    if (typeof value !== "number")
      throw new InputError(`${op.name}: ${name} must be a number, got ${value === undefined ? "nothing" : `[${value}]`}`);
    if (op.params[name] === "int" && !isHeldBy("int32", value))
      throw new InputError(`${op.name}: ${name} must be an integer that int32 holds, got ${value}`);
    return value;
  });
  return execute(op.name, found, inputs, params, like);
}

function execute(name: string, found: Prepared, inputs: readonly Value[], params: readonly (number | LiveNumber)[], like: Value): Value {
  const others = levelsOfRandom(found.program);
  // Most ops run outside of any vmap, and small ones take no longer than this.
  if (innermost(inputs, others) === undefined) return executeAll(found, inputs, params, like);
  const all = allExamples(name, found, inputs, others);
  return all.levels.reduceRight(mapped, executeAll(all.found, all.inputs, params, like));
}

/**
 * The program for all examples of the vmaps that inputs are mapped over, the tensors of all of them, and the vmaps,
 * innermost first.
 */
function allExamples(
  name: string,
  one: Prepared,
  mappedInputs: readonly Value[],
  others: readonly Level[],
): { readonly found: Prepared; readonly inputs: readonly Value[]; readonly levels: readonly Level[] } {
  let [found, inputs, inside] = [one, mappedInputs, others];
  const levels: Level[] = [];
  for (let level = innermost(inputs, inside); level !== undefined; level = innermost(inputs, inside)) {
    const current = level;
    const isMapped = inputs.map((input) => input.mapping?.level === current);
    found = batchedOf(name, found, isMapped, current.size, inside.includes(current));
    inputs = inputs.map((input) => (input.mapping?.level === current ? input.mapping.whole : input));
    inside = inside.filter((other) => other !== current);
    levels.push(current);
  }
  return { found, inputs, levels };
}

function executeAll(found: Prepared, inputs: readonly Value[], params: readonly (number | LiveNumber)[], like: Value): Value {
  const trace = currentTrace();
  if (trace !== undefined) return trace.run(found.program, inputs, params, (shape, dtype) => like.make(undefined, shape, dtype));
  if (found.size === 0) return like.make(allocate(found.dtype, 0), found.shape, found.dtype);
  found.executable ??= found.backend.compile(planProgram(found.program, found.backend.facts));
  const { backend } = found;
  const buffers = inputs.map((input) => input.bufferFor(backend));
  const numbers = params.map((param) => (typeof param === "number" ? param : param.read()));
  const [result] = found.executable.run(buffers, NO_CELLS, numbers) as [BackendBuffer];
  return like.make(numbersOf(result, backend), found.shape, found.dtype);
}

/** What a program gave, for a tensor to hold. */
export function numbersOf(result: BackendBuffer, backend: Backend): Numbers {
  return backend.memory === "host" ? (result as HostArray) : new Held(result as Cell, backend);
}

/** The vmaps that run, for a program that draws random numbers: each example gets its own. */
function levelsOfRandom(program: Program): readonly Level[] {
  const running = runningLevels();
  return running.length > 0 && isRandom(program) ? running : [];
}

function batchedOf(name: string, found: Prepared, isMapped: readonly boolean[], size: number, drawsOwn: boolean): Prepared {
  const key = `${size}:${isMapped.map(Number).join("")}${drawsOwn ? "!" : ""}`;
  let batch = found.batched.get(key);
  if (batch === undefined) {
    const program = batchProgram(found.program, isMapped, size, drawsOwn);
    for (const { nest } of program.operations) requireReach(nest);
    const { shape, dtype } = program.buffers[program.result]!;
    if (sizeOfShape(shape) > LARGEST_INT)
      throw new ShapeError(`vmap: ${name} would make a tensor of shape ${shapeText(shape)}, more than ${LARGEST_INT} elements`, {
        hint: "map over fewer examples at a time",
      });
    batch = { program, batched: new Map(), executable: undefined, backend: found.backend, shape, dtype, size: sizeOfShape(shape) };
    if (found.batched.size >= BATCHES_KEPT) found.batched.delete(found.batched.keys().next().value as string);
    found.batched.set(key, batch);
  }
  return batch;
}

function prepare(op: Op, inputs: readonly Value[], attributes: Attributes, options: ApplyOptions): Prepared {
  const { resultShape, dtype: given } = options;
  const float = options.float ?? (given === undefined ? storedAs(op, inputs) : undefined);
  let cache = prepared.get(op);
  if (cache === undefined) {
    cache = new Map();
    prepared.set(op, cache);
  }
  const backend = backendFor(given === undefined ? inputs : [...inputs, { dtype: given }]);
  let key = backend.key;
  for (const input of inputs) key += `|${input.signature}`;
  for (const size of op.formula.sizes) key += `,${attributes[size] ?? op.defaults[size]}`;
  for (const list of op.formula.lists) key += `@${attributes[list]}`;
  if (resultShape !== undefined) key += `>${resultShape.join("x")}`;
  if (given !== undefined) key += `:${given}`;
  if (float !== undefined) key += `~${float}`;
  const known = cache.get(key);
  if (known !== undefined) return known;

  const names = op.formula.inputs;
  if (names.length !== inputs.length)
    throw new InputError(
      `${op.name} takes ${names.length} tensor${names.length === 1 ? "" : "s"} (${names.join(", ")}), got ${inputs.length}`,
    );
  const sizes: Record<string, number> = {};
  const lists: Record<string, readonly number[]> = {};
  for (const size of op.formula.sizes) {
    const value = attributes[size] ?? op.defaults[size];
    if (typeof value === "number") sizes[size] = value;
  }
  for (const list of op.formula.lists) {
    const value = attributes[list];
    if (Array.isArray(value)) lists[list] = value as readonly number[];
  }
  const program = bind(op.formula, {
    name: op.name,
    sizes,
    lists,
    params: op.params,
    axisNames: op.axisNames,
    ...(resultShape === undefined ? {} : { resultShape }),
    ...(given === undefined ? {} : { dtype: given }),
    ...(float === undefined ? {} : { float }),
    inputs: Object.fromEntries(names.map((name, number) => [name, { dtype: inputs[number]!.dtype, shape: inputs[number]!.shape }])),
  });
  const { shape, dtype } = program.buffers[program.result]!;
  const made: Prepared = { program, batched: new Map(), executable: undefined, backend, shape, dtype, size: sizeOfShape(shape) };
  if (cache.size >= KEPT_PER_OP) cache.delete(cache.keys().next().value as string);
  cache.set(key, made);
  return made;
}

/** The error with the layer path and the user's line, once. */
export function located(error: unknown): unknown {
  if (!(error instanceof KasaneError) || error.where !== undefined) return error;
  const place = [currentScope().join("."), callSite(error.stack) ?? ""].filter((part) => part !== "").join(", ");
  return place === "" ? error : error.at(place);
}
