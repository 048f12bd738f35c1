/**
 * sentence-torch/tensor: training loops and losses written by hand, with tensors. See docs/tensor.md.
 */
export {
  arange,
  binaryCrossEntropyWithLogits,
  type CrossEntropyOptions,
  cat,
  cosineSimilarity,
  crossEntropy,
  eye,
  full,
  mseLoss,
  ones,
  parameter,
  type ReductionOptions,
  rand,
  randn,
  stack,
  type TensorOptions,
  type TensorValues,
  tensor,
  where,
  zeros,
} from '../tensor/functions.js'
export { scope } from '../tensor/scope.js'
export type { Shape, TensorType } from '../tensor/shapes.js'
export { liveTensors, Tensor } from '../tensor/tensor.js'
export { type ForwardOptions, forward } from './forward.js'
export * as optim from './optimizer.js'
export * as schedules from './schedules.js'
