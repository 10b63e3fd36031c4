// Data that the emitters of loop bodies share.

import type { Nest } from "../../nest/nest.ts";
import type { Evaluator } from "../expressions/evaluator.ts";
import type { FunctionBuilder } from "../language/builder.ts";
import type { LoopPlan } from "./plan.ts";

/** What the writers of loop bodies share. */
export interface LoopContext {
  readonly k: FunctionBuilder;
  readonly e: Evaluator;
  readonly nest: Nest;
  readonly plan: LoopPlan;
}
