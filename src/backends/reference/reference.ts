// The reference backend: interprets bound programs in plain loops; the definition of correct, and the only one with float64.

import { printGraph } from "../../compiler/index.ts";
import { evaluateProgram } from "../../nest/evaluate.ts";
import type { Backend } from "../backend.ts";
import { HostCell, referenceStep } from "./step.ts";

export const referenceBackend: Backend = {
  name: "reference",
  key: "reference",
  threads: 1,
  description: "reference: interprets each formula in plain loops, in double precision, rounding where values are stored",
  dtypes: new Set(["float32", "float64", "bfloat16", "int32", "uint8", "bool"]),
  compile(program) {
    return {
      run: (inputs, params) => evaluateProgram(program, inputs, params),
      listing: () =>
        program.steps
          .map((step) => `${step.nest.name}: ${step.nest.axes.map((axis) => `${axis.name}<${axis.extent}`).join(" ")}`)
          .join("\n"),
    };
  },
  compileStep: (graph) => referenceStep(graph, () => printGraph(graph)),
  makeCell: (operand) => new HostCell(operand),
};
