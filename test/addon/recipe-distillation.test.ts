import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import anyTest, { type ExecutionContext } from 'ava'
import { Dataset, evaluation, losses, Pooling, recipes, SentenceTransformer, Transformer } from '../../lib/index.js'
import { principalAxes, project } from '../../lib/models/distillation/axes.js'
import { RunFolder } from '../../lib/report/run-folder.js'
import { temporaryFolder } from '../helpers/model-folders.js'
import {
  controlTraining,
  hasShared,
  MINILM,
  runsControls,
  sharedData,
  shuffledColumn,
  stsDev,
} from '../helpers/shared.js'
import { tinyFolder, tinyWords } from '../helpers/tiny-folder.js'

const test = hasShared ? anyTest : anyTest.skip
const controlled = runsControls ? anyTest : anyTest.skip
const golden = (path: string) => fileURLToPath(new URL(`../../../test/parity/golden/${path}`, import.meta.url))
/** A cross-encoder with random weights. */
const JUDGE = golden('cross-encoder/one')

interface Golden {
  components: { rows: number[][]; components: number[][]; reduced: number[][] }
  layers: { kept: number[]; texts: string[]; embeddings: number[][] }
}
const expected = JSON.parse(await readFile(golden('recipe-distillation.json'), 'utf8')) as Golden

function farthest(found: ArrayLike<number>, wanted: readonly number[]): number {
  return wanted.reduce((most, value, i) => Math.max(most, Math.abs(value - found[i]!)), 0)
}

async function sentences(count: number): Promise<Dataset> {
  const rows = (await Dataset.fromFile(sharedData('stsb/train.tsv'))).selectColumns(['sentence1', 'sentence2'])
  return (await rows.shuffle(1)).head(count)
}

const spearman = ({ metrics }: recipes.RecipeResult) => metrics.find(({ name }) => name === 'test_spearman_cosine')!

anyTest('principal components are those of scikit-learn, also of rows on a line', async (t) => {
  const { rows, components, reduced } = expected.components
  const matrix = { data: Float32Array.from(rows.flat()), shape: [rows.length, rows[0]!.length] as [number, number] }
  const found = await principalAxes(matrix, components.length)
  for (const [i, component] of components.entries()) t.true(farthest(found.row(i), component) < 1e-6)
  const turned = await project(matrix, found)
  t.true(farthest(turned.data, reduced.flat()) < 1e-5)
  const onLine = Float32Array.from({ length: 27 }, (_, i) => [3, 0, 4][i % 3]! * Math.floor(i / 3))
  const line = await principalAxes({ data: onLine, shape: [9, 3] }, 2)
  t.true(farthest(line.row(0), [0.6, 0, 0.8]) < 1e-6)
  t.true(Math.abs(line.row(1).reduce((sum, value) => sum + value * value, 0) - 1) < 1e-6)
  await t.throwsAsync(principalAxes(matrix, 13), { code: 'ERR_INVALID_ARGUMENT', message: /from 1 to 12/ })
})

test('a model with some layers embeds as in Python, and is an ordinary folder', async (t) => {
  const { kept, texts, embeddings } = expected.layers
  await using whole = await SentenceTransformer.load(MINILM)
  await using part = await whole.withLayers(kept)
  const path = join(await temporaryFolder(t), 'part')
  await part.save(path)
  await using loaded = await SentenceTransformer.load(path)
  t.is(loaded.modules[0]!.layers, 3)
  const [now, saved] = [await part.encode(texts), await loaded.encode(texts)]
  t.deepEqual(saved.data, now.data)
  for (const [i, row] of embeddings.entries()) t.true(farthest(now.row(i), row) < 1e-6)
  // All layers are the model itself.
  await using all = await whole.withLayers(6)
  t.deepEqual((await all.encode(texts)).data, (await whole.encode(texts)).data)
})

anyTest('layers that there are not are refused, and so are those that would become others', async (t) => {
  const folder = await temporaryFolder(t)
  await using model = await SentenceTransformer.load(await tinyFolder(join(folder, 'tiny')))
  for (const layers of [0, 3, 1.5, [], [1, 0], [0, 2], [-1]])
    await t.throwsAsync(model.withLayers(layers), { code: 'ERR_INVALID_ARGUMENT', message: /from 1 to 2/ })
  const config = {
    ...{ model_type: 'modernbert', vocab_size: 50, hidden_size: 16, num_attention_heads: 2, intermediate_size: 24 },
    ...{ num_hidden_layers: 8, max_position_embeddings: 64, local_attention: 8, pad_token_id: 0 },
  }
  const transformer = await Transformer.create(config, { tokenizer: join(folder, 'tiny'), seed: 1 })
  await using modern = await SentenceTransformer.fromModules([transformer, new Pooling('mean')])
  await t.throwsAsync(modern.withLayers([0, 2]), {
    code: 'ERR_NOT_IMPLEMENTED',
    message: /Layer 2 cannot become layer 1/,
  })
  // The first layer of a ModernBERT has no norm in front of its attention, the others do.
  await t.throwsAsync(modern.withLayers([3]), {
    code: 'ERR_NOT_IMPLEMENTED',
    message: /layers.3.attn_norm.weight has no place/,
  })
  await using fits = await modern.withLayers([0, 4])
  t.is(fits.modules[0]!.layers, 2)
})

