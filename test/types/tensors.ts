// Shapes as types: what must compile, and what must not, with the sentence the compiler prints (checked by sentences.test.ts).

import { compile, type Tensor, tensor, zeros } from "kasane";

const matrix = zeros([2, 3]);
const square = zeros([3, 3]);
declare const batch: Tensor<readonly [number, 784]>;
declare const unknown: Tensor;

export const product: Tensor<readonly [2, 3]> = matrix.matmul(square);
export const hidden: Tensor<readonly [number, 128]> = batch.matmul(zeros([784, 128])).relu();
export const row: Tensor<readonly [2, 3]> = matrix.add(zeros([3]));
export const column: Tensor<readonly [2, 3]> = matrix.mul(zeros([2, 1])).add(1);
export const reshaped: Tensor<readonly [3, 2]> = matrix.reshape([3, 2]);
export const flat: Tensor<readonly [8, 784]> = zeros([8, 1, 28, 28]).flatten();
export const turned: Tensor<readonly [3, 2]> = matrix.transpose();
export const scalar: Tensor<readonly []> = matrix.sum();
export const wide: Tensor = matrix;

// A compiled function has its own types; parameters without one are tensors.
const add = compile((left, right) => left.add(right));
export const added: Tensor = add(matrix, square);
const chosen = compile((x: Tensor, doubled: boolean) => ({ value: doubled ? x.mul(2) : x }));
export const choice: Tensor = chosen(matrix, true).value;

// What the compiler does not know passes.
unknown.matmul(unknown).add(matrix).reshape([-1, 2]);
matrix.matmul(unknown);
tensor([
  [1, 2],
  [3, 4],
]).matmul(matrix);
unknown.add(tensor([1, 2]));

// @ts-expect-error matmul: inner dimensions 3 and 4 differ
matrix.matmul(zeros([4, 5]));
// @ts-expect-error matmul: inner dimensions 784 and 512 differ
batch.matmul(zeros([512, 10]));
// @ts-expect-error cannot broadcast dimensions 3 and 4
matrix.add(zeros([4]));
// @ts-expect-error cannot broadcast dimensions 2 and 3
matrix.mul(square);
// @ts-expect-error reshape: 6 elements do not fill 8
matrix.reshape([2, 4]);
// @ts-expect-error Expected 2 arguments, but got 1
add(matrix);
// @ts-expect-error Argument of type 'number' is not assignable to parameter of type 'boolean'
chosen(matrix, 2);
// @ts-expect-error Type '2' is not assignable to type '5'
export const wrong: Tensor<readonly [5, 3]> = matrix;
