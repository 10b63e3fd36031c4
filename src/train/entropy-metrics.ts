// Metrics of likelihood: cross entropy and perplexity.

import { crossEntropy as crossEntropyLoss } from "../nn/index.ts";
import { noGrad } from "../tensor/index.ts";
import { checkOptions } from "../util/options.ts";
import { CLASS_COUNT, type ClassCountOptions, classLayout } from "./classes.ts";
import { type Metric, ratio } from "./metrics.ts";

/**
 * Mean cross entropy per sample (position) in nats. prediction: logits [n, classes] or [n, classes, …positions],
 * target: class numbers of the other dimensions, or probabilities of the same shape.
 * @throws when added to: what the loss crossEntropy throws
 */
export function crossEntropy(options: ClassCountOptions = {}): Metric<"crossEntropy"> {
  return entropy("crossEntropy", options, ratio);
}

/**
 * e to the mean cross entropy per position: among how many equally likely classes the model still hesitates, at least 1.
 * Takes what crossEntropy takes.
 * @throws when added to: what the loss crossEntropy throws
 */
export function perplexity(options: ClassCountOptions = {}): Metric<"perplexity"> {
  return entropy("perplexity", options, (sums) => Math.exp(ratio(sums)));
}

function entropy<Name extends string>(name: Name, options: ClassCountOptions, value: Metric["value"]): Metric<Name> {
  const { ignoreIndex } = checkOptions<ClassCountOptions>(name, options, CLASS_COUNT);
  return {
    name,
    better: "smaller",
    sums: 2,
    add(sums, prediction, target) {
      if (prediction.size === 0) return;
      sums[0]! += noGrad(() => crossEntropyLoss(prediction, target, { ...options, reduction: "sum" })).item();
      sums[1]! += classLayout(name, prediction).samples;
      if (ignoreIndex !== undefined) for (const label of target.data) if (label === ignoreIndex) sums[1]! -= 1;
    },
    value,
  };
}
