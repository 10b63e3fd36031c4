// The kinds of arguments that the functions of looking inside take, for checks at their doors.

import { listOf, withFields } from "../util/arguments.ts";

const isText = (value: unknown): boolean => typeof value === "string";
const isNumber = (value: unknown): boolean => typeof value === "number";
const isObject = (value: unknown): boolean => typeof value === "object" && value !== null;
const isFunction = (value: unknown): boolean => typeof value === "function";
const { isArray } = Array;

const explained = { tensor: isObject, position: isArray, reads: isArray } as const;

export const RECORDING = withFields<object>("a recording", { ops: isArray, tensors: isArray, calls: isArray });
export const TENSOR = withFields<object>("a recorded tensor", { id: isNumber, origin: isText, shape: isArray });
export const TENSORS = listOf("a list of recorded tensors", TENSOR);
export const OPS = listOf("a list of recorded ops", withFields<object>("", { op: isObject, path: isText }));
export const ELEMENT = withFields<object>("an explained element", explained);
export const TREE = withFields<object>("an explanation tree", { ...explained, because: isArray });
export const GRAPH = withFields<object>("the graph of a run", { nodes: isArray, edges: isArray, groups: isArray });
export const CURSOR = withFields<object>("a cursor", { ops: isArray, goTo: isFunction });
export const STOP = withFields<object>("a step of a run", { op: isObject, inputs: isArray, output: isObject, formula: isText });
export const PROFILE = withFields<object>("a profile", { kernels: isArray });
export const HISTOGRAM = withFields<object>("a histogram", { low: isNumber, high: isNumber, counts: isArray });
export const EVIDENCE = withFields<object>("evidence", { events: isArray, history: isArray });
export const FINDINGS = listOf("a list of findings", withFields<object>("", { kind: isText, what: isText, advice: isArray }));
export const CURVE = withFields<object>("a curve", { name: isText, points: isArray });
export const CURVES = listOf("a list of curves", CURVE);
export const FAILED = withFields<object>("a step that failed", {
  model: isFunction,
  optimizer: isObject,
  run: isFunction,
});
export const SHAPED = withFields<object>("numbers with their shape", {
  shape: isArray,
  data: isObject,
});
export const OPTIMIZER = withFields<object>("an optimizer", { step: isFunction, stateDict: isFunction });
export const MODEL = withFields<object>("a layer", { namedParameters: isFunction, parameters: isFunction });
