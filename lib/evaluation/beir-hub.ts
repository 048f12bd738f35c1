import { Dataset } from '../data/dataset.js'
import { SentenceTorchError } from '../errors.js'
import type { BeirDataset } from './beir.js'

/**
 * One set of a collection on the Hugging Face hub, such as `sentence-transformers/NanoBEIR-en`: the configurations `corpus` and
 * `queries` (`_id`, `text`) and `qrels` (`query-id`, `corpus-id`, one document or a list), a split for every set. Empty texts
 * are left out.
 *
 * @throws ERR_NOT_FOUND, ERR_NETWORK, ERR_INVALID_FILE, ERR_INVALID_ARGUMENT (columns), ERR_INVALID_DATA,
 *   ERR_FILE_SYSTEM, ERR_ABORTED
 */
export async function loadBeirFromHub(id: string, split: string, signal?: AbortSignal): Promise<BeirDataset> {
  const stop = signal && { signal }
  const texts = async (config: string): Promise<Map<string, string>> => {
    const rows = await Dataset.fromHub(id, { config, split, columns: ['_id', 'text'], ...stop })
    const [ids, values] = [rows.column('_id'), rows.column('text')] as [readonly string[], readonly string[]]
    return new Map(ids.flatMap((key, i) => (values[i] === '' ? [] : [[key, values[i]!]])))
  }
  const [corpus, queries] = [await texts('corpus'), await texts('queries')]
  const qrels = await Dataset.fromHub(id, { config: 'qrels', split, columns: ['query-id', 'corpus-id'], ...stop })
  const relevantDocs = new Map<string, Set<string>>()
  const documents = qrels.column('corpus-id')
  for (const [i, query] of (qrels.column('query-id') as readonly string[]).entries()) {
    const found = relevantDocs.get(query) ?? new Set()
    for (const document of [documents[i]].flat()) {
      if (typeof document === 'string') found.add(document)
      else throw new SentenceTorchError('ERR_INVALID_DATA', `Expected texts in corpus-id, row ${i} of ${id} (${split})`)
    }
    relevantDocs.set(query, found)
  }
  return { queries, corpus, relevantDocs }
}
