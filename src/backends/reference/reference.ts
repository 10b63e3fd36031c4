// The reference backend: interprets bound programs in plain loops; the definition of correct, and the only one with float64.

import { printGraph } from "../../compiler/index.ts";
import { requireLength } from "../../nest/arrays.ts";
import { evaluateProgram, sizeOfShape } from "../../nest/evaluate.ts";
import type { Backend } from "../backend.ts";
import { HostCell, referenceStep } from "./step.ts";

export const referenceBackend: Backend = {
  name: "reference",
  key: "reference",
  threads: 1,
  description: "reference: interprets each formula in plain loops, in double precision, rounding where values are stored",
  dtypes: new Set(["float32", "float64", "bfloat16", "int32", "uint8", "bool"]),
  compile(program) {
    const lengths = program.inputs.map((_, number) => sizeOfShape(program.buffers[number]!.shape));
    return {
      run(inputs, params) {
        inputs.forEach((values, number) => requireLength(values, lengths[number]!));
        return evaluateProgram(program, inputs, params);
      },
      listing: () =>
        program.steps
          .map((step) => `${step.nest.name}: ${step.nest.axes.map((axis) => `${axis.name}<${axis.extent}`).join(" ")}`)
          .join("\n"),
    };
  },
  compileStep: (graph) => referenceStep(graph, () => printGraph(graph)),
  makeCell: (operand) => new HostCell(operand),
};
