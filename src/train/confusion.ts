// The confusion matrix: how often each class was predicted as each other.

import type { Tensor } from "../tensor/index.ts";
import { InputError } from "../util/errors.ts";
import { checkOptions } from "../util/options.ts";
import { CLASS_COUNT, type ClassCountOptions, eachClass } from "./classes.ts";

/** Precision, recall and F1 of one class. */
export interface ClassReport {
  readonly className: string;
  /** Samples of this class. */
  readonly support: number;
  /** Of what was called this class, the share that is; NaN when nothing was. */
  readonly precision: number;
  /** Of this class, the share that was found; NaN when there is none. */
  readonly recall: number;
}

/** Counts [true class][predicted class], added up over batches. */
export class ConfusionMatrix {
  readonly classNames: readonly string[];
  readonly counts: readonly number[][];

  constructor(classNames: readonly string[]) {
    if (classNames.length === 0) throw new InputError("confusion matrix: expected at least one class, got none");
    this.classNames = classNames;
    this.counts = classNames.map(() => new Array<number>(classNames.length).fill(0));
  }

  /**
   * prediction: [n, classes] or [n, classes, …positions], target: class numbers of the other dimensions, or one-hot of
   * the same shape.
   * @throws ShapeError when the shapes do not fit; InputError for a class out of range or without a name, and for NaN
   */
  add(prediction: Tensor, target: Tensor, options: ClassCountOptions = {}): void {
    checkOptions<ClassCountOptions>("confusion matrix", options, CLASS_COUNT);
    eachClass("confusion matrix", prediction, target, options, (found, wanted) => {
      if (found < 0) throw new InputError("confusion matrix: a prediction is NaN, which is no class");
      const unnamed = Math.max(found, wanted);
      if (unnamed >= this.classNames.length)
        throw new InputError(`confusion matrix: class ${unnamed} has no name: there are ${this.classNames.length} names`);
      this.counts[wanted]![found]! += 1;
    });
  }

  get total(): number {
    return this.counts.reduce((sum, row) => sum + row.reduce((a, b) => a + b, 0), 0);
  }

  get accuracy(): number {
    return this.counts.reduce((sum, row, n) => sum + row[n]!, 0) / this.total;
  }

  /** One report per class, in the order of the class names. */
  classReports(): ClassReport[] {
    return this.classNames.map((className, n) => {
      const support = this.counts[n]!.reduce((a, b) => a + b, 0);
      const called = this.counts.reduce((sum, row) => sum + row[n]!, 0);
      return { className, support, precision: this.counts[n]![n]! / called, recall: this.counts[n]![n]! / support };
    });
  }

  /** The most frequent mistakes, most frequent first. */
  mistakes(limit = 3): { readonly actual: string; readonly predicted: string; readonly count: number }[] {
    const all = this.counts.flatMap((row, actual) =>
      row.flatMap((count, predicted) =>
        actual === predicted || count === 0 ? [] : [{ actual: this.classNames[actual]!, predicted: this.classNames[predicted]!, count }],
      ),
    );
    return all.sort((a, b) => b.count - a.count).slice(0, limit);
  }
}
