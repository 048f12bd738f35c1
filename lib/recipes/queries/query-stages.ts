/** The first stages of GenQ and GPL: passages, their queries, and which of these lead back to their passages. */
import { join } from 'node:path'
import { Dataset } from '../../data/dataset.js'
import { datasetSha256 } from '../../data/hash-dataset.js'
import { hashJson } from '../../data/hash-json.js'
import { SentenceTorchError } from '../../errors.js'
import type { SentenceTransformer } from '../../models/sentence-transformer.js'
import type { OptionValues } from '../../options/kinds.js'
import { modelKey } from '../fingerprint.js'
import { twoTexts } from '../gold-pairs.js'
import type { RecipeOptions } from '../recipe.js'
import type { RecipeRun } from '../recipe-run.js'
import { UniquePairs } from '../silver-pairs.js'
import { generatorOf, type QUERY_OPTIONS } from './options.js'
import { areTexts, oneLine, passagesOf, passagesOfTexts } from './passages.js'
import { pairDataset, readQueries, writeQueries } from './query-files.js'
import { roundTrip } from './round-trip.js'

export type QueryValues = OptionValues<typeof QUERY_OPTIONS> & Pick<RecipeOptions, 'model'>

export interface QueryPairs {
  /** Columns `query` and `passage`. */
  pairs: Dataset
  /** All passages, each once. */
  corpus: string[]
}

/** @throws ERR_INVALID_ARGUMENT when there are neither documents with a generator nor queries */
export function checkQuerySources(name: string, { documents, generator, queries }: QueryValues): void {
  if ((documents === undefined) === (generator === undefined) && (generator ?? queries) !== undefined) return
  const found = Object.entries({ documents, generator, queries }).flatMap(([name, value]) => (value ? [name] : []))
  const message = `${name}: expected documents and a generator, or queries, or both, found ${found.join(' and ') || 'none of them'}`
  throw new SentenceTorchError('ERR_INVALID_ARGUMENT', message)
}

/**
 * Pairs of a query and its passage.
 * @param model the one to train, as it is: it cuts documents and decides the round trip
 */
export async function queryStages(run: RecipeRun, given: QueryValues, model: SentenceTransformer): Promise<QueryPairs> {
  const own = given.queries === undefined ? [] : ownPairs(await run.data(given.queries))
  const { passages, written } = await generated(run, given, model)
  const unique = new UniquePairs()
  for (const pair of [...own, ...written]) unique.add(pair)
  const all = pairDataset(unique.list)
  const corpus = [...new Set([...passages, ...all.texts('passage')])]
  run.count('passages', corpus.length)
  run.count('pairs', all.length)
  const { roundTrip: k } = given
  if (k === null) return { pairs: all, corpus }

  const inputs = {
    k,
    model: await modelKey(given.model),
    pairs: await datasetSha256(all),
    corpus: await hashJson(corpus),
  }
  const filtered = await run.stages.run('round-trip', inputs, async ({ folder }) => {
    const kept = await roundTrip(all, corpus, model, k, run.signal)
    if (kept.length === 0) throw noneLeft(all.length, k)
    await kept.toFile(join(folder, 'pairs.jsonl'))
  })
  const pairs = await Dataset.fromFile(join(filtered.folder, 'pairs.jsonl'))
  run.count('pairsWithoutRoundTrip', all.length - pairs.length)
  const share = ((100 * (all.length - pairs.length)) / all.length).toFixed(1)
  run.note(`${share} % of the pairs were left out, because the passage was not among the first ${k} for its query.`)
  return { pairs, corpus }
}

/** The passages of the documents, and the pairs that the generator makes of them. */
async function generated(run: RecipeRun, given: QueryValues, model: SentenceTransformer) {
  const { documents, generator: source, queriesPerPassage: perPassage } = given
  if (documents === undefined || source === undefined) return { passages: [], written: [] }
  const rows = areTexts(documents) ? await passagesOfTexts(documents, model.tokenizer, run.signal) : documents
  const { passages, dropped } = passagesOf(await run.data(rows))
  run.count('passagesLeftOut', dropped)
  const generator = await generatorOf(source, run.signal)
  try {
    const inputs = { passages: await hashJson(passages), generator: generator.key, perPassage, seed: run.seed }
    const { folder } = await run.stages.run('queries', inputs, async (stage) => {
      const options = { perPassage, seed: run.seed, signal: run.signal, log: (line: string) => run.log(line) }
      await writeQueries(stage.folder, passages, generator, options)
    })
    const { pairs, counts } = await readQueries(folder)
    run.count('emptyQueries', counts.emptyQueries)
    run.count('duplicateQueries', counts.duplicateQueries)
    return { passages, written: rowsOf(pairs) }
  } finally {
    await generator.dispose?.()
  }
}

/** Rows of a query and its passage, each in one line. @throws ERR_INVALID_DATA for other columns, and for an empty text */
function ownPairs(rows: Dataset): [string, string][] {
  const [query, passage] = twoTexts(rows).map((name) => rows.texts(name).map(oneLine)) as [string[], string[]]
  const empty = query.findIndex((text, row) => text === '' || passage[row] === '')
  if (empty !== -1) {
    const message = `Expected a query and a passage in each row of the queries, found an empty text in row ${empty}`
    throw new SentenceTorchError('ERR_INVALID_DATA', message)
  }
  return query.map((text, row) => [text, passage[row]!])
}

function rowsOf(pairs: Dataset): [string, string][] {
  const passages = pairs.texts('passage')
  return pairs.texts('query').map((query, row) => [query, passages[row]!])
}

function noneLeft(pairs: number, k: number): SentenceTorchError {
  const message = `Expected queries that lead back to their passages, found none of ${pairs} whose passage is among the first ${k}: choose a larger roundTrip, or look at the queries`
  return new SentenceTorchError('ERR_INVALID_DATA', message)
}
