import { join } from 'node:path'
import { TimeSlice } from '../data/time-slice.js'
import { writeFileAtomic } from '../io/atomic.js'
import { makeFolder } from '../io/files.js'
import { unlessRefused } from '../io/unwritten.js'
import type { HitLists } from '../search/top-hits.js'
import { pythonNumber, pythonString } from './python-json.js'

/** Lines that are written at once. */
const WRITE_CHARACTERS = 1 << 16

/**
 * Writes one JSON line per query: `{"query_id": …, "query": …, "results": [{"corpus_id": …, "score": …}, …]}`, best first,
 * in exactly Python's form. An older file is replaced. If it cannot be, there is a warning.
 */
export async function writePredictions(
  folder: string,
  file: string,
  queries: readonly { id: string; text: string }[],
  corpus: readonly (readonly [id: string, text: string])[],
  { documents, scores, k, count }: HitLists,
): Promise<void> {
  const slice = new TimeSlice()
  async function* lines(): AsyncGenerator<string> {
    for (const [q, { id, text }] of queries.entries()) {
      const results = Array.from({ length: count }, (_, i) => {
        const [corpusId] = corpus[documents[q * k + i]!]!
        return `{"corpus_id": ${pythonString(corpusId)}, "score": ${pythonNumber(scores[q * k + i]!)}}`
      })
      yield `{"query_id": ${pythonString(id)}, "query": ${pythonString(text)}, "results": [${results.join(', ')}]}\n`
      await slice.yield()
    }
  }
  await writeLines(folder, file, lines())
}

/** Writes lines, which end in a line break, into a file. An older one is replaced. If it cannot be, there is a warning. */
export async function writeLines(
  folder: string,
  file: string,
  lines: AsyncIterable<string> | Iterable<string>,
): Promise<void> {
  const path = join(folder, file)
  await unlessRefused(path, async () => {
    await makeFolder(folder)
    await writeFileAtomic(path, async (handle) => {
      let part = ''
      for await (const line of lines) {
        part += line
        if (part.length < WRITE_CHARACTERS) continue
        await handle.appendFile(part)
        part = ''
      }
      await handle.appendFile(part)
    })
  })
}
