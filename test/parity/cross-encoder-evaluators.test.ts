// Every evaluator of cross-encoders against sentence-transformers' own, on the same scores: metrics, order, files.
import { readFileSync } from 'node:fs'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import type { CrossEncoderEvaluator, EvaluatedCrossEncoder } from '../../lib/evaluation/cross-encoder/index.js'
import * as evaluation from '../../lib/evaluation/cross-encoder/index.js'
import { temporaryFolder } from '../helpers/model-folders.js'
import { report } from './report.js'

interface Beir {
  corpus: Record<string, string>
  queries: Record<string, string>
  qrels: Record<string, string[]>
  bm25: Record<string, string[]>
}
interface Case {
  evaluator: string
  // biome-ignore lint/suspicious/noExplicitAny: the options of every evaluator
  options: any
  numLabels: number
  metrics: [string, number][]
  primaryMetric: string
  files: Record<string, string>
}

const cases = JSON.parse(
  readFileSync(new URL('../../../test/parity/golden/cross-encoder-evaluators.json', import.meta.url), 'utf8'),
) as Case[]

/** The model of make_cross_encoder_evaluators.py. */
function fakeModel(numLabels: number): EvaluatedCrossEncoder {
  return {
    numLabels,
    predict: async (pairs) => {
      const rows = pairs.map(([, text]) => text.split(' = ')[1]!.split(' ').map(Number))
      const data = Float32Array.from(rows.flat())
      const row = (i: number) => data.subarray(i * numLabels, (i + 1) * numLabels)
      return { data, shape: numLabels === 1 ? [pairs.length] : [pairs.length, numLabels], row }
    },
  }
}

const jsonl = (rows: object[]) => rows.map((row) => `${JSON.stringify(row)}\n`).join('')

async function writeSet(folder: string, { corpus, queries, qrels, bm25 }: Beir): Promise<void> {
  await mkdir(join(folder, 'qrels'), { recursive: true })
  for (const [file, texts] of Object.entries({ corpus, queries })) {
    const rows = Object.entries(texts).map(([_id, text]) => ({ _id, text }))
    await writeFile(join(folder, `${file}.jsonl`), jsonl(rows))
  }
  const judged = Object.entries(qrels).flatMap(([query, ids]) => ids.map((id) => `${query}\t${id}\t1\n`))
  await writeFile(join(folder, 'qrels', 'test.tsv'), `query-id\tcorpus-id\tscore\n${judged.join('')}`)
  const found = Object.entries(bm25).map(([query, ids]) => ({ 'query-id': query, 'corpus-ids': ids }))
  await writeFile(join(folder, 'bm25.jsonl'), jsonl(found))
}

async function make(t: ExecutionContext, { evaluator, options }: Case): Promise<CrossEncoderEvaluator> {
  if (evaluator !== 'CrossEncoderNanoBEIREvaluator') {
    return new (evaluation as unknown as Record<string, new (options: object) => CrossEncoderEvaluator>)[evaluator]!(
      options,
    )
  }
  const { sets, ...rest } = options as { sets: Record<string, Beir>; aggregateKey?: string }
  const root = await temporaryFolder(t)
  const folders: Record<string, string> = { msmarco: 'NanoMSMARCO', nq: 'NanoNQ', NQ: 'NanoNQ' }
  for (const [name, set] of Object.entries(sets)) await writeSet(join(root, folders[name]!), set)
  if (rest.aggregateKey === 'max') Object.assign(rest, { aggregateFn: (values: number[]) => Math.max(...values) })
  return new evaluation.CrossEncoderNanoBEIREvaluator({ folder: root, datasetNames: Object.keys(sets), ...rest })
}

