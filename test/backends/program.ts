// Helper: a bound program on a backend, its inputs in, its result out.

import type { Backend, HostArray } from "../../src/backends/backend.ts";
import { planProgram } from "../../src/compiler/index.ts";
import type { Program } from "../../src/nest/nest.ts";

export interface CompiledProgram {
  run(inputs: readonly HostArray[], params: readonly number[]): HostArray;
  listing(): string;
}

export function compileProgram(backend: Backend, program: Program): CompiledProgram {
  const executable = backend.compile(planProgram(program, backend.facts));
  return {
    run: (inputs, params) => executable.run(inputs, [], params)[0] as HostArray,
    listing: () => executable.listing(),
  };
}
