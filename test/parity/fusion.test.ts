// Reciprocal rank fusion against sentence-transformers' evaluator (make_fusion.py).
import { readFileSync } from 'node:fs'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { type FusionSample, ReciprocalRankFusionEvaluator } from '../../lib/evaluation/reciprocal-rank-fusion.js'
import { reciprocalRankFusion } from '../../lib/search/util.js'
import { camel } from './rankings.js'
import { report } from './report.js'

interface Golden {
  dense: Record<string, unknown>[]
  sparse: Record<string, unknown>[]
  cases: {
    options: Record<string, unknown>
    metrics: Record<string, number>
    primary: string
    files: Record<string, string>
  }[]
}

const golden: Golden = JSON.parse(
  readFileSync(new URL('../../../test/parity/golden/fusion.json', import.meta.url), 'utf8'),
)
/** Sums of gains are added in another order. */
const TOLERANCE = 1e-15
const digits = (text: string) => text.replace(/0\.\d{12}\d+/g, (number) => Number(number).toFixed(12))
const samples = (side: 'dense' | 'sparse') => golden[side].map((sample) => camel(sample) as unknown as FusionSample)

test('ReciprocalRankFusionEvaluator has the metrics and files of Python', async (t) => {
  for (const { options, metrics, primary, files } of golden.cases) {
    const evaluator = new ReciprocalRankFusionEvaluator({
      denseSamples: samples('dense'),
      sparseSamples: samples('sparse'),
      ...camel(options),
    })
    const outputPath = await mkdtemp(join(tmpdir(), 'fusion-'))
    const found = await evaluator.evaluate(undefined, { outputPath, epoch: 1, steps: 20 })
    t.deepEqual(Object.keys(found.metrics), Object.keys(metrics))
    for (const [key, value] of Object.entries(metrics)) {
      const deviation = Math.abs(found.metrics[key]! - value)
      t.true(deviation <= TOLERANCE, key)
      report('fusion', 'ReciprocalRankFusionEvaluator', { deviation, allowed: TOLERANCE })
    }
    t.is(found.primaryMetric, primary)
    t.deepEqual((await readdir(outputPath)).sort(), Object.keys(files))
    // Python writes the epoch that it was given, which is an integer here and a float in its trainer.
    for (const [name, text] of Object.entries(files))
      t.is(digits(await readFile(join(outputPath, name), 'utf8')), digits(text.replace('\r\n1,20', '\r\n1.0,20')))
    await rm(outputPath, { recursive: true })
  }
})

test('hits of several searches become one ranking; equal sums keep the order of the first', (t) => {
  const hits = (...ids: number[]) =>
    ids.map((corpusId, i) => ({ corpusId, score: 1 - i / 10, text: `text ${corpusId}` }))
  const [dense, sparse] = [
    [hits(4, 2, 7), hits(1)],
    [hits(9, 7), hits()],
  ]
  const fused = reciprocalRankFusion([dense, sparse])
  t.deepEqual(
    fused.map((list) => list.map(({ corpusId, score, text }) => [corpusId, score, text])),
    [
      [
        [7, 1 / 63 + 1 / 62, 'text 7'],
        [4, 1 / 61, 'text 4'],
        [9, 1 / 61, 'text 9'],
        [2, 1 / 62, 'text 2'],
      ],
      [[1, 1 / 61, 'text 1']],
    ],
  )
  t.deepEqual(
    reciprocalRankFusion([dense, sparse], { rrfK: 0, topK: 2 }).map((list) => list.map(({ corpusId }) => corpusId)),
    [[4, 9], [1]],
  )
  t.deepEqual(reciprocalRankFusion([]), [])
})

test('what does not fit is refused', (t) => {
  const refused = (work: () => unknown, code: string, message: RegExp) => t.throws(work, { code, message })
  refused(() => reciprocalRankFusion([[[]], []]), 'ERR_INVALID_ARGUMENT', /hits of 1 queries for rankings\[1\]/)
  refused(() => reciprocalRankFusion([[{}]] as never), 'ERR_INVALID_ARGUMENT', /rankings/)
  refused(() => reciprocalRankFusion([[[{ score: 1 }]]] as never), 'ERR_INVALID_ARGUMENT', /rankings\[0\]\[0\]\[0\]/)
  refused(() => reciprocalRankFusion([[[null]]] as never), 'ERR_INVALID_ARGUMENT', /an integer as corpusId/)
  refused(() => reciprocalRankFusion([], { rrfK: -1 }), 'ERR_INVALID_ARGUMENT', /rrfK/)
  const denseSamples = samples('dense')
  const made = (options: object) => () =>
    new ReciprocalRankFusionEvaluator({ denseSamples, sparseSamples: denseSamples, ...options })
  refused(made({ sparseSamples: denseSamples.slice(1) }), 'ERR_INVALID_DATA', /found 16 and 15/)
  refused(
    made({ sparseSamples: denseSamples.toReversed() }),
    'ERR_INVALID_DATA',
    /queryId in samples 0.*"q0" and "q15"/,
  )
  refused(made({ sparseSamples: [{ query: 'x' }] }), 'ERR_INVALID_DATA', /sparseSamples\[0\]/)
  refused(made({ batchSize: 3 }), 'ERR_UNKNOWN_OPTION', /batchSize/)
})
