// Every evaluator against sentence-transformers' own, on the same embeddings: metrics, their order, the primary one, files.

import { readdirSync, readFileSync } from 'node:fs'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import type { EvaluatedModel, Evaluator } from '../../lib/evaluation/evaluator.js'
import * as evaluation from '../../lib/evaluation/index.js'
import { mean } from '../../lib/evaluation/mean.js'
import { SoftmaxLoss } from '../../lib/losses/softmax.js'
import { embeddings, normalizeRows } from '../../lib/models/embeddings.js'
import { temporaryFolder } from '../helpers/model-folders.js'
import { sameResult, sameText } from './evaluator-results.js'

const GOLDEN = new URL('../../../test/parity/golden/evaluators/', import.meta.url)

interface Case {
  evaluator: string
  similarity: EvaluatedModel['similarityFnName']
  // biome-ignore lint/suspicious/noExplicitAny: the options of every evaluator
  options: any
  metrics: Record<string, number>
  primaryMetric: string
  files: Record<string, string>
  /** The second call, where it is with another model. */
  then?: Pick<Case, 'similarity' | 'metrics' | 'primaryMetric'> & { shift: number }
}

const read = (file: string) => JSON.parse(readFileSync(new URL(file, GOLDEN), 'utf8'))
const matrices: Record<string, number[][]> = read('embeddings.json')

/** The model of make_evaluators.py. */
function fakeModel(similarityFnName: EvaluatedModel['similarityFnName'] = 'cosine', shift = 0): EvaluatedModel {
  const prompts: Record<string, string> = { query: 'q: ', document: 'd' }
  const encode: EvaluatedModel['encode'] = async (texts, options = {}) => {
    const prompt = options.prompt ?? prompts[options.promptName ?? ''] ?? ''
    const rows = texts.map((text) => {
      const [, kind, number] = /^([rs])(\d+)/.exec(text)!
      const matrix = matrices[kind!]!
      return matrix[(Number(number) + prompt.length + shift) % matrix.length]!.slice(0, options.truncateDim)
    })
    const [data, width] = [Float32Array.from(rows.flat()), rows[0]!.length]
    return embeddings(options.normalizeEmbeddings ? normalizeRows(data, width) : data, rows.length, width)
  }
  return { similarityFnName, encode, encodeQuery: encode, encodeDocument: encode }
}

/** BEIR folders of the sets in `datasets`. */
async function beirFolders(t: ExecutionContext, datasets: Record<string, Case['options']>) {
  const root = await temporaryFolder(t)
  const folders: Record<string, string> = {}
  for (const [name, { queries, corpus, relevantDocs }] of Object.entries(datasets)) {
    const folder = join(root, name)
    folders[name] = folder
    await mkdir(join(folder, 'qrels'), { recursive: true })
    for (const [file, texts] of Object.entries({ queries, corpus }) as [string, Record<string, string>][]) {
      const lines = Object.entries(texts).map(([_id, text]) => `${JSON.stringify({ _id, text })}\n`)
      await writeFile(join(folder, `${file}.jsonl`), lines.join(''))
    }
    const lines = (Object.entries(relevantDocs) as [string, string[]][]).flatMap(([query, documents]) => [
      ...documents.map((document) => `${query}\t${document}\t1\n`),
      `${query}\td999\t0\n`,
    ])
    await writeFile(join(folder, 'qrels', 'test.tsv'), `query-id\tcorpus-id\tscore\n${lines.join('')}`)
  }
  return folders
}

async function build(t: ExecutionContext, { evaluator, options }: Case): Promise<Evaluator> {
  const teacherModel = fakeModel('cosine', 1)
  switch (evaluator) {
    case 'MSEEvaluator':
      return new evaluation.MSEEvaluator({ ...options, teacherModel })
    case 'MSEEvaluatorFromDataset':
      return new evaluation.MSEEvaluatorFromDataset({ ...options, teacherModel })
    case 'NanoBEIREvaluator':
      return new evaluation.NanoBEIREvaluator({ ...options, datasets: await beirFolders(t, options.datasets) })
    case 'LabelAccuracyEvaluator': {
      const { weight, bias, flags, ...rest } = options
      const [concatenationSentRep, concatenationSentDifference, concatenationSentMultiplication] = flags
      const names = { concatenationSentRep, concatenationSentDifference, concatenationSentMultiplication }
      const lossTensors = {
        'classifier.weight': { shape: [3, weight.length / 3], data: Float32Array.from(weight as number[]) },
        'classifier.bias': { shape: [3], data: Float32Array.from(bias as number[]) },
      }
      return new evaluation.LabelAccuracyEvaluator({
        ...rest,
        loss: new SoftmaxLoss({ numLabels: 3, ...names }),
        lossTensors: weight.length === 24 ? () => lossTensors : lossTensors,
      })
    }
    case 'SequentialEvaluator': {
      const evaluators = [
        new evaluation.BinaryClassificationEvaluator(options.first),
        new evaluation.TranslationEvaluator(options.second),
      ]
      if (!options.mean) return new evaluation.SequentialEvaluator(evaluators)
      return new evaluation.SequentialEvaluator(evaluators, { mainScoreFunction: ([a, b]) => (a! + b!) / 2 })
    }
    default: {
      const classes = evaluation as unknown as Record<string, new (options: object) => Evaluator>
      return new classes[evaluator]!(options)
    }
  }
}

for (const file of readdirSync(GOLDEN).filter((name) => name.startsWith('cases-'))) {
  for (const [name, golden] of Object.entries(read(file) as Record<string, Case>)) {
    test(name, async (t) => {
      const evaluator = await build(t, golden)
      const model = fakeModel(golden.similarity)
      const outputPath = join(await temporaryFolder(t), 'eval')
      sameResult(t, 'evaluators', golden.evaluator, await evaluator.evaluate(model, { outputPath }), golden)
      const { then } = golden
      const other = then === undefined ? model : fakeModel(then.similarity, then.shift)
      const again = await evaluator.evaluate(other, { outputPath, epoch: 0.5, steps: 12 })
      if (then !== undefined) sameResult(t, 'evaluators', golden.evaluator, again, then)
      t.deepEqual((await readdir(outputPath)).sort(), Object.keys(golden.files).sort())
      for (const [file, expected] of Object.entries(golden.files)) {
        sameText(t, file, await readFile(join(outputPath, file), 'utf8'), expected)
      }
    })
  }
}

test('means have the last digit of numpy’s', (t) => {
  for (const [count, expected] of Object.entries(read('means.json') as Record<string, number>)) {
    t.is(mean(Array.from({ length: Number(count) }, (_, i) => ((i * 37) % 101) / 101)), expected)
  }
})
