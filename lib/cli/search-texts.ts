/** `sentence-torch search`: queries pass the model and an index. */
import { SentenceTorchError } from '../errors.js'
import { SentenceTransformer } from '../models/sentence-transformer.js'
import { EmbeddingIndex, type IndexHit } from '../search/embedding-index/embedding-index.js'
import { given, numberOf, textOf, textsOf, UsageError, type Values } from './command.js'
import type { Io } from './io.js'
import { loadOptions } from './model-options.js'
import { inGroups, readAllTexts } from './texts.js'

/** Queries that are searched together. */
const GROUP = 256

export async function searchTexts(values: Values, io: Io): Promise<number> {
  const path = textOf(values, 'index')
  if (path === undefined) throw misuse('search needs --index with a file')
  const [name, ...inputs] = values.words as [string, ...string[]]
  const asked = textsOf(values, 'query')
  if (asked.length === 0 && inputs.length === 0) throw misuse('search needs --query, files of queries, or -')
  // A faulty index is found before a model is loaded.
  const index = await EmbeddingIndex.open(path)
  try {
    const model = await SentenceTransformer.load(name, loadOptions(values, io))
    try {
      const rescoreMultiplier = numberOf(values, 'rescore-multiplier')
      const options = {
        topK: numberOf(values, 'top-k') ?? 10,
        ...(rescoreMultiplier !== undefined && { rescoreMultiplier }),
        signal: io.signal,
      }
      const own = { ...given(values, { prompt: 'prompt', 'prompt-name': 'promptName', 'truncate-dim': 'truncateDim' }) }
      let count = 0
      for await (const queries of inGroups(queriesOf(asked, inputs, values, io), GROUP)) {
        const embeddings = await model.encodeQuery(queries, { ...own, signal: io.signal })
        for (const [i, hits] of (await index.search(embeddings, options)).entries()) {
          io.out(values.options.json ? `${JSON.stringify({ query: queries[i], hits })}\n` : shown(queries[i]!, hits))
        }
        count += queries.length
      }
      if (count > 0) return 0
      throw new SentenceTorchError('ERR_INVALID_DATA', `Expected queries in ${inputs.join(', ')}, found none`)
    } finally {
      await model.dispose()
    }
  } finally {
    await index.close()
  }
}

async function* queriesOf(asked: readonly string[], inputs: readonly string[], values: Values, io: Io) {
  yield asked
  yield* readAllTexts({ inputs, column: textOf(values, 'column'), stdin: io.stdin })
}

function shown(query: string, hits: readonly IndexHit[]): string {
  const lines = hits.map(({ score, corpusId, id, text }) =>
    `  ${score.toFixed(4)}  ${id ?? corpusId}  ${text ?? ''}`.trimEnd(),
  )
  return `${query}\n${lines.join('\n')}\n`
}

function misuse(message: string): UsageError {
  return new UsageError('ERR_INVALID_ARGUMENT', message, 'search')
}
