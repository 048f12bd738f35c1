import { invalidArgument } from '../../errors.js'
import type { IndexSettings } from './format.js'
import { checkFiniteRows, countOf, inPrecision, type OwnRows, packRows } from './row-kinds.js'
import { packTexts, type SegmentData } from './write-segment.js'

/** Rows of an index in memory that is ours alone, with ids and texts where it has them. */
export interface OwnIndexRows {
  embeddings: OwnRows
  ids?: readonly string[]
  texts?: readonly string[]
}

/** Checked rows as they lie in the file; undefined for none. */
export async function segmentOf(
  settings: IndexSettings,
  { embeddings, ids, texts }: OwnIndexRows,
): Promise<SegmentData | undefined> {
  const rows = countOf(embeddings)
  checkTexts('ids', ids, rows, settings.hasIds)
  checkTexts('texts', texts, rows, settings.hasTexts)
  checkFiniteRows(embeddings, 'embeddings')
  if (rows === 0) return undefined
  const stored = await inPrecision('embeddings', embeddings, settings)
  // What is too large for float16.
  if (stored !== embeddings) checkFiniteRows(stored, 'embeddings')
  const [id, text] = [ids, texts].map((list) => (list === undefined ? undefined : packTexts(list)))
  return {
    rows,
    parts: {
      ...(await packRows(stored, settings)),
      ...(id && { idPlaces: id.places, ids: id.bytes }),
      ...(text && { textPlaces: text.places, texts: text.bytes }),
    },
  }
}

function checkTexts(name: string, list: unknown, rows: number, isPresent: boolean): void {
  if (list === undefined && !isPresent) return
  if (!isPresent) throw invalidArgument(name, `no ${name}, since the index was created without`, list)
  if (!Array.isArray(list) || list.length !== rows)
    throw invalidArgument(name, `an array of ${rows} texts, one for each row`, list)
  const at = list.findIndex((entry) => typeof entry !== 'string')
  if (at !== -1) throw invalidArgument(`${name}[${at}]`, 'a text', list[at])
}
