import { invalidArgument } from '../errors.js'
import type { Features } from '../models/features.js'
import { SentenceTransformer } from '../models/sentence-transformer.js'
import { checkInteger, checkOptions } from '../options.js'
import { spaceOf } from '../tensor/space.js'
import { Tensor } from '../tensor/tensor.js'
import { optimizerOf } from './optimizer.js'

export interface ForwardOptions {
  /**
   * Gradient caching: so many texts pass the model at once, and once more in `backward()`. The result is the same; the memory is that of
   * so many texts (Gao et al. 2021, https://arxiv.org/abs/2101.06983). Default: all at once.
   */
  miniBatchSize?: number
}

/**
 * Embeds texts with dropout, as a step of training does. `backward()` of a loss that is made of the result adds to the gradients of the
 * model, which an optimizer trains: it is made before.
 *
 * ```ts
 * const [u, v] = forward(model, [await model.tokenize(anchors), await model.tokenize(positives)])
 * ```
 * @param features of one column: a tensor [texts, dim]; of several, with as many texts each: an array of tensors
 * @throws SentenceTorchError ERR_INVALID_ARGUMENT for features that do not fit, or without an optimizer
 */
export function forward(model: SentenceTransformer, features: Features, options?: ForwardOptions): Tensor
export function forward<const F extends readonly Features[]>(
  model: SentenceTransformer,
  features: F,
  options?: ForwardOptions,
): { -readonly [C in keyof F]: Tensor }
export function forward(
  model: SentenceTransformer,
  features: Features | readonly Features[],
  options: ForwardOptions = {},
): Tensor | Tensor[] {
  if (!(model instanceof SentenceTransformer)) throw invalidArgument('model', 'a SentenceTransformer', model)
  checkOptions('forward', options, ['miniBatchSize'])
  checkInteger('miniBatchSize', options.miniBatchSize, 1)
  const { native } = optimizerOf(model)
  const columns = Array.isArray(features) ? (features as readonly Features[]) : [features as Features]
  const batch = model.packFeatures(columns)
  const rows = (batch.offsets.length - 1) / columns.length
  if (columns.length === 0 || rows === 0) throw invalidArgument('features', 'at least one text', features)
  const mini = options.miniBatchSize !== undefined && { miniBatchRows: options.miniBatchSize }
  const ids = columns.map(() => spaceOf().newId())
  const shape = [rows, model.encoder.embeddingDimension]
  spaceOf().later(ids, (tensors) => native.forward(batch, tensors, ids, { lr: 0, ...mini }))
  const made = ids.map((id) => new Tensor({ id, shape, dtype: 'float32', requiresGrad: true }))
  return Array.isArray(features) ? made : made[0]!
}
