import { createWriteStream } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { Turns } from '../data/turns.js'
import type { TopHits } from '../search/top-hits.js'
import { pythonNumber, pythonString } from './python-json.js'

/**
 * Writes one JSON line per query: `{"query_id": …, "query": …, "results": [{"corpus_id": …, "score": …}, …]}`, best first,
 * letter by letter as Python writes it. An older file is replaced.
 */
export async function writePredictions(
  folder: string,
  file: string,
  queries: readonly { id: string; text: string }[],
  corpus: readonly (readonly [id: string, text: string])[],
  { documents, scores, k, count }: TopHits,
): Promise<void> {
  await mkdir(folder, { recursive: true })
  const turns = new Turns()
  async function* lines(): AsyncGenerator<string> {
    for (const [q, { id, text }] of queries.entries()) {
      const results = Array.from({ length: count }, (_, i) => {
        const [corpusId] = corpus[documents[q * k + i]!]!
        return `{"corpus_id": ${pythonString(corpusId)}, "score": ${pythonNumber(scores[q * k + i]!)}}`
      })
      yield `{"query_id": ${pythonString(id)}, "query": ${pythonString(text)}, "results": [${results.join(', ')}]}\n`
      await turns.give()
    }
  }
  await pipeline(Readable.from(lines()), createWriteStream(join(folder, file)))
}