for (const loss of runsControls ? (['mse', 'cosine'] as const) : (['mse'] as const)) {
  test(`${loss}: a student of three layers learns from the teacher, and not from embeddings of other texts`, async (t) => {
    const train = await sentences(240)
    const evaluator = await stsDev('test', 600, 200)
    const args = { perDeviceTrainBatchSize: 32, learningRate: 5e-4, maxSteps: 14, saveStrategy: 'no' } as const
    const outputDir = await temporaryFolder(t)
    const options = { model: MINILM, keepLayers: [0, 2, 4], loss, train, test: evaluator, seed: 1 }
    const result = await recipes.distillation({ ...options, outputDir, args })
    const { before, after } = spearman(result)

    const { sentences: texts } = recipes.sentencesOf(train)
    await using teacher = await SentenceTransformer.load(MINILM)
    const found = await teacher.encode(texts)
    const label = texts.map((_, i) => [...found.row(i)])
    const control = await controlTraining(
      {
        trainDataset: await shuffledColumn(Dataset.fromColumns({ text: texts, label }), 'label'),
        loss: new losses.EmbedDistillLoss({ distanceMetric: loss }),
        args: { ...args, warmupSteps: 0.1, seed: 1 },
      },
      evaluator,
      () => teacher.withLayers([0, 2, 4]),
    )
    t.log(`before ${before}, after ${after}, control ${control}`)
    t.true(after > before + 0.01)
    t.true(after > control + 0.05)
    t.deepEqual(await readdir(join(outputDir, 'stages')), ['1-student', '2-teacher', '3-training'])
    const table = (await RunFolder.read(outputDir)).figures.get('teacher-and-student')!
    t.is(table.kind, 'table')
    if (table.kind !== 'table') return
    t.deepEqual(
      table.rows.map(([name, layers]) => [name, layers]),
      [
        ['student, untrained', 3],
        ['student', 3],
        ['teacher', 6],
      ],
    )
  })
}

controlled(
  'kl: a student learns how the teacher divides a query among candidates, and nothing of one that knows nothing',
  async (t) => {
    const rows = await Dataset.fromFile(sharedData('squad/train-question-sentences.jsonl'), {
      columns: ['question', 'answer_sentence'],
    })
    const triplets = (from: number, count: number) => {
      const part = rows.select(Array.from({ length: count }, (_, i) => from + i))
      const [query, positive] = [part.texts('question'), part.texts('answer_sentence')]
      return { query, positive, negative: positive.map((_, i) => positive[(i + 7) % count]!) }
    }
    const held = triplets(3000, 200)
    const evaluator = new evaluation.TripletEvaluator({
      ...{ anchors: held.query, positives: held.positive, negatives: held.negative, name: 'test' },
    })
    const folder = await temporaryFolder(t)
    const run = async (name: string, teacher: Partial<recipes.DistillationOptions>) => {
      const { metrics } = await recipes.distillation({
        ...{ model: MINILM, keepLayers: [0], loss: 'kl', temperature: 0.05, ...teacher, seed: 1 },
        ...{ outputDir: join(folder, name), train: Dataset.fromColumns(triplets(0, 256)), test: evaluator },
        args: { perDeviceTrainBatchSize: 16, learningRate: 1e-3, maxSteps: 16, maxSeqLength: 64, saveStrategy: 'no' },
      })
      return metrics.find(({ name }) => name === 'test_cosine_accuracy')!
    }
    const real = await run('real', {})
    const control = await run('control', { crossEncoder: JUDGE })
    t.log(`before ${real.before}, after ${real.after}, control ${control.after}`)
    t.true(real.after > real.before)
    t.true(real.after > control.after + 0.03)
  },
)

async function tinyOptions(t: ExecutionContext, count: number) {
  const folder = await temporaryFolder(t)
  const model = await tinyFolder(join(folder, 'tiny'))
  const teacher = await tinyFolder(join(folder, 'teacher'), 7)
  const text = Array.from({ length: count }, (_, i) => `${tinyWords[i % 40]} ${tinyWords[(i * 7) % 39]} ${i}`)
  const train = Dataset.fromColumns({
    text: text.map((each, i) => each.replaceAll(/\d/g, (d) => `${tinyWords[Number(d)]} `) + i),
  })
  return { folder, options: { model, teacher, train, args: { saveSteps: 1, loggingSteps: 1, maxSteps: 6 } } }
}

