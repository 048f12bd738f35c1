import { TimeSlice } from '../data/time-slice.js'
import { SentenceTorchError } from '../errors.js'
import type { SoftmaxLoss } from '../losses/softmax.js'
import { type Embeddings, embeddings } from '../models/embeddings.js'
import type { DenseRows } from './pair-similarities.js'

/** The parameters of `SoftmaxLoss` by name, as in a training result. */
export type SoftmaxHead = Readonly<
  Record<string, { readonly shape: readonly number[]; readonly data: Float32Array } | undefined>
>

type Concatenation = Pick<
  SoftmaxLoss,
  'numLabels' | 'concatenationSentRep' | 'concatenationSentDifference' | 'concatenationSentMultiplication'
>

/**
 * W · [u; v; |u − v|; u ∗ v] + b for every pair, with the parts that the loss uses: [rows, numLabels].
 * @throws ERR_INVALID_TENSORS when the head does not fit the loss and the embeddings
 */
export async function softmaxLogits(
  loss: Concatenation,
  head: SoftmaxHead,
  first: DenseRows,
  second: DenseRows,
): Promise<Embeddings> {
  const [rows, dim] = first.shape
  const parts =
    (loss.concatenationSentRep ? 2 : 0) +
    (loss.concatenationSentDifference ? 1 : 0) +
    (loss.concatenationSentMultiplication ? 1 : 0)
  const width = parts * dim
  const weight = tensor(head, 'classifier.weight', [loss.numLabels, width])
  const bias = tensor(head, 'classifier.bias', [loss.numLabels])
  const out = new Float32Array(rows * loss.numLabels)
  const features = new Float32Array(width)
  const slice = new TimeSlice()
  for (let row = 0; row < rows; row++) {
    concatenate(loss, first.data, second.data, row * dim, dim, features)
    for (let label = 0; label < loss.numLabels; label++) {
      let sum = bias[label]!
      for (let i = 0; i < width; i++) sum += weight[label * width + i]! * features[i]!
      out[row * loss.numLabels + label] = sum
    }
    await slice.yield()
  }
  return embeddings(out, rows, loss.numLabels)
}

function concatenate(
  loss: Concatenation,
  u: Float32Array,
  v: Float32Array,
  start: number,
  dim: number,
  out: Float32Array,
): void {
  let to = 0
  const put = (value: (i: number) => number) => {
    for (let i = start; i < start + dim; i++) out[to++] = value(i)
  }
  if (loss.concatenationSentRep) {
    put((i) => u[i]!)
    put((i) => v[i]!)
  }
  if (loss.concatenationSentDifference) put((i) => Math.abs(u[i]! - v[i]!))
  if (loss.concatenationSentMultiplication) put((i) => u[i]! * v[i]!)
}

function tensor(head: SoftmaxHead, name: string, shape: readonly number[]): Float32Array {
  const found = head[name]
  const elements = shape.reduce((product, size) => product * size, 1)
  if (String(found?.shape) === String(shape) && found!.data.length === elements) return found!.data
  const has = found === undefined ? 'nothing' : `[${found.shape}]`
  throw new SentenceTorchError(
    'ERR_INVALID_TENSORS',
    `Expected ${name} of shape [${shape}] in lossTensors, found ${has}`,
  )
}
