// Update rules of optimizers, one formula per quantity: w weight, g gradient, v velocity, m and s moments.

import { update } from "./op.ts";

export const sgd = update("sgd", "y = w - rate * g", {
  params: { rate: "float" },
  doc: { en: "Gradient descent.", ja: "勾配降下法", source: "textbook, gradient descent" },
});
export const sgdDecay = update("sgdDecay", "y = w - rate * (g + decay * w)", {
  params: { rate: "float", decay: "float" },
  doc: { en: "Gradient descent with weight decay.", source: "textbook, gradient descent" },
});
export const sgdVelocity = update("sgdVelocity", "y = momentum * v + (1 - dampening) * (g + decay * w)", {
  params: { momentum: "float", dampening: 0, decay: 0 },
  doc: { en: "Velocity of momentum SGD.", ja: "モーメンタム SGD の速度", source: "Sutskever et al. 2013, as PyTorch defines it" },
});
export const sgdMomentum = update("sgdMomentum", "y = w - rate * v", {
  params: { rate: "float" },
  doc: { en: "Step along the velocity.", ja: "速度に沿った一歩（モーメンタム）" },
});
export const sgdNesterov = update("sgdNesterov", "y = w - rate * (g + decay * w + momentum * v)", {
  params: { rate: "float", momentum: "float", decay: 0 },
  doc: { en: "Step along the gradient and the new velocity.", source: "Nesterov 1983, as PyTorch defines it" },
});
// fresh1 = 1 − beta1 and fresh2 = 1 − beta2 come from outside: in single precision 1 − 0.999 keeps only five digits.
export const adamFirst = update("adamFirst", "y = beta1 * m + fresh1 * (g + decay * w)", {
  params: { beta1: 0.9, fresh1: 0.1, decay: 0 },
  doc: { en: "Adam's running mean of the gradient.", source: "Kingma & Ba 2014" },
});
export const adamSecond = update("adamSecond", "y = beta2 * s + fresh2 * (g + decay * w) ^ 2", {
  params: { beta2: 0.999, fresh2: 0.001, decay: 0 },
  doc: { en: "Adam's running mean of the squared gradient.", source: "Kingma & Ba 2014" },
});
export const adamStep = update(
  "adamStep",
  "y = w * (1 - rate * shrink) - rate * sqrt(correction2) / correction1 * m / (sqrt(s) + epsilon * sqrt(correction2))",
  {
    params: { rate: "float", shrink: 0, correction1: "float", correction2: "float", epsilon: 1e-8 },
    doc: {
      en: "Adam's step with bias correction, in the order that divides once per weight (section 2 of the paper); shrink is AdamW's decoupled weight decay.",
      ja: "Adam の一歩",
      source: "Kingma & Ba 2014; Loshchilov & Hutter 2017",
    },
  },
);

// Steps of the other optimizers. Their running means of gradients and squares are adamFirst and adamSecond, their
// velocities sgdVelocity.
export const squaresSum = update("squaresSum", "y = s + (g + decay * w) ^ 2", {
  params: { decay: 0 },
  doc: { en: "AdaGrad's sum of all squared gradients.", source: "Duchi et al. 2011" },
});
export const rmsDirection = update("rmsDirection", "y = (g + decay * w) / (sqrt(s) + epsilon)", {
  params: { decay: 0, epsilon: 1e-8 },
  doc: {
    en: "The gradient divided by the root of its mean (RMSprop) or sum (AdaGrad) of squares.",
    source: "Hinton 2012; Duchi et al. 2011",
  },
});
// The difference of the mean square and the squared mean would lose its digits, and its sign, where the gradient hardly
// changes.
export const rmsVariance = update("rmsVariance", "y = alpha * (v + fresh * (g + decay * w - m) ^ 2)", {
  params: { alpha: 0.99, fresh: 0.01, decay: 0 },
  doc: {
    en: "Running variance of the gradient about its running mean m, as it was before this step: what centered RMSprop divides by.",
    source: "Graves 2013; the recurrence of Welford 1962 with fading weights",
  },
});
export const adaDeltaDirection = update("adaDeltaDirection", "y = sqrt(a + epsilon) / sqrt(s + epsilon) * (g + decay * w)", {
  params: { decay: 0, epsilon: 1e-6 },
  doc: { en: "The gradient scaled by the root mean squares of past steps and of gradients.", source: "Zeiler 2012" },
});
export const adamaxNorm = update("adamaxNorm", "y = max(beta2 * u, abs(g + decay * w) + epsilon)", {
  params: { beta2: 0.999, decay: 0, epsilon: 1e-8 },
  doc: { en: "Adamax's fading largest gradient.", source: "Kingma & Ba 2014, section 7" },
});
export const adamaxStep = update("adamaxStep", "y = w - rate / correction1 * m / u", {
  params: { rate: "float", correction1: "float" },
  doc: { en: "Adam's step with the largest gradient in place of the mean square.", source: "Kingma & Ba 2014, section 7" },
});
export const nAdamStep = update("nAdamStep", "y = w - (now * (g + decay * w) + next * m) / (sqrt(s) / sqrt(correction2) + epsilon)", {
  params: { now: "float", next: "float", decay: 0, correction2: "float", epsilon: 1e-8 },
  doc: { en: "Adam's step that looks ahead along the momentum.", source: "Dozat 2016" },
});
export const rAdamStep = update("rAdamStep", "y = w - rectified * m / (sqrt(s) + epsilon) - plain * m", {
  params: { rectified: "float", plain: "float", epsilon: 1e-8 },
  doc: { en: "Adam's step while the variance of its denominator is known, momentum's before.", source: "Liu et al. 2020" },
});
export const lionStep = update("lionStep", "y = w * (1 - rate * shrink) - rate * sign(beta1 * m + fresh1 * g)", {
  params: { rate: "float", shrink: 0, beta1: 0.9, fresh1: 0.1 },
  doc: { en: "A step of the same size for every weight, in the direction of the momentum.", source: "Chen et al. 2023" },
});
export const larsVelocity = update("larsVelocity", "y = momentum * v + rate * t * (g + decay * w)", {
  params: { momentum: 0.9, rate: "float", decay: 0 },
  doc: { en: "Velocity of momentum SGD with a rate for the whole tensor, t.", source: "You et al. 2017" },
});
export const lambDirection = update("lambDirection", "y = m / correction1 / (sqrt(s / correction2) + epsilon) + shrink * w", {
  params: { correction1: "float", correction2: "float", epsilon: 1e-6, shrink: 0 },
  doc: { en: "Adam's direction with weight decay, before it is scaled to the size of the weights.", source: "You et al. 2020" },
});
export const scaledStep = update("scaledStep", "y = w * (1 - rate * shrink) - rate * t * v", {
  params: { rate: "float", shrink: 0 },
  doc: { en: "A step along v with a rate for the whole tensor, t, and decoupled weight decay.", source: "You et al. 2020; Jordan 2024" },
});
