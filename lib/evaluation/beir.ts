import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { readLines, withoutReturn } from '../data/readers/lines.js'
import { listed } from '../data/readers/names.js'
import { parseNumber } from '../data/readers/numbers.js'
import { describe, invalidArgument, SentenceTorchError } from '../errors.js'
import { systemError } from '../io/system-error.js'
import { checkOptions, checkType } from '../options.js'

/** A retrieval set as InformationRetrievalEvaluator takes it. */
export interface BeirDataset {
  queries: Map<string, string>
  corpus: Map<string, string>
  /** Ids of the relevant documents by query id. */
  relevantDocs: Map<string, Set<string>>
}

export interface LoadBeirOptions {
  /** Which `qrels/{split}.tsv` to read. Default: `test`, or the only file. */
  split?: string
  /** Put a document's title in front of its text, as BEIR's own tools do. Default false, as NanoBEIREvaluator does. */
  withTitle?: boolean
}

/**
 * Reads a retrieval set in the BEIR layout: `corpus.jsonl` (`_id`, `text`, optionally `title`), `queries.jsonl` (`_id`,
 * `text`) and `qrels/{split}.tsv` (optionally a header, then query-id, corpus-id, score). Empty texts are left out.
 * Judgements with a score of 0 or less mean "not relevant" and are left out too.
 *
 * @throws ERR_NOT_FOUND, ERR_INVALID_DATA (naming the file and the line), ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION
 */
export async function loadBeir(folder: string, options: LoadBeirOptions = {}): Promise<BeirDataset> {
  if (typeof folder !== 'string' || folder === '') throw invalidArgument('folder', 'the path of a folder', folder)
  checkOptions('loadBeir', options, ['split', 'withTitle'])
  checkType('loadBeir split', options.split, 'string')
  checkType('loadBeir withTitle', options.withTitle, 'boolean')
  const corpus = await readTexts(join(folder, 'corpus.jsonl'), options.withTitle ?? false)
  const queries = await readTexts(join(folder, 'queries.jsonl'), false)
  const relevantDocs = await readQrels(await qrelsFile(join(folder, 'qrels'), options.split))
  return { queries, corpus, relevantDocs }
}

async function readTexts(path: string, withTitle: boolean): Promise<Map<string, string>> {
  const { readJsonl } = await import('../data/readers/jsonl.js')
  const out = new Map<string, string>()
  for await (const { columns } of readJsonl(path, { columns: ['_id', 'text', ...(withTitle ? ['title'] : [])] })) {
    const [ids = [], texts = [], titles] = columns
    for (const [i, id] of ids.entries()) {
      const [text, title = ''] = [texts[i], titles?.[i]]
      if (typeof id !== 'string' || typeof text !== 'string' || typeof title !== 'string') {
        throw badData(path, 'strings as _id, text and title', `${describe(id)}, ${describe(text)}, ${describe(title)}`)
      }
      const whole = withTitle ? `${title} ${text}`.trim() : text
      if (whole.length > 0) out.set(id, whole)
    }
  }
  return out
}

async function qrelsFile(folder: string, split: string | undefined): Promise<string> {
  if (split !== undefined) return join(folder, `${split}.tsv`)
  const files = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw systemError(error, `read the folder ${folder}`)
    throw new SentenceTorchError('ERR_NOT_FOUND', `There is no folder ${folder}`, { cause: error })
  })
  const tables = files.filter((file) => file.endsWith('.tsv'))
  if (tables.includes('test.tsv')) return join(folder, 'test.tsv')
  if (tables.length === 1) return join(folder, tables[0]!)
  const message = `Expected test.tsv in ${folder}, or one file alone, but found ${listed(tables) || 'none'}; name a split`
  throw new SentenceTorchError('ERR_NOT_FOUND', message)
}

async function readQrels(path: string): Promise<Map<string, Set<string>>> {
  const relevant = new Map<string, Set<string>>()
  let number = 0
  for await (const lines of readLines(path)) {
    for (const line of lines) {
      const fields = withoutReturn(line).split('\t')
      number++
      if (line.trim() === '') continue
      const score = parseNumber(fields[2] ?? '')
      // A file without a header begins with a judgement.
      if (number === 1 && score === undefined) continue
      if (fields.length !== 3 || score === undefined) {
        throw badData(path, `query-id, corpus-id and a score in line ${number}`, JSON.stringify(line.slice(0, 60)))
      }
      if (score <= 0) continue
      const [query, document] = fields as [string, string]
      const documents = relevant.get(query) ?? new Set()
      relevant.set(query, documents.add(document))
    }
  }
  return relevant
}

function badData(path: string, expected: string, found: string): SentenceTorchError {
  return new SentenceTorchError('ERR_INVALID_DATA', `Expected ${expected} of ${path}, found ${found}`)
}
