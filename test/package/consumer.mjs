// A program of somebody who installed the package: run by scripts/check-package.mjs inside an empty project.

import assert from "node:assert/strict";
import { defineOp, linear, parameter, sigmoid, tensor } from "kasane";

// A textbook network: three inputs, two hidden units, one output, squared error against 20.
const first = parameter(
  tensor([
    [3, 1, 2],
    [-2, -3, -1],
  ]),
);
const second = parameter(tensor([[3, 2]]));
const y = sigmoid(linear(sigmoid(linear(tensor([[2, 3, 1]]), first)), second));
y.sub(20).square().mean().backward();
assert.equal(y.item().toFixed(6), "0.952572");
assert.equal(second.grad?.data[0]?.toFixed(4), "-1.7210");

// An operation of one's own.
const swish = defineOp("y = x / (1 + exp(-b * x))");
assert.equal(
  swish(tensor([2]), 1.5)
    .item()
    .toFixed(5),
  (2 / (1 + Math.exp(-3))).toFixed(5),
);

process.stdout.write(`output ${y.item().toFixed(6)}, gradient ${second.grad?.data[0]?.toFixed(4)}, own operation\n`);
