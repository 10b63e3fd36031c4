// The thresholds of the rules, each with its reason; all can be changed.

/** The limits of a diagnosis. */
export interface Thresholds {
  /**
   * Gradients vanish when the first weights' gradient is smaller than this share of the last weights'. 0.001 is five
   * layers of sigmoids at their best (0.25 each).
   */
  readonly vanishing: number;
  /** They explode when it is this many times larger, or when a gradient is this many times its weights. */
  readonly exploding: number;
  /**
   * Share of a layer's units that never answered in the last steps. Some always die in narrow layers (Lu et al. 2019).
   */
  readonly deadUnits: number;
  /**
   * The same where the loss is well below that of a model that knows nothing: layers after positive inputs lose many
   * units at their first weights, and learn all the same.
   */
  readonly mostlyDead: number;
  /** Share of a sigmoid's or tanh's outputs where its derivative is below a tenth of the largest. */
  readonly saturated: number;
  /**
   * Norm of an update by norm of the weights: about 0.001 is usual (Karpathy 2015); above this a few steps replace the
   * weights.
   */
  readonly updateHigh: number;
  /** A single early step longer than the weights themselves, as a share of their norm. */
  readonly replaced: number;
  /** Below this thousands of steps change nothing. */
  readonly updateLow: number;
  /**
   * A loss that ends this many times above where it began, and above the loss of a model that knows nothing, diverged.
   */
  readonly diverged: number;
  /**
   * A loss that rises by this share of the loss of a model that knows nothing lost what was learned. Single hard
   * batches of a good model stay below a tenth.
   */
  readonly rose: number;
  /**
   * A tenth of the rate is better when it makes the loss smaller by this share of the loss of a model that knows
   * nothing; some gain is usual, which is what schedules live on.
   */
  readonly bettered: number;
  /** Share of a layer's units that answered in the first steps, and that steps have silenced since. */
  readonly silenced: number;
  /**
   * Total growth, or shrinkage, of the outputs' standard deviation through the weight layers at the first step (Glorot
   * & Bengio 2010).
   */
  readonly growth: number;
  /** Largest mean or standard deviation of a feature (LeCun et al. 1998: about 0 and 1). */
  readonly inputScale: number;
  /** Largest class by smallest class. */
  readonly imbalance: number;
  /**
   * Share of samples that a good model (accuracy above 0.8) holds, with more than 0.9, for another class (Northcutt et
   * al. 2021).
   */
  readonly labelErrors: number;
  /** Validation loss by its smallest, while the training loss still fell. */
  readonly overfitting: number;
  /** A run learned nothing when its loss stays above this share of the loss of a model that knows nothing. */
  readonly notLearning: number;
  /** Above this share most is left to learn: a loss that stands still there is worth a word. */
  readonly notLearned: number;
  /**
   * Change of the loss over the last half of the epochs, as a share of the loss of a model that knows nothing, below
   * which it stands still.
   */
  readonly plateau: number;
  /**
   * A first loss so many times that of a model that knows nothing is sure and wrong: initial weights too large. Usual
   * ones give 1 to 1.5 times.
   */
  readonly sureAtFirst: number;
  /** Where, besides, a weight's outputs are so many times its inputs: He initialization gives 1.4, Xavier 1. */
  readonly gain: number;
  /**
   * By how much of the loss of a model that knows nothing the true targets must be learned sooner than shuffled ones.
   */
  readonly gap: number;
  /**
   * Labels are noisy when a model that is at least this sure, where it is surest, finds fewer of them right than
   * `noisyLabels`.
   */
  readonly noisyLabels: number;
  /** Share of the held-out samples that may be training samples, beyond chance. */
  readonly duplicates: number;
  /** Steps that must be recorded before trends mean anything. */
  readonly steps: number;
}

/** What is used where nothing else is given. */
export const THRESHOLDS: Thresholds = {
  vanishing: 1e-3,
  exploding: 1e3,
  deadUnits: 0.4,
  mostlyDead: 0.75,
  saturated: 0.6,
  updateHigh: 0.2,
  replaced: 1,
  updateLow: 1e-5,
  diverged: 1.5,
  rose: 0.3,
  bettered: 0.15,
  silenced: 0.5,
  growth: 100,
  inputScale: 20,
  imbalance: 10,
  labelErrors: 0.02,
  overfitting: 1.3,
  notLearning: 0.95,
  notLearned: 0.5,
  plateau: 0.01,
  sureAtFirst: 4,
  gain: 2,
  gap: 0.03,
  noisyLabels: 0.85,
  duplicates: 0.02,
  steps: 8,
};
