/** `sentence-torch mine`: hard negatives for the pairs of a file. */
import type { Dataset } from '../data/dataset.js'
import { readAllTexts } from '../data/input-texts.js'
import { SentenceTorchError } from '../errors.js'
import { CrossEncoder } from '../models/cross-encoder.js'
import { SentenceTransformer } from '../models/sentence-transformer.js'
import { loadData } from '../recipes/load-data.js'
import { EndpointJudge } from '../recipes/negatives/endpoint-judge.js'
import { EndpointWriter } from '../recipes/negatives/endpoint-writer.js'
import { writeLabelSheet } from '../recipes/negatives/label-sheet.js'
import { writeMiningReport } from '../report/mining-page.js'
import { mineHardNegatives } from '../search/hard-negatives/mine.js'
import type { MineHardNegativesOptions } from '../search/hard-negatives/options.js'
import type { MiningStatistics } from '../search/hard-negatives/statistics-types.js'
import { given, numberOf, textOf, UsageError, type Values } from './command.js'
import { checkApart, checkDataOutput } from './data-output.js'
import type { Io } from './io.js'
import { loadOptions, pairLoadOptions } from './model-options.js'
import { tellBadRows } from './progress.js'
import { serviceOf } from './service-options.js'

/** Options of the program and of `mineHardNegatives`. */
const NAMES = {
  ...{ negatives: 'numNegatives', format: 'outputFormat', scores: 'outputScores', sampling: 'samplingStrategy' },
  ...{ 'relative-margin': 'relativeMargin', 'absolute-margin': 'absoluteMargin', 'max-score': 'maxScore' },
  ...{ 'min-score': 'minScore', 'range-min': 'rangeMin', 'range-max': 'rangeMax', seed: 'seed' },
  ...{ 'batch-size': 'batchSize', difficulty: 'difficulty' },
}
/** The format for people, which is made of triplets with scores. */
const SHEET = 'label-sheet'

export async function mineNegatives(values: Values, io: Io): Promise<number> {
  const [name, pairs] = values.words as [string, string]
  const isDry = values.options['dry-run'] === true
  const isSheet = textOf(values, 'format') === SHEET
  const output = isDry ? '' : outputOf(values, isSheet)
  const service = helperOf(values, output)
  const written = {
    '--output': output,
    '--answers': service && answersOf(values, output),
    '--report': textOf(values, 'report'),
  }
  checkApart([pairs, textOf(values, 'corpus')], written, 'mine')
  if (isDry && service === undefined) throw misuse('--dry-run shows what a service would be asked: add --endpoint')
  const dataset = await readPairs(pairs, values, io)
  if (isDry && service instanceof EndpointWriter) return planOfWriter(service, dataset, values, io)
  const corpus = await readCorpus(values, io)
  const model = await SentenceTransformer.load(name, loadOptions(values, io))
  const scorerName = textOf(values, 'cross-encoder')
  let scorer: CrossEncoder | undefined
  let statistics: MiningStatistics | undefined
  try {
    if (scorerName !== undefined) scorer = await CrossEncoder.load(scorerName, pairLoadOptions(values, io))
    const dry = isDry && service instanceof EndpointJudge ? new DryJudge(service) : undefined
    const mined = await mineHardNegatives(dataset, model, {
      ...(given(values, NAMES) as MineHardNegativesOptions),
      ...(isSheet && { outputFormat: 'triplet', outputScores: true }),
      ...(corpus.length > 0 && { corpus }),
      ...(scorer && { crossEncoder: scorer }),
      ...(service instanceof EndpointJudge && { judge: dry ?? service }),
      ...(service instanceof EndpointWriter && { writer: service }),
      verbose: { write: io.err },
      signal: io.signal,
      onStatistics: (found) => {
        statistics = found
      },
    })
    if (dry) return dry.tell(values, io)
    if (mined.length === 0) {
      const message = `No negative was found for the pairs of ${pairs}: widen the margins and limits, or raise --range-max`
      throw new SentenceTorchError('ERR_INVALID_DATA', message)
    }
    const { signal } = io
    const rows = isSheet ? await writeLabelSheet(mined, output, { signal }) : mined.length
    if (!isSheet) await mined.toFile(output, { signal })
    const report = textOf(values, 'report')
    if (report !== undefined) await writeMiningReport(statistics!, report)
    const columns = isSheet ? ['query', 'positive', 'candidate', 'score', 'label'] : mined.columnNames
    const asked = service && {
      ...service.counts,
      ...(service instanceof EndpointJudge && { unclear: service.unclear }),
    }
    if (values.options.json) {
      const refused = Object.fromEntries(statistics!.refused.map(({ reason, count }) => [reason, count]))
      io.out(`${JSON.stringify({ output, pairs: dataset.length, rows, columns, refused, ...(asked && { asked }) })}\n`)
    } else {
      if (asked) io.err(`The service was asked ${asked.asked} times; ${asked.kept} answers were there already\n`)
      io.err(`${rows.toLocaleString('en')} rows (${columns.join(', ')}) → ${output}\n`)
    }
    return 0
  } finally {
    await service?.close()
    await scorer?.dispose()
    await model.dispose()
  }
}

