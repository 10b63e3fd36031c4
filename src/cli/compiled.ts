// Compiles what a command looks at: a training's step with a batch, or a module's function with its inputs.

import { type CompileArgument, type CompiledFunction, type CompileResult, compile } from "../tensor/index.ts";
import { batchTensors } from "../train/border.ts";
import { compileStep } from "../train/step.ts";
import { FileError } from "../util/errors.ts";
import { CALL_EXAMPLE } from "./module-exports.ts";
import { openSubject } from "./subject.ts";

type Compiled = CompiledFunction<readonly CompileArgument[], CompileResult>;

/**
 * A compiled function that has run at least once, with arguments for it.
 * @throws FileError when there is none at the path
 */
export async function compiledAt(cwd: string, path: string): Promise<readonly [Compiled, readonly CompileArgument[]]> {
  const subject = await openSubject(cwd, path, "trained");
  if (subject.kind === "training") {
    const { model, data, options } = subject;
    const { x, y } = data.gather(Int32Array.from({ length: Math.min(options.batchSize, data.size) }, (_, n) => n));
    return called(compileStep(model, options) as unknown as Compiled, batchTensors(model, { x, y }, "compile"));
  }
  if (subject.kind === "tensors") throw new FileError(`${path}: it exports tensors, but no function to compile`, { hint: CALL_EXAMPLE });
  const { run, inputs } = subject;
  const compiled = ("steps" in run && "profile" in run ? run : compile(run as never)) as unknown as Compiled;
  if (inputs !== undefined || run !== (compiled as unknown)) return called(compiled, (inputs ?? []) as readonly CompileArgument[]);
  if (compiled.steps.length > 0) return [compiled, []];
  throw new FileError(`${path}: its compiled function was never called, so that its shapes are not known`, { hint: CALL_EXAMPLE });
}

function called(compiled: Compiled, inputs: readonly CompileArgument[]): readonly [Compiled, readonly CompileArgument[]] {
  compiled(...inputs);
  return [compiled, inputs];
}
