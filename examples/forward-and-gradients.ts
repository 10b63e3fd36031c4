// The textbook's 3-2-1 network: forward with ReLU, forward with sigmoid, and the gradients of both weights.

import { linear, parameter, relu, sigmoid, tensor } from "kasane";

const x = [[2, 3, 1]];
const w1 = [
  [3, 1, 2],
  [-2, -3, -1],
];
const w2 = [[3, 2]];
const target = 20;
const row = (values: ArrayLike<number | string>): string => `[${Array.from(values).join(", ")}]`;

console.log("ReLU in the hidden layer");
const u1 = linear(tensor(x), tensor(w1));
const h1 = relu(u1);
const y = linear(h1, tensor(w2));
console.log(`  u1 = ${row(u1.data)}`);
console.log(`  h1 = ${row(h1.data)}`);
console.log(`  y  = ${y.item()}`);
console.log(`  squared error for t = ${target}: ${y.sub(target).square().item()}`);

console.log("sigmoid in both layers");
const options = { dtype: "float64" } as const;
const first = parameter(tensor(w1, options));
const second = parameter(tensor(w2, options));
const output = sigmoid(linear(sigmoid(linear(tensor(x, options), first)), second));
console.log(`  y = ${output.item().toFixed(8)}`);
output.sub(target).square().sum().backward();
// Two digits of exponent, as the textbook prints them.
const scientific = (value: number): string => value.toExponential(8).replace(/e([+-])(\d)$/, "e$10$2");
const printed = (values: ArrayLike<number>): string => row(Array.from(values, scientific));
console.log(`  dL/dW2 = ${printed(second.grad?.data ?? [])}`);
console.log(`  dL/dW1 = ${printed(first.grad?.slice(0).data ?? [])}`);
console.log(`           ${printed(first.grad?.slice(1).data ?? [])}`);
