// One evaluator for several models: what it measures, what it calls the primary metric, and the file that it goes on with.
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { appendCsv } from '../../lib/evaluation/csv.js'
import type { EvaluatedModel } from '../../lib/evaluation/evaluator.js'
import * as evaluation from '../../lib/evaluation/index.js'
import { embeddings } from '../../lib/models/embeddings.js'
import { temporaryFolder } from '../helpers/model-folders.js'

const encode: EvaluatedModel['encode'] = async (texts) => {
  const rows = texts.map((text) => text.split(' ').map(Number))
  return embeddings(Float32Array.from(rows.flat()), rows.length, rows[0]!.length)
}
const modelOf = (similarityFnName: EvaluatedModel['similarityFnName']): EvaluatedModel => ({
  ...{ similarityFnName, encode, encodeQuery: encode, encodeDocument: encode },
})

async function warningsOf(work: () => Promise<unknown>): Promise<{ code?: string; message: string }[]> {
  const warnings: (Error & { code?: string })[] = []
  const listener = (warning: Error) => warnings.push(warning)
  process.on('warning', listener)
  await work()
  await new Promise((resolve) => setImmediate(resolve))
  process.off('warning', listener)
  return warnings.map(({ code, message }) => ({ ...(code !== undefined && { code }), message }))
}

const two = ['1 0', '0 1']
const pairs = { sentences1: [...two, '1 1'], sentences2: [...two, '1 2'] }
const evaluators = {
  EmbeddingSimilarityEvaluator: new evaluation.EmbeddingSimilarityEvaluator({ ...pairs, scores: [1, 2, 3] }),
  BinaryClassificationEvaluator: new evaluation.BinaryClassificationEvaluator({ ...pairs, labels: [1, 0, 1] }),
  TripletEvaluator: new evaluation.TripletEvaluator({ anchors: two, positives: two, negatives: ['2 1', '1 2'] }),
}

for (const [name, evaluator] of Object.entries(evaluators)) {
  test(`${name} measures the similarity of the model of each call`, async (t) => {
    for (const similarity of ['cosine', 'dot', 'euclidean'] as const) {
      const { metrics, primaryMetric } = await evaluator.evaluate(modelOf(similarity))
      t.true(primaryMetric in metrics)
      t.true(
        Object.keys(metrics).every((key) => key.includes(similarity)),
        Object.keys(metrics).join(),
      )
    }
  })
}

const retrieval = { queries: { q: '1 0' }, corpus: { d: '0 1', e: '1 0' }, relevantDocs: { q: ['e'] } }

test('a main score that is not measured is refused before anything is embedded', async (t) => {
  const silent = { ...modelOf('dot'), encodeQuery: () => t.fail() } as unknown as EvaluatedModel
  const error = {
    code: 'ERR_INVALID_ARGUMENT',
    message: /Expected dot, the similarity of the model.*mainScoreFunction/,
  }
  const { InformationRetrievalEvaluator: Retrieval, NanoBEIREvaluator: Nano } = evaluation
  await t.throwsAsync(new Retrieval({ ...retrieval, mainScoreFunction: 'cosine' }).evaluate(silent), error)
  await t.throwsAsync(new Nano({ folder: 'nowhere', mainScoreFunction: 'cosine' }).evaluate(silent), error)
})

test('a sequence takes what each evaluator calls its primary metric now', async (t) => {
  const sequence = new evaluation.SequentialEvaluator([new evaluation.InformationRetrievalEvaluator(retrieval)])
  for (const similarity of ['cosine', 'dot'] as const) {
    const { metrics } = await sequence.evaluate(modelOf(similarity))
    t.is(metrics.sequential_score, 1)
    t.is(metrics[`${similarity}_ndcg@10`], 1)
  }
})

async function nanoFolder(t: ExecutionContext): Promise<string> {
  const folder = join(await temporaryFolder(t), 'NanoNQ')
  await mkdir(join(folder, 'qrels'), { recursive: true })
  await writeFile(join(folder, 'queries.jsonl'), '{"_id":"q","text":"1 0"}\n')
  await writeFile(join(folder, 'qrels', 'test.tsv'), 'query-id\tcorpus-id\tscore\nq\te\t1\n')
  return folder
}

test('sets that could not be read are read again at the next call', async (t) => {
  const folder = await nanoFolder(t)
  const nano = new evaluation.NanoBEIREvaluator({ datasets: { nq: folder } })
  const crossed = new evaluation.CrossEncoderNanoBEIREvaluator({ datasets: { nq: folder } })
  const scorer = {
    numLabels: 1,
    predict: async (all: readonly unknown[]) => {
      const data = new Float32Array(all.length).fill(0.5)
      return { data, shape: [all.length] as [number], row: (i: number) => data.subarray(i, i + 1) }
    },
  }
  await t.throwsAsync(nano.evaluate(modelOf('cosine')), { message: /corpus\.jsonl/ })
  await t.throwsAsync(crossed.evaluate(scorer), { message: /corpus\.jsonl/ })
  await writeFile(join(folder, 'corpus.jsonl'), '{"_id":"d","text":"0 1"}\n{"_id":"e","text":"1 0"}\n')
  await writeFile(join(folder, 'bm25.jsonl'), '{"query-id":"q","corpus-ids":["d","e"]}\n')
  t.is((await nano.evaluate(modelOf('cosine'))).metrics['NanoBEIR_mean_cosine_ndcg@10'], 1)
  t.true('NanoBEIR_R100_mean_ndcg@10' in (await crossed.evaluate(scorer)).metrics)
})

test.serial('a CSV file with another header is warned about once, and goes on', async (t) => {
  const folder = await temporaryFolder(t)
  const write = (headers: string[], lineEnd?: string) => appendCsv(folder, 'a.csv', headers, ['1', '2', '3'], lineEnd)
  const [cosine, dot] = ['cosine', 'dot'].map((fn) => ['epoch', 'steps', `${fn}_ap`]) as [string[], string[]]
  t.deepEqual(await warningsOf(() => write(cosine).then(() => write(cosine))), [])
  const warnings = await warningsOf(async () => {
    for (let i = 0; i < 3; i++) await write(dot)
    await write([...cosine, 'cosine_mcc'])
  })
  t.deepEqual(
    warnings.map(({ code }) => code),
    ['WARN_CSV_HEADER', 'WARN_CSV_HEADER'],
  )
  t.regex(warnings[0]!.message, /a\.csv.*dot_ap/)
  t.is((await readFile(join(folder, 'a.csv'), 'utf8')).split('\r\n').length, 1 + 6 + 1)
  // Written with other line ends, or without any: the same header.
  for (const text of ['epoch,steps,cosine_ap\n', 'epoch,steps,cosine_ap']) {
    await writeFile(join(folder, 'a.csv'), text)
    t.deepEqual(await warningsOf(() => write(cosine)), [])
  }
  await writeFile(join(folder, 'a.csv'), '')
  await write(cosine, '\n')
  t.is(await readFile(join(folder, 'a.csv'), 'utf8'), 'epoch,steps,cosine_ap\n1,2,3\n')
})
