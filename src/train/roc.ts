// The area under the ROC curve, from predictions counted in bins.

import { InputError } from "../util/errors.ts";
import { checkOptions } from "../util/options.ts";
import { eachPair, type Metric } from "./metrics.ts";

/** How predictions are read and sorted. */
export interface RocAucOptions {
  /** Into how many equal parts probabilities are sorted. Default 4096. */
  readonly bins?: number;
  /** What predictions are: "logits" (default), which sigmoid turns into probabilities, or "probabilities". */
  readonly from?: "logits" | "probabilities";
}

/**
 * Area under the ROC curve: the probability that a sample of target 1 has a larger prediction than one of target 0,
 * ties counting half. prediction and target: as many elements each, targets 0 and 1. Predictions are counted in bins,
 * so that the sums are of fixed size; samples that share a bin count as ties, and the result is off by at most half the
 * share of such pairs. NaN unless both targets occur. Hanley & McNeil 1982.
 * @throws InputError when an option is out of range; when added to, for targets other than 0 and 1 and for NaN
 */
export function rocAuc(options: RocAucOptions = {}): Metric<"rocAuc"> {
  const { bins = 4096, from = "logits" } = checkOptions<RocAucOptions>("rocAuc", options, { bins: true, from: true });
  if (!Number.isInteger(bins) || bins < 2) throw new InputError(`rocAuc: bins must be a whole number of at least 2, got ${bins}`);
  return {
    name: "rocAuc",
    better: "larger",
    sums: 2 * bins,
    add(sums, prediction, target) {
      let n = -1;
      eachPair("rocAuc", prediction, target, (value, wanted) => {
        n++;
        if (wanted !== 0 && wanted !== 1) throw new InputError(`rocAuc: expected targets 0 and 1, got ${wanted} at position ${n}`);
        const probability = from === "logits" ? 1 / (1 + Math.exp(-value)) : value;
        if (!(probability >= 0 && probability <= 1))
          throw new InputError(
            `rocAuc: expected ${from === "logits" ? "numbers" : "probabilities from 0 to 1"}, got ${value} at position ${n}`,
          );
        sums[wanted * bins + Math.min(bins - 1, Math.floor(probability * bins))]! += 1;
      });
    },
    value(sums) {
      let [below, pairs, positives] = [0, 0, 0];
      for (let bin = 0; bin < bins; bin++) {
        const [negative, positive] = [sums[bin]!, sums[bins + bin]!];
        pairs += positive * (below + negative / 2);
        below += negative;
        positives += positive;
      }
      return below * positives === 0 ? Number.NaN : pairs / (below * positives);
    },
  };
}
