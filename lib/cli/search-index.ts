/** `sentence-torch search --index`: queries pass the model and an index. */
import { SentenceTorchError } from '../errors.js'
import { EmbeddingIndex, type IndexHit } from '../search/embedding-index/embedding-index.js'
import { given, numberOf, type Values } from './command.js'
import type { Io } from './io.js'
import { loadOptions } from './model-options.js'
import { loadTextModel } from './text-model.js'
import { inGroups, readAllTexts } from '../data/input-texts.js'

/** Queries that are searched together. */
const GROUP = 256

/** @param asked queries before those of `queriesFile` */
export async function searchIndexFile(
  path: string,
  asked: readonly string[],
  queriesFile: string | undefined,
  values: Values,
  io: Io,
): Promise<number> {
  // A faulty index is found before a model is loaded.
  await using index = await EmbeddingIndex.open(path)
  await using model = await loadTextModel(values.words[0]!, loadOptions(values, io))
  await index.checkModel(model, values.words[0]!)
  const rescoreMultiplier = numberOf(values, 'rescore-multiplier')
  const options = {
    topK: numberOf(values, 'top-k') ?? 5,
    ...(rescoreMultiplier !== undefined && { rescoreMultiplier }),
    signal: io.signal,
  }
  const own = given(values, { 'batch-size': 'batchSize', 'truncate-dim': 'truncateDim' })
  let count = 0
  for await (const queries of inGroups(queriesOf(asked, queriesFile, io), GROUP)) {
    const embeddings = await model.encodeQuery(queries, { ...own, signal: io.signal })
    for (const [i, hits] of (await index.search(embeddings, options)).entries()) {
      io.out(values.options.json ? json(queries[i]!, hits) : shown(queries[i]!, hits))
    }
    count += queries.length
  }
  if (count > 0) return 0
  throw new SentenceTorchError('ERR_INVALID_DATA', `Expected queries in ${queriesFile}, found none`)
}

async function* queriesOf(asked: readonly string[], file: string | undefined, { stdin }: Io) {
  yield asked
  if (file !== undefined) yield* readAllTexts({ inputs: [file], stdin })
}

function json(query: string, hits: readonly IndexHit[]): string {
  const found = hits.map(({ corpusId, ...hit }) => ({ row: corpusId, ...hit }))
  return `${JSON.stringify({ query, hits: found })}\n`
}

function shown(query: string, hits: readonly IndexHit[]): string {
  const lines = hits.map(
    ({ score, corpusId, id, text }) => `  ${score.toFixed(4)}  ${text ?? id ?? `row ${corpusId}`}\n`,
  )
  return `${query}\n${lines.join('')}`
}
