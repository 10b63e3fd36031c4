// The reference backend: interprets programs in plain loops, defines what is correct, and alone has float64.

import { printGraph } from "../../compiler/index.ts";
import type { Backend } from "../backend.ts";
import { processorFacts } from "../processor.ts";
import { HostCell, interpret } from "./interpret.ts";

export const referenceBackend: Backend = {
  name: "reference",
  key: "reference",
  threads: 1,
  description: "reference: interprets each formula in plain loops, in double precision, rounding where values are stored",
  memory: "host",
  dtypes: new Set(["float32", "float64", "bfloat16", "int32", "uint8", "bool"]),
  facts: processorFacts,
  compile: ({ graph }) => ({
    run: (inputs, cells, params, timer) => interpret(graph, inputs, cells, params, timer),
    listing: () => printGraph(graph),
    keep: () => {},
    free: () => {},
    workBytes: 0,
  }),
  makeCell: (operand) => new HostCell(operand),
};
