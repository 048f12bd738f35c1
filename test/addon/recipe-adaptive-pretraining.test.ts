import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import anyTest from 'ava'
import { Dataset, recipes } from '../../lib/index.js'
import { RunFolder } from '../../lib/report/run-folder.js'
import { temporaryFolder } from '../helpers/model-folders.js'
import { hasShared, MINILM, runsControls, sharedData, shuffledColumn, stsDev } from '../helpers/shared.js'

const test = hasShared ? anyTest.serial : anyTest.skip

for (const method of runsControls ? (['mlm', 'tsdae'] as const) : (['mlm'] as const)) {
  test(`${method}, then pairs, trains a better model than with shuffled pairs; the first stage is reused`, async (t) => {
    const rows = (await Dataset.fromFile(sharedData('stsb/train.tsv'))).select(Array.from({ length: 60 }, (_, i) => i))
    const domain = rows.selectColumns(['sentence1', 'sentence2'])
    const nli = (await Dataset.fromFile(sharedData('nli/snli-train-20k.jsonl'))).head(1000)
    const { dataset: train } = await recipes.nliPairs(nli, { negatives: 'soft' })
    const outputDir = await temporaryFolder(t)
    const run = async (train: Dataset) => {
      const lines: string[] = []
      const result = await recipes.adaptivePretraining(
        {
          ...{ model: MINILM, outputDir, domain, train, method, seed: 1, test: await stsDev('test', 600, 200) },
          domainArgs: { perDeviceTrainBatchSize: 8, maxSteps: 6 },
          args: { perDeviceTrainBatchSize: 16, learningRate: 3e-4, maxSteps: 8 },
        },
        { log: (line) => lines.push(line) },
      )
      return { after: result.metrics.find(({ name }) => name === 'test_spearman_cosine')!.after, lines, result }
    }
    const found = await run(train)
    t.deepEqual(await readdir(join(outputDir, 'stages')), ['1-adapt', '2-pairs-alone', '3-pairs-after-domain'])
    t.false((await readdir(join(outputDir, 'stages', '1-adapt'))).some((name) => name.startsWith('checkpoint')))
    const { figures } = await RunFolder.read(outputDir)
    const table = figures.get('stages') as { rows: readonly (readonly unknown[])[] }
    t.deepEqual(
      table.rows.map(([name]) => name),
      ['as it was', 'domain alone', 'pairs alone', 'domain, then pairs'],
    )
    t.is(table.rows[3]![1], found.after)
    t.is(new Set(table.rows.map(([, value]) => value)).size, 4)

    const control = await run(await shuffledColumn(train, 'positive'))
    t.log(`after ${found.after}, control ${control.after}`)
    t.deepEqual(
      control.lines.filter((line) => line.startsWith('stage')),
      [
        'stage 1, adapt: reused, its inputs are the same',
        'stage 2, pairs-alone: runs again, because pairs changed',
        'stage 3, pairs-after-domain: runs again, because pairs changed',
      ],
    )
    t.true(found.after > control.after + 0.03)
  })
}
