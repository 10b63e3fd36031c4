// Softmax and cross entropy of one sample, in the frameworks' convention and in the textbook's, which divides by the number of classes too.

import { softmax, tensor } from "kasane";
import { crossEntropy } from "kasane/nn";

const logits = tensor([[2, 1, 0.1]]);
const target = tensor([0], { dtype: "int32" });
const classes = 3;

const probabilities = softmax(logits);
console.log(
  `softmax of 2, 1, 0.1: ${Array.from(probabilities.data, (p) => p.toFixed(4)).join(", ")}; together ${probabilities.sum().item().toFixed(4)}`,
);
const loss = crossEntropy(logits, target).item();
console.log(`cross entropy, -sum of t log y:       ${loss.toFixed(4)}`);
console.log(`the textbook's, divided by N = ${classes} also: ${(loss / classes).toFixed(4)}`);
