// Update rules of optimizers, one formula per quantity: w weight, g gradient, v velocity, m and s moments.

import { update } from "./op.ts";

export const sgd = update("sgd", "y = w - rate * (g + decay * w)", {
  params: { rate: "float", decay: 0 },
  doc: { en: "Gradient descent with optional weight decay.", ja: "勾配降下法", source: "textbook, gradient descent" },
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
