// The card of a model from a recipe with stages is as full as any, also when another process made the stages.
import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { RECIPES } from '../../lib/recipes/index.js'
import { temporaryFolder } from '../helpers/model-folders.js'
import { tinyEvaluator, tinyOptions } from '../helpers/tiny-recipes.js'

const LOSSES = {
  genq: ['MultipleNegativesRankingLoss'],
  gpl: ['MarginMSELoss'],
  augmentedSbert: ['CosineSimilarityLoss'],
  distillation: ['EmbedDistillLoss'],
  matryoshka: ['MatryoshkaLoss', 'MultipleNegativesRankingLoss'],
  multilingual: ['MSELoss'],
  adaptivePretraining: ['DenoisingAutoEncoderLoss', 'MultipleNegativesRankingLoss'],
}

for (const [name, losses] of Object.entries(LOSSES)) {
  test(`${name}: the card has the training's data, arguments and log, and stays the same when all stages are reused`, async (t) => {
    const folder = await temporaryFolder(t)
    const given = await tinyOptions(name, folder)
    const recipe = RECIPES.find((each) => each.name === name)!
    const card = async () => {
      const { model } = await recipe.run({ ...given, test: tinyEvaluator('test') })
      return readFile(join(model, 'README.md'), 'utf8')
    }
    const first = await card()
    const tags = [...first.matchAll(/^- loss:(\w+)$/gm)].map(([, loss]) => loss)
    t.deepEqual(tags, losses)
    // A stream, as that of noisy sentences, has no size.
    t.is([...first.matchAll(/^\* Size: \d+ training samples/gm)].length, 1)
    // Matryoshka's is around the other one.
    t.is([...first.matchAll(/^\* Loss: /gm)].length, name === 'matryoshka' ? 1 : losses.length)
    for (const heading of ['### Training Dataset', '#### All Hyperparameters', '### Training Logs', '### BibTeX'])
      t.true(first.includes(`\n${heading}`), heading)
    t.true(first.includes('per_device_train_batch_size`: 8'))
    t.regex(first, /^\* Dataset: `test`$/m)
    t.is(await card(), first)
  })
}

test('facts of a stage that are no facts are refused with their place; without them the card is short', async (t) => {
  const folder = await temporaryFolder(t)
  const given = await tinyOptions('genq', folder)
  const recipe = RECIPES.find(({ name }) => name === 'genq')!
  const { model } = await recipe.run(given)
  const stage = join(folder, 'run', 'stages', '2-training')
  const facts = await readFile(join(stage, 'facts.json'), 'utf8')
  // The same length: stages look at the sizes of their files.
  await writeFile(join(stage, 'facts.json'), facts.replace('"losses": [', '"lusses": ['))
  await t.throwsAsync(recipe.run(given), { code: 'ERR_INVALID_FILE', message: /an array as losses in .*facts\.json/ })
  await rm(join(stage, 'facts.json'))
  const done = JSON.parse(await readFile(join(stage, 'done.json'), 'utf8')) as { files: Record<string, number> }
  delete done.files['facts.json']
  await writeFile(join(stage, 'done.json'), JSON.stringify(done))
  await recipe.run(given)
  t.notRegex(await readFile(join(model, 'README.md'), 'utf8'), /Training Details/)
})
