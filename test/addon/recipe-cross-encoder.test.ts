// `finetune` of cross-encoders: real rows against shuffled ones, and from a file to a measured model by the program.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import anyTest, { type ExecutionContext } from 'ava'
import { parse } from 'yaml'
import { CrossEncoder, crossEncoderLosses, Dataset, evaluation, losses, recipes } from '../../lib/index.js'
import { RunFolder } from '../../lib/report/run-folder.js'
import { callProgram } from '../helpers/call-program.js'
import { temporaryFolder } from '../helpers/model-folders.js'
import { MINILM, runsControls, sharedData, shuffledColumn } from '../helpers/shared.js'
import { tinyFolder, tinyWords } from '../helpers/tiny-folder.js'

const controlled = runsControls ? anyTest : anyTest.skip
const folder = mkdtempSync(join(tmpdir(), 'sentence-torch-pairs-'))
const at = (name: string) => join(folder, name)
const TINY = await tinyFolder(at('tiny'))
anyTest.after.always(() => rmSync(folder, { recursive: true, force: true }))

async function run(t: ExecutionContext, options: Omit<recipes.FinetuneOptions, 'model' | 'outputDir'>) {
  return recipes.finetune({
    ...{ model: MINILM, outputDir: await temporaryFolder(t), modelType: 'cross-encoder', seed: 1 },
    ...options,
    args: { perDeviceTrainBatchSize: 12, maxSteps: 12, saveStrategy: 'no', ...options.args },
  })
}

controlled('questions and answers train a better ranker than shuffled ones', async (t) => {
  const rows = (await Dataset.fromFile(sharedData('squad/train-question-sentences.jsonl'))).selectColumns([
    'question',
    'answer_sentence',
  ])
  const held = rows.select(Array.from({ length: 40 }, (_, i) => -1 - i))
  const answers = held.texts('answer_sentence')
  const samples = held.texts('question').map((query, i) => ({
    ...{ query, positive: answers[i]! },
    negative: Array.from({ length: 8 }, (_, j) => answers[(i + 3 + 5 * j) % answers.length]!),
  }))
  const test = new evaluation.CrossEncoderRerankingEvaluator({ samples, name: 'squad' })
  const train = rows.head(200)
  const args = { learningRate: 2e-4 }
  const real = await run(t, { train, test, args })
  const control = await run(t, { train: await shuffledColumn(train, 'answer_sentence'), test, args })
  const [after, other] = [real, control].map(({ metrics }) => metrics[0]!) as [
    recipes.RecipeMetric,
    recipes.RecipeMetric,
  ]
  t.log(`${after.before} → ${after.after}, control ${other.after}`)
  t.is(after.name, 'squad_ndcg@10')
  t.true(after.after > other.after + 0.1 && after.after > after.before + 0.1)
  t.true(after.interval!.low > 0)
  const { figures } = await RunFolder.read(real.folder)
  t.deepEqual([...figures.keys()].filter((name) => name.startsWith('similarity')).length, 2)
})

const words = tinyWords.slice(0, 12)
const ROWS = Array.from({ length: 240 }, (_, i) => ({
  query: `the ${words[i % 12]} ${i}`,
  passage: `a ${words[(i * (i % 2 ? 1 : 5)) % 12]} is ${i}`,
  label: i % 2,
}))
const jsonl = (name: string, rows: readonly object[]) => {
  writeFileSync(at(name), rows.map((row) => `${JSON.stringify(row)}\n`).join(''))
  return at(name)
}

const KINDS: Record<string, [rows: object[], loss: string, metric: string, more?: object]> = {
  binary: [ROWS, 'BinaryCrossEntropyLoss', 'test_average_precision'],
  scores: [
    ROWS.map(({ query, passage }, i) => ({ query, passage, score: (i % 11) / 2 })),
    'BinaryCrossEntropyLoss',
    'test_spearman',
    { scale: 5 },
  ],
  classes: [ROWS.map((row, i) => ({ ...row, label: i % 3 })), 'CrossEntropyLoss', 'test_f1_macro'],
  pairs: [ROWS.map(({ query, passage }) => ({ query, passage })), 'MultipleNegativesRankingLoss', 'test_ndcg@10'],
}