anyTest(
  'a run that is stopped goes on behind the last file of the teacher, and ends with the same model',
  async (t) => {
    const { folder, options } = await tinyOptions(t, 5000)
    const whole = await recipes.distillation({ ...options, outputDir: join(folder, 'whole') })
    const outputDir = join(folder, 'stopped')
    const lines: string[] = []
    for (const last of ['teacher: 4096 of 5000', 'stage 2, training']) {
      const stop = new AbortController()
      let isThere = false
      let writes = 0
      const log = (line: string) => {
        lines.push(line)
        isThere ||= line.startsWith(last)
        if (isThere && last.startsWith('teacher')) stop.abort()
      }
      const progress = { write: () => void (isThere && ++writes === 3 && stop.abort()) }
      await t.throwsAsync(recipes.distillation({ ...options, outputDir }, { log, progress, signal: stop.signal }), {
        code: 'ERR_ABORTED',
      })
    }
    const resumed = await recipes.distillation({ ...options, outputDir }, { log: (line) => lines.push(line) })
    t.is(lines.filter((line) => line === 'teacher: 4096 of 5000').length, 1)
    t.is(lines.filter((line) => line === 'teacher: 5000 of 5000').length, 1)
    for (const name of ['1, teacher', '2, training']) t.true(lines.includes(`stage ${name}: continues`), name)
    const weights = [whole, resumed].map(({ model }) => readFile(join(model, 'model.safetensors')))
    t.true((await weights[0]!).equals(await weights[1]!))

    // Another loss learns from the same numbers.
    const again: string[] = []
    await recipes.distillation({ ...options, outputDir, loss: 'cosine' }, { log: (line) => again.push(line) })
    t.true(again.includes('stage 1, teacher: reused, its inputs are the same'))
    t.true(again.includes('stage 2, training: runs again, because loss changed'))
  },
)

test('a teacher of another width: a layer of the loss, or principal components', async (t) => {
  const { folder, options } = await tinyOptions(t, 200)
  const run = (name: string, more: Partial<recipes.DistillationOptions>) =>
    recipes.distillation({ ...options, teacher: MINILM, outputDir: join(folder, name), ...more })
  const { notes } = await run('projection', {})
  t.true(
    notes.some((note) => note.startsWith("A layer of the loss makes the teacher's 384 numbers of the student's 32")),
  )
  const cut = await run('pca', { widths: 'pca' })
  t.true(cut.notes.includes("The student learns the first 32 principal components of the teacher's 384 numbers."))
  t.deepEqual(await readdir(join(folder, 'pca/stages')), ['1-teacher', '2-components', '3-training'])
  await using student = await SentenceTransformer.load(cut.model)
  t.is(student.embeddingDimension, 32)
  await t.throwsAsync(run('wide', { model: MINILM, teacher: options.model, widths: 'pca' }), {
    code: 'ERR_INVALID_ARGUMENT',
    message: /pca makes embeddings narrower; the teacher's have 32 numbers, the student's 384/,
  })
  const few = options.train.head(20)
  await t.throwsAsync(run('few', { widths: 'pca', train: few }), { code: 'ERR_INVALID_DATA', message: /32, found 20/ })
})

anyTest('what cannot be taught is refused in a line', async (t) => {
  const { folder, options } = await tinyOptions(t, 8)
  const run = (more: Partial<recipes.DistillationOptions>) =>
    recipes.distillation({ ...options, outputDir: join(folder, 'run'), ...more })
  const refused: [Partial<recipes.DistillationOptions>, string, RegExp][] = [
    [{ teacher: undefined as never }, 'ERR_INVALID_ARGUMENT', /expected a teacher, or keepLayers/],
    [{ crossEncoder: JUDGE }, 'ERR_INVALID_ARGUMENT', /a crossEncoder gives scores, and needs loss: kl/],
    [{ crossEncoder: JUDGE, loss: 'kl' }, 'ERR_INVALID_ARGUMENT', /found both/],
    [{ temperature: 2 }, 'ERR_INVALID_ARGUMENT', /temperature has no effect with loss: mse/],
    [{ loss: 'kl', widths: 'pca' }, 'ERR_INVALID_ARGUMENT', /widths has no effect with loss: kl/],
    [{ loss: 'kl' }, 'ERR_INVALID_DATA', /a column of queries and at least two of candidates/],
    [{ keepLayers: [0, 5] }, 'ERR_INVALID_ARGUMENT', /from 0 to 1/],
    [{ keepLayers: 'two' as never }, 'ERR_INVALID_ARGUMENT', /keepLayers/],
  ]
  for (const [more, code, message] of refused) await t.throwsAsync(run(more), { code, message }, String(message))
  const train = Dataset.fromRows([{ query: 'red cat', positive: 'a cat', negative: 'the dog' }])
  const { teacher, ...others } = options
  const three = {
    ...others,
    outputDir: join(folder, 'three'),
    train,
    loss: 'kl',
    crossEncoder: golden('cross-encoder/three'),
  } as const
  await t.throwsAsync(recipes.distillation(three), { message: /one label as crossEncoder, found 3 labels/ })
})
