// Shapes through recurrent and attention layers as types: what must compile, and what must not.

import { type Tensor, zeros } from "kasane";
import { gru, linear, lstm, multiHeadAttention, rnn, sequential, sinusoidalPositions, transformerEncoder } from "kasane/nn";

declare const x: Tensor<readonly [8, 20, 16]>;
declare const unknown: Tensor;

export const output: Tensor<readonly [8, 20, 32]> = lstm(16, 32)(x);
export const both: Tensor<readonly [8, 20, 64]> = gru(16, 32, { bidirectional: true, layers: 2 })(x);
export const last: Tensor<readonly [8, 32]> = rnn(16, 32, { returns: "last" })(x);
export const classes: Tensor<readonly [8, 2]> = sequential(lstm(16, 32, { returns: "last", bidirectional: true }), linear(64, 2))(x);
export const attended: Tensor<readonly [8, 20, 16]> = multiHeadAttention(16, 4)(sinusoidalPositions(16)(x));
export const encoded: Tensor<readonly [8, 20, 5]> = sequential(transformerEncoder(16, 4), linear(16, 5))(x);
const { hidden, cell } = lstm(16, 32).run(unknown);
lstm(16, 32)(unknown, { lengths: [3, 4], state: { hidden, cell } }).neg();

// @ts-expect-error lstm: expected 4 input features, got 16
lstm(4, 8)(x);
// @ts-expect-error gru: expected [batch, time, features], got 2 dimensions
gru(4, 8)(zeros([3, 4]));
// @ts-expect-error linear: expected 32 input features, got 64
sequential(lstm(16, 32, { bidirectional: true }), linear(32, 2));
// @ts-expect-error multiHeadAttention: expected 8 features, got 16
multiHeadAttention(8, 2)(x);
