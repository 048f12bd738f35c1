import test from 'ava'
import fc from 'fast-check'
import { binaryScores } from '../../lib/evaluation/binary-scores.js'

const near = (a: number, b: number) => Math.abs(a - b) < 1e-12
const f32 = Math.fround

test('rows of equal score are never told apart', async (t) => {
  const scores = await binaryScores(Float32Array.of(0.9, 0.5, 0.5, 0.5, 0.1), [1, 1, 0, 0, 0], false)
  t.is(scores.accuracy, 0.8)
  t.is(scores.accuracyThreshold, f32((f32(0.9) + 0.5) / 2))
  // Above the first: precision 1, recall 1/2.
  t.true(near(scores.f1, 2 / 3))
  t.is(scores.f1Threshold, scores.accuracyThreshold)
  t.deepEqual([scores.precision, scores.recall], [1, 0.5])
})

test('none and all are thresholds too', async (t) => {
  const all = await binaryScores(Float32Array.of(3, 1, 2), [1, 1, 1], false)
  t.deepEqual([all.accuracy, all.accuracyThreshold, all.f1, all.f1Threshold], [1, 1, 1, 1])
  const none = await binaryScores(Float32Array.of(3, 1, 2), [0, 0, 0], false)
  t.deepEqual([none.accuracy, none.accuracyThreshold], [1, f32(3 + 2 ** -22)])
  t.deepEqual([none.f1, none.f1Threshold, none.precision, none.recall, none.mcc], [0, 0, 0, 0, 0])
  const one = await binaryScores(Float32Array.of(0.25), [1], false)
  t.deepEqual([one.accuracy, one.accuracyThreshold, one.f1, one.f1Threshold], [1, 0.25, 1, 0.25])
})

test('the threshold of none is the next number beyond the best score, on both sides of 0', async (t) => {
  for (const [best, above] of [
    [1, 1 + 2 ** -23],
    [-1, -1 + 2 ** -24],
    [0, 2 ** -149],
    [-0, 2 ** -149],
    [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY],
  ] as const) {
    t.is((await binaryScores(Float32Array.of(best, -5), [0, 0], false)).accuracyThreshold, above)
  }
  // A distance that no pair falls below.
  t.is((await binaryScores(Float32Array.of(-2, -5), [0, 0], true)).accuracyThreshold, 2 - 2 ** -23)
})

test('a middle that rounds onto the next score gives way to the score above', async (t) => {
  const [low, high] = [1, 1 + 2 ** -23]
  const scores = await binaryScores(Float32Array.of(low, high), [0, 1], false)
  t.deepEqual([scores.accuracy, scores.accuracyThreshold, scores.f1Threshold, scores.mcc], [1, high, high, 1])
  const distances = await binaryScores(Float32Array.of(-low, -high), [1, 0], true)
  t.deepEqual([distances.accuracy, distances.accuracyThreshold, distances.mcc], [1, low, 1])
})

test('the best accuracy and F1 are those that the threshold gives, and no threshold gives more', async (t) => {
  const rows = fc.array(fc.tuple(fc.integer({ min: -3, max: 3 }), fc.nat(1)), { minLength: 1, maxLength: 12 })
  await fc.assert(
    fc.asyncProperty(rows, fc.boolean(), async (pairs, isDistance) => {
      const similarities = Float32Array.from(pairs, ([score]) => score / 4)
      const labels = pairs.map(([, label]) => label)
      const found = await binaryScores(similarities, labels, isDistance)
      const measure = (threshold: number) => {
        const guesses = similarities.map((score) => (score >= threshold ? 1 : 0))
        const count = (guess: number, label: number) =>
          labels.filter((own, i) => own === label && guesses[i] === guess).length
        const hits = count(1, 1)
        return {
          accuracy: (hits + count(0, 0)) / labels.length,
          f1: hits === 0 ? 0 : (2 * hits) / (2 * hits + count(1, 0) + count(0, 1)),
        }
      }
      const sign = isDistance ? -1 : 1
      t.true(near(measure(sign * found.accuracyThreshold).accuracy, found.accuracy))
      if (found.f1 > 0) t.true(near(measure(sign * found.f1Threshold).f1, found.f1))
      for (let threshold = -1; threshold <= 1; threshold += 1 / 8) {
        t.true(measure(threshold).accuracy <= found.accuracy + 1e-12)
        t.true(measure(threshold).f1 <= found.f1 + 1e-12)
      }
    }),
  )
})
