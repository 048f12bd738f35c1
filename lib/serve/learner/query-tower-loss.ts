import { Custom, type TensorLossFunction } from '../../losses/custom.js'

type Tensor = Parameters<TensorLossFunction>[0][number]

const SCALE = 20

/**
 * Queries find their documents by vectors that stay as they are: multiple negatives ranking with the documents' side as data. Labels of a
 * row are the vectors of its document and of wrong ones, one after the other, each of the embedding's width and of length 1.
 *
 * With q a query's embedding of length 1, d its document, N all other vectors of the batch that are not d:
 * mean of log(e^(s q·d) + Σ_N e^(s q·n)) − s q·d, where s is 20.
 */
export function queryTowerLoss(): Custom {
  return Custom.fromTensors(
    ([queries], vectors, { rows, dimension }) => {
      const all = vectors!.reshape([-1, dimension])
      const each = all.shape[0]! / rows
      const own = all.reshape([rows, each, dimension]).select(1, 0)
      const q = queries!.normalize()
      const right = q.mul(own).sum(1).mul(SCALE)
      const others = q.matmul(all.transpose()).mul(SCALE).sub(same(own, all).mul(FAR))
      return others.logsumexp(1).sub(right).softplus().mean()
    },
    { labels: 'floats', maxColumns: 1 },
  )
}

/** Takes a score out of a sum of exponentials. */
const FAR = 1e4

/** 1 where a vector of `all` is that of the row's own document, which other rows may have, too. */
function same(own: Tensor, all: Tensor): Tensor {
  return own
    .matmul(all.transpose())
    .gt(1 - 1e-5)
    .to('float32')
}
