// Commands that make pages: report and compare. Their numbers are those of the library.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { spearman } from '../../lib/evaluation/correlation.js'
import { Dataset, evaluation, losses, SentenceTransformer, SentenceTransformerTrainer } from '../../lib/index.js'
import { callProgram } from '../helpers/call-program.js'
import { HOSTILE, makeRun } from '../helpers/run-folders.js'
import { elementsOf } from '../helpers/svg.js'
import { tinyFolder, tinyWords } from '../helpers/tiny-folder.js'

const folder = mkdtempSync(join(tmpdir(), 'sentence-torch-cli-report-'))
test.after.always(() => rmSync(folder, { recursive: true, force: true }))
const at = (name: string) => join(folder, name)

const text = (i: number) => `${tinyWords[i % 40]} ${tinyWords[(i * 7) % 40]} ${tinyWords[i % 5]}`
const ROWS = Array.from({ length: 60 }, (_, i) => ({
  sentence1: text(i),
  sentence2: text(i + (i % 6)),
  score: 1 - (i % 6) / 5,
}))
const TRIPLETS = Array.from({ length: 20 }, (_, i) => ({
  anchor: text(i),
  positive: text(i + 1),
  negative: text(i + 9),
}))
const lines = (rows: readonly object[]) => rows.map((row) => `${JSON.stringify(row)}\n`).join('')
writeFileSync(at('sts.jsonl'), lines(ROWS))
writeFileSync(at('triplets.jsonl'), lines(TRIPLETS))
writeFileSync(at('sentences.txt'), `red cat\nthe snow\n\n${HOSTILE}\n`)

test.before(async () => {
  await tinyFolder(at('base'))
  const model = await SentenceTransformer.load(at('base'))
  const trainer = new SentenceTransformerTrainer({
    ...{ model, trainDataset: Dataset.fromRows(ROWS), loss: new losses.CoSENTLoss(), progress: false },
    args: {
      outputDir: at('out'),
      numTrainEpochs: 4,
      perDeviceTrainBatchSize: 20,
      learningRate: 5e-3,
      saveStrategy: 'no',
    },
  })
  await trainer.train()
  await model.save(at('trained'))
  await model.dispose()
})

test.serial('compare: metrics, intervals to the first model, and a heat map for each', async (t) => {
  const data = ['--on', `sts=${at('sts.jsonl')}`, '--on', at('triplets.jsonl')]
  const page = ['--sentences', at('sentences.txt'), '--output', at('pages/ab.html')]
  const { code, out, err } = await callProgram(['compare', at('base'), at('trained'), ...data, ...page, '--json'])
  t.is(code, 0, err)
  const { file, models, metrics } = JSON.parse(out)
  t.is(file, at('pages/ab.html'))
  t.deepEqual(models, [at('base'), at('trained')])
  const gold = ROWS.map(({ score }) => score)
  const scores: Float32Array[] = []
  for (const name of models as string[]) {
    const model = await SentenceTransformer.load(name)
    const [a, b] = [
      await model.encode(ROWS.map(({ sentence1 }) => sentence1)),
      await model.encode(ROWS.map(({ sentence2 }) => sentence2)),
    ]
    scores.push(model.similarityPairwise(a, b))
    await model.dispose()
  }
  const [sts, triplets] = metrics
  t.like(sts, { data: 'sts', metric: 'Spearman' })
  for (const [i, value] of (sts.values as number[]).entries())
    t.true(Math.abs(value - spearman(gold, scores[i]!)) < 1e-6)
  t.true(sts.values[1] > sts.values[0] + 0.1, `${sts.values}`)
  const expected = await evaluation.pairedBootstrapCorrelation({ gold, before: scores[0]!, after: scores[1]! })
  t.true(Math.abs(sts.intervals[0].low - expected.low) < 1e-6 && Math.abs(sts.intervals[0].high - expected.high) < 1e-6)
  const { anchors, positives, negatives } = {
    anchors: TRIPLETS.map((row) => row.anchor),
    positives: TRIPLETS.map((row) => row.positive),
    negatives: TRIPLETS.map((row) => row.negative),
  }
  const evaluator = new evaluation.TripletEvaluator({ anchors, positives, negatives })
  for (const [i, name] of (models as string[]).entries()) {
    const model = await SentenceTransformer.load(name)
    const result = await evaluator.evaluate(model)
    // Python's accuracy has the rounding of float32.
    t.true(Math.abs(triplets.values[i] - result.metrics[result.primaryMetric]!) < 1e-6)
    await model.dispose()
  }
  const elements = elementsOf(readFileSync(file, 'utf8'))
  t.deepEqual(
    elements.filter(({ name }) => ['script', 'img'].includes(name)),
    [],
  )
  const heats = elements.filter(({ attributes }) => /row: red cat/.test(attributes['aria-label'] ?? ''))
  t.is(heats.length, 2 * 3)
  t.true(elements.some(({ name, text: cell }) => name === 'td' && cell.startsWith(sts.values[1].toFixed(4))))
})

test.serial('compare: the same model twice has no measurable difference, in words', async (t) => {
  const same = at('base/')
  const { code, out, err } = await callProgram([
    'compare',
    at('base'),
    same,
    '--on',
    at('sts.jsonl'),
    '--output',
    at('same.html'),
  ])
  t.is(code, 0, err)
  t.regex(out, /no measurable difference \(95 %: \+0\.0000 to \+0\.0000\)\n.*same\.html\n$/)
  t.regex(readFileSync(at('same.html'), 'utf8'), /no measurable difference/)
})

test.serial('report: a page of one run, a comparison of several', async (t) => {
  for (const name of ['one', 'two']) await makeRun(at(name), { text: name })
  const single = await callProgram(['report', at('one')])
  t.deepEqual([single.code, single.out], [0, `${at('one/report.html')}\n`], single.err)
  const both = await callProgram(['report', at('one'), at('two'), '--output', at('c.html'), '--json'])
  t.deepEqual([both.code, JSON.parse(both.out)], [0, { file: at('c.html') }], both.err)
  t.regex(readFileSync(at('c.html'), 'utf8'), /Comparison of 2 runs/)
})

const misuses: [string[], number, RegExp][] = [
  [['report'], 2, /report needs/],
  [['report', at('one'), '--output', 'x.html'], 2, /--output is for several runs/],
  [['report', folder], 1, /is not the folder of a run: it has no run\.json/],
  [['compare', at('base')], 2, /compare needs data: --sentences/],
  [['compare', at('base'), at('base'), '--on', at('sts.jsonl')], 2, /takes each model once/],
  [['compare', at('base'), '--sentences', at('none.txt')], 1, /none\.txt/],
]
test.serial('what cannot be done is told, with its exit code', async (t) => {
  for (const [words, code, message] of misuses) {
    const found = await callProgram(words)
    t.is(found.code, code, found.err)
    t.regex(found.err, message)
  }
})
