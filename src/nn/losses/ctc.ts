// Connectionist temporal classification: the likelihood of a short label sequence under many predictions.

import { INTEGER_RANGES } from "../../nest/integers.ts";
import { full, tensor } from "../../tensor/create.ts";
import { concat, stack, where } from "../../tensor/functions/index.ts";
import { valueOf } from "../../tensor/tensor.ts";
import { requireElements } from "../../tensor/trace/trace.ts";
import type { Tensor } from "../../tensor/types.ts";
import { InputError, ShapeError } from "../../util/errors.ts";
import { checkOptions } from "../../util/options.ts";
import { shapeText } from "../../util/shape-text.ts";
import { type Lengths, lengthsOf } from "../lengths.ts";
import { checkLogProbabilities, LOSS, type Loss, type LossOptions, reduce } from "./reduction.ts";

/** Reduction and special cases of CTC. */
export interface CtcOptions extends LossOptions {
  /** The class that means "no label". Default 0. */
  readonly blank?: number;
  /** A sample whose labels do not fit into its time has loss 0 and no gradient, in place of infinity. Default false. */
  readonly zeroInfinity?: boolean;
}

/** log 0 that stays finite in sums; anything beyond half of it is "impossible". */
const NEVER = -1e30;

/**
 * −log of the summed probability of all ways to spread the labels over time, with blanks between. The mean divides each
 * sample by its number of labels first, as PyTorch does. An infinite loss has no gradient. Forward variables in log
 * space; the gradient is that of the recurrence. Graves et al. 2006.
 * @param logProbabilities [batch, time, classes], after logSoftmax
 * @param targets labels [batch, most labels], what is beyond a sample's length is not read
 * @param lengths of each sample: how many steps of time, how many labels [batch]
 * @throws ShapeError when the shapes do not fit; InputError when a length or label is out of range or a label is the
 * blank
 */
export function ctcLoss<const Options extends CtcOptions = Record<never, never>>(
  logProbabilities: Tensor,
  targets: Tensor,
  lengths: { readonly time: Lengths; readonly labels: Lengths },
  options?: Options,
): Loss<Options> {
  const {
    blank = 0,
    zeroInfinity = false,
    reduction = "mean",
  } = checkOptions<CtcOptions>("ctcLoss", options, { ...LOSS, blank: true, zeroInfinity: true });
  checkOptions<typeof lengths>("ctcLoss: lengths", lengths, { time: true, labels: true });
  valueOf(targets, "ctcLoss");
  const [batch, time, classes] = checkShapes(logProbabilities, targets);
  checkLogProbabilities("ctcLoss", logProbabilities);
  const most = targets.shape[1]!;
  const steps = lengthsOf("ctcLoss", lengths.time, { called: "lengths.time", batch, least: 1, most: time }).to("int32");
  const counts = lengthsOf("ctcLoss", lengths.labels, { called: "lengths.labels", batch, least: 0, most }).to("int32");
  checkLabels(targets, counts, classes, blank);
  // Labels with blanks between and around: [batch, 2·most + 1].
  const blanks = full([batch, most], blank, { dtype: "int32" });
  const spread = concat(
    [stack([blanks, targets.to("int32")], 2).reshape([batch, 2 * most]), full([batch, 1], blank, { dtype: "int32" })],
    1,
  );
  const size = 2 * most + 1;
  // From s − 2 only to another label, not to a blank.
  const skips = spread
    .notEqual(blank)
    .logicalAnd(
      concat([full([batch, Math.min(2, size)], blank, { dtype: "int32" }), spread.slice(null, [0, Math.max(0, size - 2)])], 1).notEqual(
        spread,
      ),
    );
  const at = tensor(
    Int32Array.from({ length: size }, (_, s) => s),
    [1, size],
  );
  // What is beyond a sample's labels is not read: its probabilities may be anything.
  const last = counts.mul(2).reshape([batch, 1]);
  const ids = where(spread.less(0).logicalOr(spread.greaterEqual(classes)).logicalOr(at.greater(last)), blank, spread);
  const emitted = logProbabilities.gather(ids.reshape([batch, 1, size]).broadcastTo([batch, time, size]), 2).maximum(NEVER);
  const later = (log: Tensor, by: number): Tensor => log.pad([[by, 0]], NEVER).slice(null, [0, size]);
  const start = emitted.slice(null, 0);
  let reached = where(at.less(2).broadcastTo([batch, size]), start, NEVER);
  for (let t = 1; t < time; t++) {
    const ways = [reached, later(reached, 1), where(skips, later(reached, 2), NEVER)];
    const next = logSumOf(ways).add(emitted.slice(null, t));
    reached = where(steps.greater(t).reshape([batch, 1]), next, reached);
  }
  const ends = at.equal(last).logicalOr(at.equal(last.sub(1)));
  const likelihood = logSumOf(Array.from({ length: size }, (_, s) => where(ends.slice(null, s), reached.slice(null, s), NEVER)));
  // Not the other way round: a NaN is no impossible sample.
  const impossible = likelihood.lessEqual(NEVER / 2);
  const losses = where(impossible, zeroInfinity ? 0 : Number.POSITIVE_INFINITY, where(impossible, 0, likelihood).neg());
  if (reduction !== "mean") return reduce("ctcLoss", losses, options);
  return losses.div(counts.maximum(1).to("float32")).mean() as Loss<Options>;
}

/** log Σ e^x of tensors of one shape, finite where all are NEVER. */
function logSumOf(parts: readonly Tensor[]): Tensor {
  const largest = parts.reduce((a, b) => a.maximum(b)).detach();
  return parts
    .map((part) => part.sub(largest).exp())
    .reduce((a, b) => a.add(b))
    .log()
    .add(largest);
}

function checkShapes(logProbabilities: Tensor, targets: Tensor): [batch: number, time: number, classes: number] {
  const { shape } = valueOf(logProbabilities, "ctcLoss");
  const [batch = 0, time = 0, classes = 0] = shape;
  if (shape.length !== 3 || targets.rank !== 2 || targets.shape[0] !== batch)
    throw new ShapeError(
      `ctcLoss: expected log-probabilities [batch, time, classes] and labels [batch, most labels], got ${shapeText(shape)} and ${shapeText(targets.shape)}`,
    );
  if (logProbabilities.size === 0) throw new InputError(`ctcLoss: the batch is empty: log-probabilities have shape ${shapeText(shape)}`);
  return [batch, time, classes];
}

/** In place of what is beyond a sample's labels: no class has this number. */
const UNREAD = INTEGER_RANGES.int32[0];

function checkLabels(targets: Tensor, counts: Tensor, classes: number, blank: number): void {
  if (!Number.isInteger(blank) || blank < 0 || blank >= classes)
    throw new InputError(`ctcLoss: blank must be a class from 0 to ${classes - 1}, got ${blank}`);
  const most = targets.shape[1]!;
  const place = tensor(
    Int32Array.from({ length: most }, (_, n) => n),
    [1, most],
  );
  const read = where(place.less(counts.reshape([-1, 1])), targets.detach(), UNREAD);
  requireElements(
    valueOf(read),
    { least: 0, most: classes - 1, whole: true, except: blank, also: UNREAD },
    (label, n) =>
      new InputError(
        `ctcLoss: label ${label} of sample ${Math.floor(n / most)} ${label === blank ? "is the blank" : `is out of range: expected 0 to ${classes - 1}`}`,
      ),
  );
}
