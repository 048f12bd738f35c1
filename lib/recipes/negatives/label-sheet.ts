/** Candidates in a file that people label by hand, and the training data that comes of it. */
import { Dataset } from '../../data/dataset.js'
import { opener } from '../../data/readers/index.js'
import type { Column } from '../../data/table.js'
import { describe, invalidArgument, SentenceTorchError } from '../../errors.js'
import { throwIfAborted } from '../../io/abort.js'
import { checkOneOf, checkOptions } from '../../options.js'

const TEXTS = ['query', 'positive', 'candidate'] as const
const COLUMNS = [...TEXTS, 'label'] as const
/** No text is taken for a number. */
const DTYPE = { query: 'string', positive: 'string', candidate: 'string', label: 'string' } as const

const ANSWERS: ReadonlySet<string> = new Set(['1', 'yes', 'y', 'true', 'positive'])
const NEGATIVES: ReadonlySet<string> = new Set(['0', 'no', 'n', 'false', 'negative'])
/** A person was not sure, or did not come so far. */
const OPEN: ReadonlySet<string> = new Set(['', '?', 'unsure'])

/**
 * Writes the candidates of triplets into a file for labelling by hand: columns `query`, `positive`, `candidate`, `score` and an
 * empty `label`, one row for each different query and candidate.
 * @param triplets of `util.mineHardNegatives` with `outputFormat: 'triplet'` and `outputScores: true`
 * @param path ends in .csv, .tsv or .jsonl
 * @returns rows of the file
 * @throws ERR_INVALID_ARGUMENT; an error of the system
 */
export async function writeLabelSheet(
  triplets: Dataset,
  path: string,
  { signal }: { signal?: AbortSignal } = {},
): Promise<number> {
  const [query, positive, negative, scores] = triplets.columnNames
  if (negative !== 'negative' || scores !== 'scores') {
    const expected = "columns of mineHardNegatives with outputFormat 'triplet' and outputScores"
    throw invalidArgument('triplets', expected, triplets.columnNames)
  }
  if (!/\.(csv|tsv|jsonl)$/i.test(path)) throw invalidArgument('path', 'a file ending in .csv, .tsv or .jsonl', path)
  const seen = new Set<string>()
  const columns = { query: [] as string[], positive: [] as string[], candidate: [] as string[], score: [] as number[] }
  for (const row of triplets) {
    const key = JSON.stringify([row[query!], row.negative])
    if (seen.has(key)) continue
    seen.add(key)
    columns.query.push(row[query!] as string)
    columns.positive.push(row[positive!] as string)
    columns.candidate.push(row.negative as string)
    columns.score.push(Number((row.scores as readonly number[])[1]!.toFixed(4)))
  }
  const text = (values: string[]): Column => ({ values, kind: 'text' })
  // Labels of a dataset are numbers elsewhere; here a person writes them.
  const label = text(columns.query.map(() => ''))
  const sheet = new Map<string, Column>([
    ...TEXTS.map((name) => [name, text(columns[name])] as const),
    ...([
      ['score', { values: columns.score, kind: 'label' }],
      ['label', label],
    ] as const),
  ])
  await Dataset.fromChecked(sheet).toFile(path, {
    ...(/\.[ct]sv$/i.test(path) && { dtype: DTYPE }),
    ...(signal && { signal }),
  })
  return columns.query.length
}

export interface ReadLabelSheetOptions {
  /**
   * `triplet` (default): query, positive, negative; a row for each candidate that is no answer, with each text that is one.
   * `labeled-pair`: query, text, label; each positive and each answer with 1, each other candidate with 0.
   */
  outputFormat?: 'triplet' | 'labeled-pair'
  signal?: AbortSignal
}

/** Rows of a file of labels. */
export interface LabelCounts {
  /** Candidates that are answers. */
  answers: number
  /** Candidates that are none. */
  negatives: number
  /** Without a label. */
  open: number
}

/**
 * Reads such a file with its labels. `1`, `yes`, `y`, `true` and `positive` say that the candidate answers the query, `0`, `no`,
 * `n`, `false` and `negative` that it does not, in any case. Rows without a label, or with `?` or `unsure`, are left out and counted.
 * @throws ERR_INVALID_DATA with the line: for other labels, and for two different ones of a query and candidate; when nothing is left
 */
