// Losses of the registry, written with tensors: as a start for your own. Each has the formula and the defaults of the class of its
// name, and goes into `losses.Custom.fromTensors` or a loop by hand.
import {
  arange,
  cat,
  cosineSimilarity,
  crossEntropy,
  eye,
  mseLoss,
  type Tensor,
  where,
  zeros,
} from 'sentence-torch/tensor'

type Columns = readonly Tensor[]

export function cosineSimilarityLoss([u, v]: Columns, labels: Tensor): Tensor {
  return mseLoss(cosineSimilarity(u!, v!), labels)
}

/** log(1 + Σ exp(sᵢ − sⱼ)) over the pairs of rows of which j has the higher label. */
function cosent(scores: Tensor, labels: Tensor): Tensor {
  const differences = scores.unsqueeze(1).sub(scores.unsqueeze(0))
  const counts = labels.unsqueeze(1).lt(labels.unsqueeze(0))
  const terms = where(counts, differences, Number.NEGATIVE_INFINITY).reshape([-1])
  return cat([zeros([1]), terms]).logsumexp(0)
}

export function cosentLoss([u, v]: Columns, labels: Tensor): Tensor {
  return cosent(cosineSimilarity(u!, v!).mul(20), labels)
}

/** Embeddings as complex numbers: their first halves are real, their second imaginary. */
export function angleLoss([u, v]: Columns, labels: Tensor): Tensor {
  const [a, b] = [u!.normalize(), v!.normalize()]
  const half = a.shape[1]! / 2
  const [re, im] = [a.slice(1, 0, half), a.slice(1, half)]
  const [otherRe, otherIm] = [b.slice(1, 0, half), b.slice(1, half)]
  const angles = a
    .mul(b)
    .sum(1)
    .add(im.mul(otherRe).sub(re.mul(otherIm)).sum(1))
    .abs()
  return cosent(angles.mul(20), labels)
}

export function multipleNegativesRankingLoss([queries, ...documents]: Columns): Tensor {
  const scores = queries!.normalize().matmul(cat(documents).normalize().transpose()).mul(20)
  return crossEntropy(scores, arange(0, scores.shape[0]!))
}

export function multipleNegativesSymmetricRankingLoss([queries, ...documents]: Columns): Tensor {
  const scores = queries!.normalize().matmul(cat(documents).normalize().transpose()).mul(20)
  const rows = arange(0, scores.shape[0]!)
  const backwards = scores.slice(1, 0, rows.size).transpose()
  return crossEntropy(scores, rows).add(crossEntropy(backwards, rows)).div(2)
}

export function contrastiveLoss([u, v]: Columns, labels: Tensor): Tensor {
  const distances = cosineSimilarity(u!, v!).neg().add(1)
  const near = labels.mul(distances.pow(2))
  const far = labels.neg().add(1).mul(distances.neg().add(0.5).relu().pow(2))
  return near.add(far).div(2).mean()
}

/** Of the pairs, only positives farther than the closest negative and negatives closer than the farthest positive count. */
export function onlineContrastiveLoss([u, v]: Columns, labels: Tensor): Tensor {
  const distances = cosineSimilarity(u!, v!).neg().add(1)
  const [positive, negative] = [labels.eq(1), labels.eq(0)]
  const meanOver = (kind: Tensor) => where(kind, distances, 0).sum().div(kind.sum())
  const farthest = where(positive, distances, Number.NEGATIVE_INFINITY).max()
  const closest = where(negative, distances, Number.POSITIVE_INFINITY).min()
  // A batch of one kind has no limit from the other: its own mean is the limit.
  const least = where(negative.sum().gt(0), closest, meanOver(positive))
  const most = where(positive.sum().gt(0), farthest, meanOver(negative))
  const hard = (kind: Tensor, limit: Tensor, terms: Tensor) =>
    where(kind, where(limit, terms, 0), 0)
      .pow(2)
      .sum()
  const far = hard(negative, distances.lt(most), distances.neg().add(0.5).relu())
  return hard(positive, distances.gt(least), distances).add(far)
}

export function tripletLoss([anchors, positives, negatives]: Columns): Tensor {
  const difference = anchors!.sub(positives!).norm(1).sub(anchors!.sub(negatives!).norm(1))
  return difference.add(5).relu().mean()
}

export function marginMSELoss([queries, positives, negatives]: Columns, labels: Tensor): Tensor {
  return mseLoss(queries!.mul(positives!).sum(1).sub(queries!.mul(negatives!).sum(1)), labels)
}

/** Labels: classes, int64. */
export function batchHardTripletLoss([x]: Columns, labels: Tensor): Tensor {
  const products = x!.matmul(x!.transpose())
  const lengths = products.diagonal()
  const squares = lengths.unsqueeze(0).sub(products.mul(2)).add(lengths.unsqueeze(1)).clamp({ min: 0 })
  // The root has no gradient at 0.
  const zero = squares.eq(0).to('float32')
  const distances = zero
    .neg()
    .add(1)
    .mul(squares.add(zero.mul(1e-16)).sqrt())
  const same = labels.unsqueeze(0).eq(labels.unsqueeze(1)).to('float32')
  const farthest = same.sub(eye(labels.size)).mul(distances).max(1, true)
  const nearest = distances.add(distances.max(1, true).mul(same)).min(1, true)
  return farthest.sub(nearest).add(5).relu().mean()
}

/** Two parameters: `classifier.weight` [classes, 3 × dim] and `classifier.bias` [classes]. Labels: classes, int64. */
export function softmaxLoss(
  [u, v]: Columns,
  labels: Tensor,
  { parameters }: { parameters: Record<string, Tensor> },
): Tensor {
  const features = cat([u!, v!, u!.sub(v!).abs()], 1)
  const logits = features.matmul(parameters['classifier.weight']!.transpose()).add(parameters['classifier.bias']!)
  return crossEntropy(logits, labels)
}
