// A loss in TypeScript with a parameter of its own, gradients checkpointed, in chunks and whole. Between the two jobs of a step
// the model encodes, is saved and is evaluated: the steps are as without.
import { join } from 'node:path'
import { losses } from 'sentence-torch'
import { assertClose, assertFinite, datasets, loadTiny, texts, train, work } from '../support.mjs'

const weighted = (between = async () => {}) =>
  new losses.Custom(
    async ([u, v], _labels, { rows, parameters }) => {
      await between()
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

const asked = texts(60, 9, 30)
const run = async (args, isBusy) => {
  const model = await loadTiny()
  const between = async () => {
    assertFinite((await model.encode(asked)).data, 'encoded between two jobs')
    await model.save(join(work, 'between'))
  }
  const loss = weighted(isBusy ? between : undefined)
  const { losses } = await train(model, loss, datasets.pairs, { maxSteps: 6, ...args })
  return losses
}
const plain = await run({}, false)
for (const args of [
  {},
  { gradientCheckpointing: true },
  { miniBatchSize: 3 },
  { miniBatchSize: 3, gradientCheckpointing: true },
]) {
  for (const isBusy of [false, true]) {
    assertClose(await run(args, isBusy), plain, 1e-4, `${JSON.stringify(args)}, other jobs between: ${isBusy}`)
  }
}
