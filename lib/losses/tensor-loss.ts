import { describe, SentenceTorchError } from '../errors.js'
import { leaf, tensor } from '../tensor/functions.js'
import { scope } from '../tensor/scope.js'
import { op, Tensor } from '../tensor/tensor.js'
import type { CustomLossBatch, CustomLossFunction, CustomLossParameter, CustomLossValue } from './computed.js'

/** Further inputs of a loss that is written with tensors. */
export interface TensorLossBatch {
  rows: number
  /** Width of an embedding. */
  dimension: number
  /** int64 [columns × rows], column by column; equal numbers are equal texts. */
  textIds?: Tensor
  /** The loss's own parameters. */
  parameters: Readonly<Record<string, Tensor>>
  /** Whether gradients are wanted: not in an evaluation. */
  training: boolean
}

/**
 * @param embeddings one tensor [rows, dimension] per text column
 * @param labels float32, or int64 of `labels: 'int'`: [rows] or [rows, width]; undefined without labels
 * @returns a tensor with one element
 */
export type TensorLossFunction = (
  embeddings: readonly Tensor[],
  labels: Tensor | undefined,
  batch: TensorLossBatch,
) => Tensor | Promise<Tensor>

/** As a loss with gradients. */
export function ofTensors(
  compute: TensorLossFunction,
  shapes: Readonly<Record<string, CustomLossParameter>>,
): CustomLossFunction {
  return (embeddings, labels, batch) =>
    scope(async (): Promise<CustomLossValue> => {
      const { rows, dimension, training, labelShape, textIds } = batch
      const inputs = embeddings.map((values) => leaf(tensor(values, { shape: [rows, dimension] })))
      const parameters = parametersOf(batch, shapes)
      const loss = await compute(inputs, labels && tensor(labels, { shape: labelShape ?? [rows] }), {
        ...{ rows, dimension, training, parameters },
        ...(textIds && { textIds: tensor(textIds) }),
      })
      if (!(loss instanceof Tensor) || loss.size !== 1) {
        const found = loss instanceof Tensor ? `one of [${loss.shape}]` : describe(loss)
        const message = `The function of Custom.fromTensors must give a tensor with one element, but gave ${found}`
        throw new SentenceTorchError('ERR_INVALID_DATA', message)
      }
      if (!training) return { loss: await loss.item() }
      if (loss.requiresGrad) await loss.backward()
      const [value, gradients, parameterGradients] = await Promise.all([
        loss.item(),
        Promise.all(inputs.map(gradientOf)),
        Promise.all(Object.entries(parameters).map(async ([name, own]) => [name, await gradientOf(own)] as const)),
      ])
      return { loss: value, gradients, parameterGradients: Object.fromEntries(parameterGradients) }
    })
}

function parametersOf(
  batch: CustomLossBatch,
  shapes: Readonly<Record<string, CustomLossParameter>>,
): Record<string, Tensor> {
  const made = Object.entries(batch.parameters).map(([name, values]) => {
    return [name, leaf(tensor(values, { shape: shapes[name]!.shape }))] as const
  })
  return Object.fromEntries(made)
}

/** 0 where the loss did not use it. */
async function gradientOf(input: Tensor): Promise<Float32Array> {
  const gradient = op('grad', [input], input.shape, { options: { orZero: true }, requiresGrad: false })
  return (await gradient.data()) as Float32Array
}
