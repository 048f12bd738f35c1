import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import anyTest from 'ava'
import { CrossEncoder, CrossEncoderTrainer, crossEncoderLosses, Dataset, recipes } from '../../lib/index.js'
import { marginsOf } from '../../lib/recipes/margins.js'
import { RunFolder } from '../../lib/report/run-folder.js'
import { temporaryFolder } from '../helpers/model-folders.js'
import { hasShared, MINILM, runsControls, sharedData } from '../helpers/shared.js'
import { retrieval } from '../helpers/squad.js'
import { tinyFolder, tinyWords } from '../helpers/tiny-folder.js'

const test = hasShared ? anyTest : anyTest.skip
const controlled = runsControls ? anyTest : anyTest.skip
const golden = (path: string) => fileURLToPath(new URL(`../../../test/parity/golden/${path}`, import.meta.url))
/** A T5 and a cross-encoder with random weights. */
const T5 = golden('seq2seq-folder')
const TEACHER = golden('cross-encoder/one')

anyTest('margins are those of Python: raw scores', async (t) => {
  const { triplets, margins } = JSON.parse(await readFile(golden('gpl.json'), 'utf8')) as {
    triplets: [string, string, string][]
    margins: number[]
  }
  const rows = triplets.map(([query, positive, negative]) => ({ query, positive, negative }))
  const model = await CrossEncoder.load(TEACHER)
  t.teardown(() => model.dispose())
  t.is(model.activationFn, 'sigmoid')
  const found = await marginsOf(Dataset.fromRows(rows), model)
  for (const [i, margin] of margins.entries()) t.true(Math.abs(found[i]! - margin) < 1e-5, `${found[i]}, not ${margin}`)
})

controlled('a teacher that knows the data makes a better model than one that does not', async (t) => {
  const folder = await temporaryFolder(t)
  const rows = await Dataset.fromFile(sharedData('squad/train-question-sentences.jsonl'), {
    columns: ['question', 'answer_sentence'],
  })
  const pairs = rows.renameColumns({ question: 'query', answer_sentence: 'passage' })
  const [train, held] = [pairs.head(160), pairs.select(Array.from({ length: 400 }, (_, i) => 2000 + i))]
  const teacher = await CrossEncoder.load(MINILM, { numLabels: 1, seed: 1 })
  await teacher.save(join(folder, 'untrained'))
  await new CrossEncoderTrainer({
    ...{ model: teacher, trainDataset: pairs.select(Array.from({ length: 320 }, (_, i) => 400 + i)) },
    ...{ loss: new crossEncoderLosses.MultipleNegativesRankingLoss(), progress: false },
    args: { numTrainEpochs: 1, perDeviceTrainBatchSize: 16, learningRate: 2e-4, warmupSteps: 0.1, saveStrategy: 'no' },
  }).train()
  await teacher.save(join(folder, 'trained'))
  await teacher.dispose()
  const run = async (crossEncoder: string) => {
    const { metrics, counts } = await recipes.gpl({
      ...{ model: MINILM, outputDir: join(folder, `run-${crossEncoder}`), queries: train, negatives: 2, seed: 1 },
      ...{ crossEncoder: join(folder, crossEncoder), test: retrieval(held, [...new Set(held.texts('passage'))]) },
      args: { learningRate: 2e-4, saveStrategy: 'no' },
    })
    return { ...metrics.find(({ name }) => name === 'squad_cosine_ndcg@10')!, counts }
  }
  const [real, control] = [await run('trained'), await run('untrained')]
  t.log(`before ${real.before}, after ${real.after}, control ${control.after}`)
  t.true(real.after > control.after + 0.02)
  t.true(real.counts.triplets! >= 300)
  t.true(real.counts.marginsBelowZero! < 0.2 * real.counts.triplets!)
})

test('a stopped run goes on where it was, and ends with the same model', async (t) => {
  const folder = await temporaryFolder(t)
  const model = await tinyFolder(join(folder, 'tiny'))
  const text = Array.from(
    { length: 40 },
    (_, i) => `${tinyWords[i]} ${tinyWords[(i * 7) % 40]} is ${tinyWords[i % 9]} ${i}`,
  )
  const options = (name: string): recipes.GplOptions => ({
    ...{ model, outputDir: join(folder, name), generator: T5, crossEncoder: TEACHER, queriesPerPassage: 1 },
    documents: Dataset.fromColumns({ text }),
    args: { saveSteps: 1, loggingSteps: 1 },
  })
  const whole = await recipes.gpl(options('whole'))
  const lines: string[] = []
  for (const last of ['stage 1', 'stage 2', 'stage 3', 'stage 4']) {
    const stop = new AbortController()
    let isThere = false
    let writes = 0
    const log = (line: string) => {
      lines.push(line)
      isThere ||= line.startsWith(last) && !line.includes('reused')
      if (isThere && last !== 'stage 4') stop.abort()
    }
    const progress = { write: () => void (isThere && ++writes === 3 && stop.abort()) }
    const run = recipes.gpl(options('stopped'), { log, progress, signal: stop.signal })
    await t.throwsAsync(run, { code: 'ERR_ABORTED' })
  }
  const resumed = await recipes.gpl(options('stopped'), { log: (line) => lines.push(line) })
  t.deepEqual(resumed.counts, whole.counts)
  t.deepEqual(resumed.notes, whole.notes)
  for (const name of ['1, queries', '2, negatives', '3, margins', '4, training'])
    t.is(lines.filter((line) => line === `stage ${name}: continues`).length, 1, name)
  const weights = [whole, resumed].map(({ model }) => readFile(join(model, 'model.safetensors')))
  t.true((await weights[0]!).equals(await weights[1]!))
  t.deepEqual(await readdir(join(folder, 'stopped/stages')), ['1-queries', '2-negatives', '3-margins', '4-training'])

  // No negative is a passage of its query, and margins are scaled for the training alone.
  const rows = await Dataset.fromFile(join(folder, 'whole/stages/3-margins/margins.jsonl'))
  t.is(rows.length, whole.counts.triplets!)
  t.false(rows.texts('negative').some((negative, i) => negative === rows.texts('positive')[i]))
  t.true((await RunFolder.read(whole.folder)).figures.has('margins'))
})

test('margins are scaled for cosines, as asked for, or not at all; a teacher with several labels is refused', async (t) => {
  const folder = await temporaryFolder(t)
  const model = await tinyFolder(join(folder, 'tiny'))
  const queries = Dataset.fromRows(
    Array.from({ length: 8 }, (_, i) => ({
      query: `the ${tinyWords[i]}`,
      passage: `a ${tinyWords[i]} is very ${tinyWords[i + 9]}`,
    })),
  )
  const run = (options: Partial<recipes.GplOptions>) =>
    recipes.gpl({ model, outputDir: join(folder, 'run'), queries, crossEncoder: TEACHER, negatives: 1, ...options })
  const scaled = async (options: Partial<recipes.GplOptions>) =>
    (await run(options)).notes.filter((note) => note.includes('margins'))
  t.deepEqual(await scaled({}), [])
  const [cosine] = await scaled({ similarity: 'cosine' })
  const [ten] = await scaled({ largestMargin: 10 })
  const factor = (note: string | undefined) => Number(/multiplied by (\S+)\.$/.exec(note!)![1])
  t.true(Math.abs(factor(ten) / factor(cosine) - 10) < 0.1)
  await t.throwsAsync(run({ crossEncoder: golden('cross-encoder/three') }), {
    code: 'ERR_INVALID_ARGUMENT',
    message: /one label as crossEncoder, found 3 labels/,
  })
})
