/** `sentence-torch search`: exact search over the texts of a file. */

import { readAllTexts } from '../data/input-texts.js'
import { SentenceTorchError } from '../errors.js'
import type { Embeddings } from '../models/embeddings.js'
import { hitsOf } from '../search/hits.js'
import { given, numberOf, textOf, textsOf, UsageError, type Values } from './command.js'
import type { Io } from './io.js'
import { loadOptions } from './model-options.js'
import { readNpyFile } from './npy.js'
import { searchIndexFiles } from './search-index.js'
import { loadTextModel, textModelClass } from './text-model.js'

export async function searchTexts(values: Values, io: Io): Promise<number> {
  const [name, corpusFile] = values.words as [string, string | undefined]
  const indexFiles = textsOf(values, 'index')
  const queriesFile = textOf(values, 'queries')
  const asked = textsOf(values, 'query')
  const misuse = (message: string) => new UsageError('ERR_INVALID_ARGUMENT', message, 'search')
  if (asked.length === 0 && queriesFile === undefined) throw misuse('search needs --query <text> or --queries <file>')
  if (indexFiles.length > 0) {
    const stray = corpusFile ?? ['column', 'embeddings'].find((option) => values.options[option] !== undefined)
    if (stray !== undefined) throw misuse(`search takes ${stray} or --index, not both`)
    return searchIndexFiles(indexFiles, asked, queriesFile, values, io)
  }
  const idle = ['rescore-multiplier', 'truncate-dim'].find((option) => values.options[option] !== undefined)
  if (idle !== undefined) throw misuse(`--${idle} is for --index`)
  if (corpusFile === undefined) throw misuse('search needs a file of texts, or --index')
  if (corpusFile === '-' && queriesFile === '-') throw misuse('stdin can be the corpus or the queries, not both')
  const corpus = await allTexts(corpusFile, textOf(values, 'column'), io)
  const queries = [...asked, ...(queriesFile === undefined ? [] : await allTexts(queriesFile, undefined, io))]
  const stored = textOf(values, 'embeddings')
  const known = stored === undefined ? undefined : await readNpyFile(stored)
  const model = await loadTextModel(name, loadOptions(values, io))
  try {
    if (known && textModelClass(model) !== 'SentenceTransformer')
      throw misuse(`--embeddings is for dense embeddings, and ${name} is a ${textModelClass(model)}`)
    if (known) checkStored(known, stored!, corpus.length, model.embeddingDimension)
    const options = { ...given(values, { 'batch-size': 'batchSize' }), signal: io.signal }
    const documents = known ?? (await model.encodeDocument(corpus, options))
    const k = Math.min(numberOf(values, 'top-k') ?? 5, corpus.length)
    const found = hitsOf(await model.encodeQuery(queries, options), model.similarityFnName, k)
    await found.add(documents, 0, io.signal)
    const hits = await found.lists()
    for (const [i, query] of queries.entries()) {
      const found = hits[i]!.map(({ corpusId, score }) => ({ row: corpusId, score, text: corpus[corpusId]! }))
      if (values.options.json) io.out(`${JSON.stringify({ query, hits: found })}\n`)
      else io.out(`${query}\n${found.map(({ score, text }) => `  ${score.toFixed(4)}  ${text}\n`).join('')}`)
    }
    return 0
  } finally {
    await model.dispose()
  }
}

async function allTexts(input: string, column: string | undefined, { stdin }: Io): Promise<string[]> {
  const texts: string[] = []
  for await (const piece of readAllTexts({ inputs: [input], column, stdin })) for (const text of piece) texts.push(text)
  if (texts.length > 0) return texts
  throw new SentenceTorchError('ERR_INVALID_DATA', `Expected texts in ${input}, found none`)
}

function checkStored({ shape }: Embeddings, path: string, rows: number, width: number): void {
  if (shape[0] === rows && shape[1] === width) return
  const message = `Expected ${rows} embeddings of ${width} dimensions in ${path}, found ${shape[0]} of ${shape[1]}: encode the same texts with the same model`
  throw new SentenceTorchError('ERR_INVALID_DATA', message)
}
