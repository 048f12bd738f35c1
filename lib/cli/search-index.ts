/** `sentence-torch search --index`: queries pass the model, and indexes or folders of encode. */
import { stat } from 'node:fs/promises'
import { EncodedFiles, type IndexesHit, searchIndexes } from '../corpus/index.js'
import { inGroups, readAllTexts } from '../data/input-texts.js'
import { SentenceTorchError } from '../errors.js'
import { failedTo } from '../io/system-error.js'
import { COPIED_BYTES } from '../models/embeddings.js'
import { EmbeddingIndex } from '../search/embedding-index/embedding-index.js'
import { given, numberOf, type Values } from './command.js'
import type { Io } from './io.js'
import { loadOptions } from './model-options.js'
import { loadTextModel } from './text-model.js'

/** Queries that are searched together. */
const GROUP = 256

/** @param asked queries before those of `queriesFile` */
export async function searchIndexFiles(
  paths: readonly string[],
  asked: readonly string[],
  queriesFile: string | undefined,
  values: Values,
  io: Io,
): Promise<number> {
  // A faulty index is found before a model is loaded.
  const indexes = await openAll(paths)
  try {
    await using model = await loadTextModel(values.words[0]!, loadOptions(values, io))
    for (const index of indexes) await index.checkModel(model, values.words[0]!)
    const rescoreMultiplier = numberOf(values, 'rescore-multiplier')
    const options = {
      topK: numberOf(values, 'top-k') ?? 5,
      ...(rescoreMultiplier !== undefined && { rescoreMultiplier }),
      signal: io.signal,
    }
    const own = given(values, { 'batch-size': 'batchSize', 'truncate-dim': 'truncateDim' })
    const nameOf = paths.length === 1 ? undefined : (index: number) => paths[index]!
    let count = 0
    for await (const queries of inGroups(queriesOf(asked, queriesFile, io), GROUP)) {
      const embeddings = await model.encodeQuery(queries, { ...own, signal: io.signal })
      for (const [i, hits] of (await searchIndexes(indexes, embeddings, options)).entries()) {
        io.out(values.options.json ? json(queries[i]!, hits, nameOf) : shown(queries[i]!, hits, nameOf))
      }
      count += queries.length
    }
    if (count > 0) return 0
    throw new SentenceTorchError('ERR_INVALID_DATA', `Expected queries in ${queriesFile}, found none`)
  } finally {
    for (const index of indexes) if (index instanceof EmbeddingIndex) await index.close()
  }
}

/** Vectors that are kept in memory are no more for many indexes than for one. */
async function openAll(paths: readonly string[]): Promise<(EmbeddingIndex | EncodedFiles)[]> {
  const indexes: (EmbeddingIndex | EncodedFiles)[] = []
  const keptBytes = Math.floor(COPIED_BYTES / paths.length)
  try {
    for (const path of paths) {
      const found = await stat(path).catch(failedTo(`read ${path}`))
      indexes.push(await (found.isDirectory() ? EncodedFiles.open(path) : EmbeddingIndex.openWith(path, keptBytes)))
    }
    return indexes
  } catch (error) {
    for (const index of indexes) if (index instanceof EmbeddingIndex) await index.close()
    throw error
  }
}

async function* queriesOf(asked: readonly string[], file: string | undefined, { stdin }: Io) {
  yield asked
  if (file !== undefined) yield* readAllTexts({ inputs: [file], stdin })
}

type NameOf = ((index: number) => string) | undefined

function json(query: string, hits: readonly IndexesHit[], nameOf: NameOf): string {
  const found = hits.map(({ corpusId, index, ...hit }) => {
    return { row: corpusId, ...hit, ...(nameOf && { index: nameOf(index) }) }
  })
  return `${JSON.stringify({ query, hits: found })}\n`
}

function shown(query: string, hits: readonly IndexesHit[], nameOf: NameOf): string {
  const lines = hits.map(({ score, corpusId, id, text, index }) => {
    const row = `row ${corpusId}${nameOf ? ` of ${nameOf(index)}` : ''}`
    return `  ${score.toFixed(4)}  ${text ?? id ?? row}\n`
  })
  return `${query}\n${lines.join('')}`
}
