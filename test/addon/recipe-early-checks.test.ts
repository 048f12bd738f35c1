// What a recipe cannot use is told before anything is measured or trained.
import test from 'ava'
import { type evaluation, recipes, type SentenceTorchError } from '../../lib/index.js'
import { temporaryFolder } from '../helpers/model-folders.js'
import { FAST, TINY_RECIPES, tinyEvaluator, tinyOptions } from '../helpers/tiny-recipes.js'

/** How often the model was measured until the recipe refused. */
async function measuredBefore(recipe: string, folder: string, wrong: object, code: string, message: RegExp) {
  const told = await tinyOptions(recipe, folder)
  const evaluator = tinyEvaluator('test')
  let measured = 0
  const counting = Object.assign(Object.create(evaluator) as evaluation.EmbeddingSimilarityEvaluator, {
    evaluate: (...given: Parameters<typeof evaluator.evaluate>) => {
      measured++
      return evaluator.evaluate(...given)
    },
  })
  const run = recipes[recipe as keyof typeof recipes] as (options: object) => Promise<unknown>
  const error = await run({ ...told, test: counting, ...wrong }).then(
    () => undefined,
    (reason: SentenceTorchError) => reason,
  )
  return {
    error: { code: error?.code === code, told: message.test(String(error?.message)) },
    measured,
    message: error?.message,
  }
}

const samplers = Object.keys(TINY_RECIPES).filter((name) =>
  [
    'finetune',
    'softmax',
    'multipleNegatives',
    'scoredPairs',
    'tsdae',
    'simcse',
    'contrastiveTension',
    'fewShot',
  ].includes(name),
)
for (const name of samplers) {
  test(`${name}: a sampler that does not exist`, async (t) => {
    const wrong = { args: { ...FAST, batchSampler: 'nothing' } }
    const { error, measured, message } = await measuredBefore(
      name,
      await temporaryFolder(t),
      wrong,
      'ERR_INVALID_ARGUMENT',
      /batchSampler/,
    )
    t.deepEqual(error, { code: true, told: true }, message)
    t.is(measured, 0)
  })
}

for (const [name, wrong, code, expected] of [
  ['finetune', { loss: 'NoSuchLoss' }, 'ERR_INVALID_ARGUMENT', /NoSuchLoss/],
  [
    'finetune',
    { loss: 'MultipleNegativesRankingLoss', args: { ...FAST, evalStrategy: 'steps' } },
    'ERR_INVALID_ARGUMENT',
    /evalStrategy/,
  ],
  ['distillation', { teacher: 'no/folder/here' }, 'ERR_NOT_FOUND', /no\/folder\/here/],
  ['gpl', { crossEncoder: 'no/folder/here' }, 'ERR_NOT_FOUND', /no\/folder\/here/],
  ['augmentedSbert', { crossEncoder: 'no/folder/here' }, 'ERR_NOT_FOUND', /no\/folder\/here/],
  ['matryoshka', { dims: [8, 4, 8] }, 'ERR_INVALID_ARGUMENT', /each once/],
] as const) {
  test(`${name}: ${JSON.stringify(wrong)}`, async (t) => {
    const { error, measured, message } = await measuredBefore(name, await temporaryFolder(t), wrong, code, expected)
    t.deepEqual(error, { code: true, told: true }, message)
    t.is(measured, 0)
  })
}
