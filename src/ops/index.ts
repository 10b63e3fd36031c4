// The catalogue of ops: every row, by name, with an example.

export * from "./catalogue.ts";
export { makeOp, type Op, type OpDoc, type OpKind, type OpOptions } from "./op.ts";
