// A whole run of the trainer on the real all-MiniLM-L6-v2 against sentence-transformers': two datasets with a loss each,
// prompts, accumulation, groups of parameters, a schedule, clipping, weight decay. Golden values: make_training_run.py.
import { readFileSync } from 'node:fs'
import { mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import {
  Dataset,
  losses,
  SentenceTransformer,
  SentenceTransformerTrainer,
  type TrainingArguments,
} from '../../lib/index.js'
import { temporaryFolder } from '../helpers/model-folders.js'
import { report } from './report.js'
import { hasMiniLM } from './support.js'

interface Golden {
  args: Partial<TrainingArguments>
  data: Record<'ranking' | 'classes', Record<string, unknown[]>>
  records: { loss: number; grad_norm: number; learning_rate: number; epoch: number }[]
  classifier: number[]
  texts: string[]
  embeddings: number[][]
}
const here = fileURLToPath(new URL('../../../test/parity', import.meta.url))
const goldenOf = (name: string): Golden => JSON.parse(readFileSync(join(here, 'golden', name), 'utf8'))
const source = resolve(here, '../../../shared/models/all-MiniLM-L6-v2')
const onlyWithModel = hasMiniLM ? test.serial : test.skip
if (!hasMiniLM) console.warn('No ../shared/models/all-MiniLM-L6-v2 beside the repository: its parity tests are skipped')

const keep = (part: string, deviation: number, allowed: number) =>
  report('training-run', 'SentenceTransformerTrainer', { part, deviation, allowed })

/** The model with dropout 0. */
async function withoutDropout(folder: string): Promise<string> {
  await mkdir(folder)
  for (const name of await readdir(source))
    if (name !== 'config.json') await symlink(join(source, name), join(folder, name))
  const config = JSON.parse(await readFile(join(source, 'config.json'), 'utf8')) as object
  const still = { ...config, hidden_dropout_prob: 0, attention_probs_dropout_prob: 0 }
  await writeFile(join(folder, 'config.json'), JSON.stringify(still))
  return folder
}

for (const compat of [null, 'st-6.0.1'] as const) {
  const golden = goldenOf(compat === null ? 'training-run.json' : `training-run-${compat}.json`)
  const of = compat === null ? 'the reference' : 'version 6.0.1, its quirks included'
  onlyWithModel(`losses, rates and weights are those of ${of}`, async (t) => {
    await using model = await SentenceTransformer.load(await withoutDropout(join(await temporaryFolder(t), 'model')))
    const weight = Float32Array.from({ length: 3 * 3 * 384 }, (_, i) => Math.sin(i) / 20)
    const records: Readonly<Record<string, number>>[] = []
    const trainer = new SentenceTransformerTrainer({
      model,
      trainDataset: {
        ranking: Dataset.fromColumns(golden.data.ranking),
        classes: Dataset.fromColumns(golden.data.classes),
      },
      loss: {
        ranking: new losses.MultipleNegativesRankingLoss(),
        classes: new losses.SoftmaxLoss({ numLabels: 3 }),
      },
      lossTensors: {
        'classes.classifier.weight': { shape: [3, 1152], data: weight },
        'classes.classifier.bias': { shape: [3], data: new Float32Array(3) },
      },
      progress: false,
      callbacks: [{ onLog: (record) => void records.push(record) }],
      args: { ...golden.args, batchSampler: 'sequential', compat },
    })
    const { lossTensors } = await trainer.train()
    golden.records.forEach((expected, i) => {
      const found = records[i]!
      const loss = Math.abs(found.loss! - expected.loss)
      t.true(loss <= 2e-5, `step ${i + 1}: loss ${found.loss}, ${expected.loss}`)
      // Otherwise the norm has the gradients of the losses' parameters in it.
      if (compat !== null) {
        const norm = Math.abs(found.grad_norm! - expected.grad_norm) / expected.grad_norm
        t.true(norm <= 3e-5, `step ${i + 1}: norm ${found.grad_norm}, ${expected.grad_norm}`)
        keep('gradient norms', norm, 3e-5)
      }
      t.true(Math.abs(found.learning_rate! - expected.learning_rate) <= 1e-12)
      t.is(found.epoch, expected.epoch)
      keep('losses', loss, 2e-5)
    })
    const { data } = lossTensors['classes.classifier.weight']!
    const apart = Math.max(...golden.classifier.map((value, i) => Math.abs(value - data[i]!)))
    t.true(apart <= 1e-5, `classifier off by ${apart}`)
    const { data: vectors } = await model.encode(golden.texts)
    const worst = Math.max(
      ...golden.embeddings.flatMap((row, r) => row.map((value, i) => Math.abs(value - vectors[r * 384 + i]!))),
    )
    t.true(worst <= 1e-4, `embeddings off by ${worst}`)
    keep('classifier', apart, 1e-5)
    keep('embeddings', worst, 1e-4)
  })
}
