// Saves, loads and goes on from a checkpoint: the same bits as without the break.
import { join } from 'node:path'
import { losses, SentenceTransformer } from 'sentence-torch'
import { assert, datasets, loadTiny, texts, train, work } from '../support.mjs'

const some = texts(40, 8)
for (const more of [{}, { gradientAccumulationSteps: 2, optim: 'rmsprop' }, { optim: 'sgd', freeze: ['embeddings'] }]) {
  const outputDir = join(work, `run-${Object.keys(more).length}-${more.optim}`)
  const args = { ...more, outputDir, maxSteps: 6, saveStrategy: 'steps', saveSteps: 3, weightDecay: 0.01 }
  const vectors = async (options) => {
    const model = await loadTiny()
    await train(model, new losses.SoftmaxLoss({ numLabels: 3 }), datasets.classes, args, options)
    const saved = join(work, `saved-${options ? 'resumed' : 'whole'}`)
    await model.save(saved)
    const again = await SentenceTransformer.load(saved)
    const { data } = await again.encode(some)
    assert.deepEqual(data, (await model.encode(some)).data)
    return data
  }
  const whole = await vectors()
  assert.deepEqual(await vectors({ resumeFromCheckpoint: join(outputDir, 'checkpoint-3') }), whole)
}
