// A loss in TypeScript with a parameter of its own, gradients checkpointed, in chunks and whole, with encodings between its two jobs.
import { losses } from 'sentence-torch'
import { assert, assertClose, datasets, loadTiny, texts, train } from '../support.mjs'

const weighted = (between = () => {}) =>
  new losses.Custom(
    ([u, v], _labels, { rows, parameters }) => {
      between()
      const w = parameters.w[0]
      const difference = u.map((value, i) => value - v[i])
      const square = difference.reduce((sum, d) => sum + d * d, 0) / rows
      const du = difference.map((d) => (2 * d * w) / rows)
      return {
        loss: square * w + w * w,
        gradients: [du, du.map((d) => -d)],
        parameterGradients: { w: Float32Array.of(square + 2 * w) },
      }
    },
    { minColumns: 2, maxColumns: 2, parameters: { w: { shape: [1], init: 0.5 } } },
  )

const asked = texts(30, 9, 30)
const run = async (args, encode) => {
  const model = await loadTiny()
  const encodings = []
  const between = encode ? () => encodings.push(model.encode(asked)) : undefined
  const { losses } = await train(model, weighted(between), datasets.pairs, { maxSteps: 6, ...args })
  for (const { data } of await Promise.all(encodings)) assert.ok(data.every(Number.isFinite))
  return losses
}
const plain = await run({}, false)
for (const args of [
  {},
  { gradientCheckpointing: true },
  { miniBatchSize: 3 },
  { miniBatchSize: 3, gradientCheckpointing: true },
]) {
  for (const encode of [false, true]) {
    assertClose(await run(args, encode), plain, 1e-4, `${JSON.stringify(args)}, encoding between: ${encode}`)
  }
}
