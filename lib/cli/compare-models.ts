/** `sentence-torch compare`: data are read and checked before the first model is loaded. */
import { basename, dirname, resolve } from 'node:path'
import { readAllTexts } from '../data/input-texts.js'
import { SentenceTorchError } from '../errors.js'
import { differenceText } from '../evaluation/bootstrap.js'
import { throwIfAborted } from '../io/abort.js'
import { writeFileAtomic } from '../io/atomic.js'
import { makeFolder } from '../io/files.js'
import { failedTo } from '../io/system-error.js'
import { SentenceTransformer } from '../models/sentence-transformer.js'
import { loadEvaluator } from '../recipes/evaluation-spec.js'
import { loadData } from '../recipes/load-data.js'
import {
  type ComparedMetric,
  type ComparisonData,
  compareMetrics,
  type MeasuredModel,
  measureModel,
  modelComparisonPage,
} from '../report/model-comparison.js'
import { textOf, textsOf, UsageError, type Values } from './command.js'
import { evaluationSpec } from './evaluate-model.js'
import type { Io } from './io.js'
import { loadOptions } from './model-options.js'

const MOST_SENTENCES = 40

export async function compareModels(values: Values, io: Io): Promise<number> {
  const { words: names } = values
  if (new Set(names).size < names.length) {
    throw new UsageError('ERR_INVALID_ARGUMENT', 'compare takes each model once', 'compare')
  }
  const data = await comparisonData(values, io)
  const file = resolve(textOf(values, 'output') ?? 'comparison.html')
  await makeFolder(dirname(file)).catch(failedTo(`make the folder ${dirname(file)}`))
  const measured: MeasuredModel[] = []
  for (const name of names) {
    throwIfAborted(io.signal, 'The comparison')
    const model = await SentenceTransformer.load(name, loadOptions(values, io))
    try {
      measured.push(await measureModel(name, model, data, io.signal))
    } finally {
      await model.dispose()
    }
  }
  const metrics = await compareMetrics(measured, data)
  await writeFileAtomic(file, await modelComparisonPage(measured, metrics))
  io.out(
    values.options.json
      ? `${JSON.stringify({ file, models: names, metrics }, null, 2)}\n`
      : shown(file, names, metrics),
  )
  return 0
}

async function comparisonData(values: Values, io: Io): Promise<ComparisonData> {
  const [sentences, on] = [textOf(values, 'sentences'), textsOf(values, 'on')]
  if (sentences === undefined && on.length === 0) {
    const message = 'compare needs data: --sentences <file>, --on <file or folder>, or both'
    throw new UsageError('ERR_INVALID_ARGUMENT', message, 'compare')
  }
  const data = {
    pairs: [] as NonNullable<ComparisonData['pairs']>[number][],
    triplets: [] as NonNullable<ComparisonData['triplets']>[number][],
    evaluators: [] as NonNullable<ComparisonData['evaluators']>[number][],
  }
  const options = { signal: io.signal, where: '--on' }
  for (const text of on) {
    const spec = await evaluationSpec(text, values, io)
    const name = uniqueName(spec.name ?? basename(text), data)
    if (spec.sts !== undefined) {
      const { dataset } = await loadData(spec.sts, options)
      const [texts1, texts2] = dataset.textColumns.map((column) => dataset.texts(column))
      const gold = dataset.labels()
      // Checks columns and labels, and says what is wrong with them.
      await loadEvaluator(spec, options)
      data.pairs.push({ name, texts1: texts1!, texts2: texts2!, gold: gold as readonly number[] })
    } else if (spec.triplets !== undefined) {
      const { dataset } = await loadData(spec.triplets, options)
      await loadEvaluator(spec, options)
      const [anchors, positives, negatives] = dataset.textColumns.map((column) => dataset.texts(column))
      data.triplets.push({ name, anchors: anchors!, positives: positives!, negatives: negatives! })
    } else data.evaluators.push({ name, evaluator: await loadEvaluator(spec, options) })
  }
  return { ...data, ...(sentences !== undefined && { sentences: await readSentences(sentences, io) }) }
}

/** The name of a file, with a number where another one has it. */
function uniqueName(name: string, data: Readonly<Record<string, readonly { name: string }[]>>): string {
  const taken = Object.values(data).flatMap((list) => list.map((entry) => entry.name))
  let unique = name
  for (let n = 2; taken.includes(unique); n++) unique = `${name} (${n})`
  return unique
}

async function readSentences(path: string, io: Io): Promise<string[]> {
  const texts: string[] = []
  for await (const some of readAllTexts({ inputs: [path], stdin: io.stdin })) {
    texts.push(...some.filter((text) => text.trim() !== ''))
    if (texts.length > MOST_SENTENCES) {
      const message = `Expected at most ${MOST_SENTENCES} sentences in ${path}: a heat map of more cannot be read`
      throw new SentenceTorchError('ERR_INVALID_DATA', message)
    }
  }
  if (texts.length === 0) throw new SentenceTorchError('ERR_INVALID_DATA', `Expected sentences in ${path}, found none`)
  return texts
}

function shown(file: string, names: readonly string[], metrics: readonly ComparedMetric[]): string {
  const lines = metrics.flatMap(({ data, metric, values, intervals }) => [
    `${data}: ${metric}`,
    ...values.map((value, i) => {
      const interval = i > 0 ? intervals?.[i - 1] : undefined
      return `  ${value.toFixed(4)}  ${names[i]}${interval ? `  ${differenceText(interval)}` : ''}`
    }),
  ])
  return [...lines, file, ''].join('\n')
}