export async function readLabelSheet(
  path: string,
  options: ReadLabelSheetOptions = {},
): Promise<{ dataset: Dataset; counts: LabelCounts }> {
  checkOptions('readLabelSheet', options, ['outputFormat', 'signal'])
  const { outputFormat = 'triplet', signal } = options
  checkOneOf('outputFormat', outputFormat, ['triplet', 'labeled-pair'])
  const counts = { answers: 0, negatives: 0, open: 0 }
  const queries = new Map<string, { answers: Set<string>; negatives: Set<string> }>()
  const places = new Map<string, { label: string; place: string }>()
  let done = 0
  for await (const { columns, lines } of sheetPieces(path)) {
    throwIfAborted(signal, `Reading ${path}`)
    const rows = columns[0]!.length
    for (let row = 0; row < rows; row++) {
      const place = lines ? `line ${lines[row]} of ${path}` : `row ${done + row} of ${path}`
      const texts = TEXTS.map((name, i) => textAt(columns[i]![row], name, place))
      const [query, positive, candidate] = texts as [string, string, string]
      const kind = kindOf(columns[3]![row], place)
      counts[kind]++
      if (kind === 'open') continue
      const key = JSON.stringify([query, candidate])
      const before = places.get(key)
      if (before !== undefined && before.label !== kind) {
        throw wrong(
          `Expected one label for the query and the candidate of ${place}, found another one in ${before.place}`,
        )
      }
      places.set(key, { label: kind, place })
      const found = queries.get(query) ?? { answers: new Set(), negatives: new Set() }
      queries.set(query, found)
      found.answers.add(positive)
      found[kind].add(candidate)
    }
    done += rows
  }
  const result = outputFormat === 'triplet' ? tripletsOf(queries) : pairsOf(queries)
  if (result.query.length === 0) {
    const labels = `${counts.answers} answers, ${counts.negatives} negatives, ${counts.open} rows without a label`
    throw wrong(`Expected candidates that are labelled as negatives in ${path}, found ${labels}`)
  }
  return { dataset: Dataset.fromColumns(result), counts }
}

async function* sheetPieces(path: string) {
  const isFields = /\.[ct]sv(\.gz)?$/i.test(path)
  try {
    yield* opener(path, { columns: COLUMNS, ...(isFields && { dtype: DTYPE }) })()
  } catch (error) {
    // The caller named no columns.
    if ((error as Partial<SentenceTorchError>).code !== 'ERR_INVALID_ARGUMENT') throw error
    const message = `Expected the columns ${COLUMNS.join(', ')} in ${path}: ${(error as Error).message}`
    throw new SentenceTorchError('ERR_INVALID_DATA', message, { cause: error })
  }
}

type Labelled = ReadonlyMap<string, { answers: ReadonlySet<string>; negatives: ReadonlySet<string> }>

function tripletsOf(queries: Labelled) {
  const result = { query: [] as string[], positive: [] as string[], negative: [] as string[] }
  for (const [query, { answers, negatives }] of queries) {
    for (const positive of answers) {
      for (const negative of negatives) {
        result.query.push(query)
        result.positive.push(positive)
        result.negative.push(negative)
      }
    }
  }
  return result
}

function pairsOf(queries: Labelled) {
  const result = { query: [] as string[], text: [] as string[], label: [] as number[] }
  for (const [query, { answers, negatives }] of queries) {
    for (const [texts, label] of [[answers, 1] as const, [negatives, 0] as const]) {
      for (const text of texts) {
        result.query.push(query)
        result.text.push(text)
        result.label.push(label)
      }
    }
  }
  return result
}

function textAt(value: unknown, name: string, place: string): string {
  if (typeof value === 'string' && value !== '') return value
  throw wrong(`Expected a text in column "${name}", ${place}, found ${value === '' ? 'an empty one' : describe(value)}`)
}

function kindOf(value: unknown, place: string): keyof LabelCounts {
  const label = String(value ?? '')
    .trim()
    .toLowerCase()
  if (ANSWERS.has(label)) return 'answers'
  if (NEGATIVES.has(label)) return 'negatives'
  if (OPEN.has(label)) return 'open'
  throw wrong(`Expected yes, no or nothing (also 1, 0, ?) in column "label", ${place}, found ${describe(value)}`)
}

function wrong(message: string): SentenceTorchError {
  return new SentenceTorchError('ERR_INVALID_DATA', message)
}