for (const [name, [rows, loss, metric, more]] of Object.entries(KINDS)) {
  anyTest.serial(`init, train, evaluate: ${name}`, async (t) => {
    const data = jsonl(`${name}.jsonl`, rows)
    const config = at(`${name}.yaml`)
    const init = ['init', data, '--model', TINY, '--output', config, '--run-folder', at(`run-${name}`)]
    const plain = await callProgram([...init, '--force'])
    t.is(plain.code, 0, plain.err)
    t.regex(readFileSync(config, 'utf8'), /# npx sentence-torch init .*jsonl --cross-encoder/)
    const made = await callProgram([...init, '--cross-encoder', '--force'])
    t.is(made.code, 0, made.err)
    const values = parse(readFileSync(config, 'utf8'))
    t.like(values, { loss, modelType: 'cross-encoder', holdOut: 0.1 })
    if (more) t.like(values.train, more)
    const { code, out, err } = await callProgram(['train', config, '--json', '--set', 'training.maxSteps=3'])
    t.is(code, 0, err)
    const result = JSON.parse(out)
    t.is(result.metrics.find(({ data }: { data: string }) => data === 'test').name, metric)
    const model = await CrossEncoder.load(result.model)
    t.is(model.numLabels, name === 'classes' ? 3 : 1)
    await model.dispose()
    const card = readFileSync(join(result.model, 'README.md'), 'utf8')
    t.regex(card, /cross-encoder/i)
    t.true(card.includes(`**${metric.replace('test_', '')}**`), card)
    if (name === 'pairs') return
    const kind = { binary: 'pairs', scores: 'sts', classes: 'nli' }[name]!
    const found = await callProgram(['evaluate', result.model, '--on', `${kind}=${data}`, '--json'])
    t.is(found.code, 0, found.err)
    t.is(JSON.parse(found.out).results[0].primaryMetric, metric.replace('test', name))
    // What is trained on goes on as what it is.
    const again = await callProgram([...init, '--force', '--model', result.model])
    t.is(again.code, 0, again.err)
    t.is(parse(readFileSync(config, 'utf8')).modelType, 'cross-encoder')
  })
}

anyTest('graded lists of documents', async (t) => {
  const train = Dataset.fromColumns({
    query: words,
    documents: words.map((word) => [`a ${word}`, 'a red cat', 'the dog']),
    labels: words.map(() => [1, 0, 0.5]),
  })
  const { metrics, notes } = await recipes.finetune({
    ...{ model: TINY, modelType: 'cross-encoder', outputDir: await temporaryFolder(t), train, holdOut: 0.7 },
    args: { maxSteps: 2, perDeviceTrainBatchSize: 2 },
  })
  t.is(metrics.find(({ data }) => data === 'test')!.name, 'test_ndcg@10')
  t.regex(notes.join(), /held out/)
})

anyTest('wrong types are told before anything is trained', async (t) => {
  const train = Dataset.fromRows(ROWS)
  const outputDir = join(await temporaryFolder(t), 'run')
  const refused = (options: object, code: string, message: RegExp) =>
    t.throwsAsync(recipes.finetune({ model: TINY, outputDir, train, ...options } as recipes.FinetuneOptions), {
      ...{ code, message },
    })
  const pairs = { modelType: 'cross-encoder' }
  await refused({ ...pairs, loss: 'CoSENTLoss' }, 'ERR_INVALID_ARGUMENT', /no loss "CoSENTLoss" of cross-encoders/)
  await refused({ loss: 'BinaryCrossEntropyLoss' }, 'ERR_INVALID_ARGUMENT', /of models of embeddings/)
  await refused({ ...pairs, loss: new losses.CoSENTLoss() }, 'ERR_INVALID_ARGUMENT', /crossEncoderLosses/)
  await refused({ loss: new crossEncoderLosses.MSELoss() }, 'ERR_INVALID_ARGUMENT', /modelType is embedding/)
  await refused({ ...pairs, test: { banking77: 'x' } }, 'ERR_INVALID_ARGUMENT', /banking77 measures embeddings/)
  const classes = Dataset.fromRows(ROWS.map(({ query, label }) => ({ query, label })))
  await refused({ ...pairs, train: classes }, 'ERR_INVALID_DATA', /reads two texts together/)
  const model = await CrossEncoder.load(TINY)
  await model.save(at('ranker'))
  await model.dispose()
  await refused({ model: at('ranker') }, 'ERR_INVALID_ARGUMENT', /is a cross-encoder: modelType cross-encoder/)
  const config = at('wrong.yaml')
  writeFileSync(config, `model: ${TINY}\noutputDir: x\ntrain: x\nmodelType: cross-encoder\nloss: CoSENTLoss\n`)
  const { code, err } = await callProgram(['train', config])
  t.is(code, 1)
  t.regex(err, /wrong\.yaml:5:7: loss: there is no "CoSENTLoss"/)
})
