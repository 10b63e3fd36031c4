// What optimizers take, by type: parameters in any form; a layer, or a group with a setting that there is not, is told what to do instead.

import { parameter, type Tensor } from "kasane";
import { linear } from "kasane/nn";
import { adam, parameterGroups, sgd } from "kasane/optim";

const net = linear(2, 2);
const weights: readonly Tensor[] = net.parameters();

export const fine = [
  adam(net.parameters()),
  adam(weights, { learningRate: 0.1 }),
  adam(net.namedParameters()),
  adam(new Set(weights)),
  adam([parameter([1])]),
  adam([{ parameters: net.parameters(), weightDecay: 0 }, { parameters: net.namedParameters() }]),
  adam(parameterGroups(net.namedParameters(), [{ match: /bias/, weightDecay: 0 }])),
  sgd(net.parameters(), { learningRate: 0.1 }),
  sgd([{ parameters: weights, momentum: 0.5 }], { learningRate: 0.1 }),
];

// @ts-expect-error pass net.parameters(): the tensors of the layer, not the layer
adam(net);
// @ts-expect-error pass net.parameters(): the tensors of the layer, not the layer
sgd(net, { learningRate: 0.1 });
// @ts-expect-error unknown option weightdecay
adam([{ parameters: weights, weightdecay: 0.1 }]);
