// One weight goes down its slope: w = 3, gradient 3, learning rate 0.5 gives 1.5; there the gradient is -1 and w goes to 2.

import { parameter, tensor } from "kasane";
import { sgd } from "kasane/optim";

const w = parameter(tensor([3]));
const optimizer = sgd([w], { learningRate: 0.5 });
for (const slope of [3, -1]) {
  const before = w.data[0];
  optimizer.zeroGrad();
  w.mul(slope).sum().backward();
  optimizer.step();
  console.log(`w = ${before}, gradient ${w.grad?.data[0]}, learning rate 0.5: w becomes ${w.data[0]}`);
}
