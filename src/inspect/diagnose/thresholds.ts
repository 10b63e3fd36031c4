// From where on something is a finding. Each number with its reason; all can be changed.

/** The limits of a diagnosis. */
export interface Thresholds {
  /** Gradients vanish when the first weights' gradient is smaller than this share of the last weights'. 0.001 is five layers of sigmoids at their best (0.25 each). */
  readonly vanishing: number;
  /** They explode when it is this many times larger, or when a gradient is this many times its weights. */
  readonly exploding: number;
  /** Share of a layer's units that never answered in the last steps. Some always die in narrow layers (Lu et al. 2019). */
  readonly deadUnits: number;
  /** Share of a sigmoid's or tanh's outputs where its derivative is below a tenth of the largest. */
  readonly saturated: number;
  /** Norm of an update by norm of the weights: about 0.001 is usual (Karpathy 2015); above this a few steps replace the weights. */
  readonly updateHigh: number;
  /** A single early step longer than the weights themselves, as a share of their norm. */
  readonly replaced: number;
  /** Below this thousands of steps change nothing. */
  readonly updateLow: number;
  /** A loss that ends this many times above where it began diverged. */
  readonly diverged: number;
  /** Total growth, or shrinkage, of the outputs' standard deviation through the weight layers at the first step (Glorot & Bengio 2010). */
  readonly growth: number;
  /** Largest mean or standard deviation of a feature (LeCun et al. 1998: about 0 and 1). */
  readonly inputScale: number;
  /** Largest class by smallest class. */
  readonly imbalance: number;
  /** Share of samples that a good model (accuracy above 0.8) holds, with more than 0.9, for another class (Northcutt et al. 2021). */
  readonly labelErrors: number;
  /** Validation loss by its smallest, while the training loss still fell. */
  readonly overfitting: number;
  /** A run learned nothing when its loss stays above this share of the first. */
  readonly notLearning: number;
  /** Change of the loss over the last half of the epochs, as a share of the first loss, below which it stands still. */
  readonly plateau: number;
  /** Steps that must be recorded before trends mean anything. */
  readonly steps: number;
}

/** What is used where nothing else is given. */
export const THRESHOLDS: Thresholds = {
  vanishing: 1e-3,
  exploding: 1e3,
  deadUnits: 0.4,
  saturated: 0.6,
  updateHigh: 0.2,
  replaced: 1,
  updateLow: 1e-5,
  diverged: 1.5,
  growth: 100,
  inputScale: 20,
  imbalance: 10,
  labelErrors: 0.02,
  overfitting: 1.3,
  notLearning: 0.95,
  plateau: 0.01,
  steps: 8,
};
