import { mkdir, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { Dataset, losses, SentenceTransformer, SentenceTransformerTrainer } from '../../../lib/index.js'
import { newestCheckpoint, recoverCheckpoints } from '../../../lib/training/checkpoint/rotation.js'
import { tinyFolder } from '../../helpers/tiny-folder.js'
import type { Edit, Json } from '../case.js'
import { BaseFolder } from '../folders.js'
import { expect } from '../judge.js'
import { fileEdits, jsonChange } from '../mutate.js'
import type { Random } from '../random.js'
import type { Target } from './target.js'

const STEPS = 4
const FILE = 'trainer_state.json'
const trainDataset = Dataset.fromColumns({
  ...{ a: ['the cat', 'a dog', 'red', 'blue', 'one', 'two'], b: ['a cat', 'the dog', 'green', 'sun', 'six', 'five'] },
  label: [0, 1, 2, 0, 1, 2],
})
const tokens: Json[] = [
  ...[
    'globalStep',
    'epoch',
    'batches',
    'counters',
    'miniBatch',
    'miniBatchRows',
    'format',
    'sentence_torch',
    'checkpoint-2',
    '../x',
  ],
  ...[
    2,
    4,
    100,
    1e9,
    [1, 1],
    [2, 2, 2],
    [{ miniBatchRows: 1 }],
    [{ miniBatchRows: 0 }],
    { epoch: 0, batches: 1 },
    'exp_avg',
    'F16',
  ],
]
/** What belongs to the run; the model of a checkpoint is the target `folder`. */
const own = /^(trainer_state|optimizer|loss)/
let base: BaseFolder
let model: SentenceTransformer

/** Checkpoints, from which training goes on. */
export const checkpoint: Target = {
  warm: { base: 'checkpoint', edits: [] },

  async open(root) {
    const folder = join(root, 'model')
    await mkdir(folder)
    model = await SentenceTransformer.load(await tinyFolder(folder))
    await trainerIn(root).train()
    base = await BaseFolder.of(join(root, 'checkpoint-2'))
  },

  make(random) {
    const names = Object.keys(base.files).filter((name) => own.test(name) || random.oneIn(20))
    const edits = random.oneIn(2)
      ? fileEdits(random, base.files, [...names, FILE], tokens)
      : random.some(1, 3, () => ownEdit(random))
    return { base: 'checkpoint', edits, plan: { resume: random.oneIn(2) } }
  },

  async run({ edits, plan }, root) {
    base.change(edits)
    const resume = (plan as { resume?: boolean })?.resume === true
    if (resume) {
      await recoverCheckpoints(root)
      await newestCheckpoint(root)
    }
    const result = await trainerIn(root).train({ resumeFromCheckpoint: resume || base.path })
    expect(result.globalStep >= STEPS, 'a run that goes on has the steps that it should')
    for (const name of await readdir(root)) {
      expect(/^(model|runs|checkpoint-\d+|\.lock.*)$/.test(name), 'nothing but checkpoints is left')
      if (name.startsWith('checkpoint-') && name !== 'checkpoint-2') await rm(join(root, name), { recursive: true })
    }
  },
}

/** A change of what only this package reads of a checkpoint, which is the most that counts there. */
function ownEdit(random: Random): Edit {
  const place = ['stateful_callbacks', 'sentence_torch']
  const own = place.reduce((value, key) => (value as Record<string, Json>)[key]!, base.files[FILE] as Json)
  const { at, ...change } = jsonChange(random, own, tokens)
  return { file: FILE, at: [...place, ...at], ...change }
}

function trainerIn(outputDir: string): SentenceTransformerTrainer {
  return new SentenceTransformerTrainer({
    ...{ model, trainDataset, progress: false },
    loss: new losses.SoftmaxLoss({ numLabels: 3 }),
    args: { outputDir, maxSteps: STEPS, saveSteps: 2, perDeviceTrainBatchSize: 2, loggingSteps: 1, reportTo: 'none' },
  })
}