for (const [i, entry] of cases.entries()) {
  test(`${entry.evaluator} ${i} equals Python’s`, async (t) => {
    const outputPath = join(await temporaryFolder(t), 'eval')
    const evaluator = await make(t, entry)
    const model = fakeModel(entry.numLabels)
    const { metrics, primaryMetric } = await evaluator.evaluate(model, { outputPath })
    await evaluator.evaluate(model, { outputPath, epoch: 0.5, steps: 7 })
    t.deepEqual(
      Object.keys(metrics),
      entry.metrics.map(([key]) => key),
    )
    t.is(primaryMetric, entry.primaryMetric)
    for (const [key, value] of entry.metrics) {
      const deviation = Math.abs(metrics[key]! - value)
      t.true(deviation < 1e-12, `${key}: ${metrics[key]}, expected ${value}`)
      report('cross-encoder-evaluators', entry.evaluator, { deviation, allowed: 1e-12 })
    }
    t.deepEqual((await readdir(outputPath)).sort(), Object.keys(entry.files).sort())
    for (const [name, expected] of Object.entries(entry.files)) {
      const rows = (text: string) => text.split(/\r?\n/).map((line) => line.split(','))
      const found = await readFile(join(outputPath, name), 'utf8')
      t.is(found.includes('\r\n'), expected.includes('\r\n'), 'line ends')
      const [foundRows, expectedRows] = [rows(found), rows(expected)]
      t.deepEqual(foundRows[0], expectedRows[0])
      t.is(foundRows.length, expectedRows.length)
      for (const [r, row] of expectedRows.entries()) {
        row.forEach((cell, c) => {
          const same = cell === foundRows[r]![c] || Math.abs(Number(cell) - Number(foundRows[r]![c])) < 1e-12
          t.true(same, `${name}: ${cell}, found ${foundRows[r]![c]}`)
        })
      }
    }
  })
}

test('data that does not fit is refused', async (t) => {
  const { CrossEncoderClassificationEvaluator: Classes, CrossEncoderRerankingEvaluator: Reranking } = evaluation
  const pairs: [string, string][] = [['a', 'b = 1']]
  t.throws(() => new Classes({ sentencePairs: pairs, labels: [0, 1] }), { code: 'ERR_INVALID_DATA' })
  t.throws(() => new Classes({ sentencePairs: [['a']] as unknown as typeof pairs, labels: [0] }), { message: /row 0/ })
  t.throws(() => new Classes({ sentencePairs: pairs, labels: [0.5] }), { message: /whole number/ })
  await t.throwsAsync(new Classes({ sentencePairs: pairs, labels: [2] }).evaluate(fakeModel(1)), { message: /0 and 1/ })
  t.throws(() => new Reranking({ samples: [{ query: 'q', positive: 'a' }] }), {
    message: /either negative or documents/,
  })
  t.throws(() => new Reranking({ samples: [], atK: 3 }), { code: 'ERR_INVALID_DATA' })
  t.throws(() => new Reranking({ samples: [], mrrAtK: 3 } as object as { samples: [] }), {
    code: 'ERR_NOT_IMPLEMENTED',
  })
  await t.throwsAsync(
    new Reranking({ samples: [{ query: 'q', positive: 'a', negative: ['b'] }] }).evaluate(fakeModel(2)),
    { message: /one label/ },
  )
  t.throws(() => new evaluation.CrossEncoderNanoBEIREvaluator({}), { code: 'ERR_INVALID_ARGUMENT' })
})

test.serial('the old names work and say that they are old', async (t) => {
  const warnings: string[] = []
  const listen = (warning: Error) => warnings.push(`${warning.name}: ${warning.message}`)
  process.on('warning', listen)
  const examples = [0, 1].map((label) => ({ texts: ['q', `d = ${label}`] as [string, string], label }))
  const old = evaluation.CEBinaryClassificationEvaluator.fromInputExamples(examples, { name: 'old' })
  const { metrics } = await old.evaluate(fakeModel(1))
  await new Promise((resolve) => setImmediate(resolve))
  process.off('warning', listen)
  t.is(metrics.old_average_precision, 1)
  t.true(old instanceof evaluation.CrossEncoderClassificationEvaluator)
  t.true(warnings.some((text) => /^DeprecationWarning: CEBinaryClassificationEvaluator/.test(text)))
})
