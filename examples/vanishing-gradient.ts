// Sigmoid's slope is at most 0.25, so every further layer shrinks a gradient to a quarter or less.

import { sigmoid, tensor } from "kasane";

const u = tensor([-2, -1, 0, 1, 2], { requiresGrad: true });
sigmoid(u).sum().backward();
console.log(
  `slope of sigmoid at ${Array.from(u.data).join(", ")}: ${Array.from(u.grad?.data ?? [], (value) => value.toFixed(4)).join(", ")}`,
);
console.log(`largest: ${Math.max(...(u.grad?.data ?? []))}`);

for (const layers of [1, 2, 5, 10]) {
  const start = tensor([0], { requiresGrad: true });
  let value = start.mul(1);
  // Shifted back by its own value, each sigmoid is met where it is steepest.
  for (let layer = 0; layer < layers; layer++) value = sigmoid(value).sub(0.5);
  value.sum().backward();
  console.log(`through ${layers} sigmoid layer${layers === 1 ? "" : "s"} at most ${start.grad?.data[0]} of a gradient is left`);
}