function outputOf(values: Values, isSheet: boolean): string {
  const output = checkDataOutput(textOf(values, 'output'), 'mine')
  if (!isSheet || /\.(csv|tsv|jsonl)$/i.test(output)) return output
  throw misuse(`--format ${SHEET} needs an --output ending in .csv, .tsv or .jsonl, not ${output}`)
}

async function readPairs(path: string, values: Values, io: Io): Promise<Dataset> {
  const columns = textOf(values, 'columns')?.split(',')
  if (columns && columns.length !== 2) throw misuse('--columns takes two names, such as question,answer')
  const { dataset } = await loadData(
    { path, ...(columns && { columns }), ...(values.options['skip-bad-rows'] === true && { skipBadRows: true }) },
    { signal: io.signal, where: 'mine', onBadRows: (bad) => tellBadRows(bad, io.err) },
  )
  return dataset
}

async function readCorpus(values: Values, io: Io): Promise<string[]> {
  const file = textOf(values, 'corpus')
  const corpus: string[] = []
  if (file === undefined) return corpus
  for await (const texts of readAllTexts({ inputs: [file], stdin: io.stdin })) {
    for (const text of texts) corpus.push(text)
  }
  return corpus
}

/** The service that judges or writes, with a file of its answers. */
function helperOf(values: Values, output: string): EndpointJudge | EndpointWriter | undefined {
  const service = serviceOf(values, 'endpoint-model', 'mine')
  if (service === undefined) {
    const wrong = ['ask', 'answers'].find((name) => values.options[name] !== undefined)
    if (wrong !== undefined) throw misuse(`--${wrong} is for a service, which --endpoint names`)
    return undefined
  }
  const answers = answersOf(values, output)
  const options = { ...service, ...(output !== '' && { answers }) }
  try {
    return textOf(values, 'ask') === 'write' ? new EndpointWriter(options) : new EndpointJudge(options)
  } catch (error) {
    throw error instanceof SentenceTorchError ? misuse(error.message) : error
  }
}

function answersOf(values: Values, output: string): string {
  return textOf(values, 'answers') ?? `${output}.answers.jsonl`
}

/** Takes every candidate for a negative, and counts the questions. */
class DryJudge {
  #count = 0
  #first: readonly [string, string] | undefined

  constructor(private readonly service: EndpointJudge) {}

  judge(pairs: readonly (readonly [string, string])[]): boolean[] {
    this.#first ??= pairs[0]
    this.#count += pairs.length
    return pairs.map(() => false)
  }

  tell(values: Values, io: Io): number {
    const first = this.#first && this.service.body(...this.#first)
    return tellPlan(this.service.url, this.#count, first, 'at least', values, io)
  }
}

function planOfWriter(service: EndpointWriter, dataset: Dataset, values: Values, io: Io): number {
  const [query, positive] = dataset.textColumns.map((column) => dataset.texts(column))
  if (positive === undefined) throw new SentenceTorchError('ERR_INVALID_DATA', 'Expected two columns of texts')
  const first = service.body(query![0]!, positive[0]!, numberOf(values, 'negatives') ?? 3)
  return tellPlan(service.url, new Set(query).size, first, 'exactly', values, io)
}

function tellPlan(url: string, requests: number, firstRequest: unknown, how: string, values: Values, io: Io): number {
  if (values.options.json) io.out(`${JSON.stringify({ url, requests, firstRequest })}\n`)
  else io.out(`POST ${url}, ${how} ${requests} times. The first:\n${JSON.stringify(firstRequest, null, 2)}\n`)
  return 0
}

function misuse(what: string): UsageError {
  return new UsageError('ERR_INVALID_ARGUMENT', `mine: ${what}`, 'mine')
}
