/** The passages of documents: of files of text, or of rows. */
import { statSync } from 'node:fs'
import { Dataset } from '../../data/dataset.js'
import { readTexts } from '../../data/read-texts.js'
import type { Tokenizer } from '../../data/tokenizer.js'
import { SentenceTorchError } from '../../errors.js'
import type { DataOption } from '../recipe.js'

/** Folders and files of text (`.txt`, `.md`, `.html`), or rows with a column of passages. */
export type DocumentsOption = DataOption | readonly string[]

/** Tokens of a passage, as in GenQ. */
const MOST_TOKENS = 300
const COLUMNS = ['passage', 'text', 'document', 'body']

/** Whether documents are files of text and not rows. */
export function areTexts(documents: DocumentsOption): documents is string | readonly string[] {
  if (Array.isArray(documents)) return true
  if (typeof documents !== 'string') return false
  if (/\.(txt|md|markdown|html?|xhtml)$/i.test(documents)) return true
  return statSync(documents, { throwIfNoEntry: false })?.isDirectory() ?? false
}

/**
 * The passages of files of text, cut at 300 tokens, or at fewer where the model reads fewer.
 * @param tokenizer counts; absent: words are counted
 */
export function passagesOfTexts(
  paths: string | readonly string[],
  tokenizer: Tokenizer | undefined,
  signal: AbortSignal | undefined,
): Promise<Dataset> {
  const maxTokens = Math.min(MOST_TOKENS, tokenizer?.maxSeqLength ?? MOST_TOKENS)
  return Dataset.fromIterable(
    readTexts(paths, { ...(tokenizer && { tokenizer }), maxTokens, ...(signal && { signal }) }),
  )
}

/**
 * Different passages of rows: their column `passage`, `text`, `document` or `body`, else their only column of texts. Whitespace of
 * any length becomes one space.
 * @throws ERR_INVALID_DATA for other columns, and if there is no passage
 */
export function passagesOf(rows: Dataset): { passages: string[]; dropped: number } {
  const texts = rows.textColumns.filter((name) => rows.columnKind(name) === 'text')
  const column = COLUMNS.find((name) => texts.includes(name)) ?? (texts.length === 1 ? texts[0] : undefined)
  if (column === undefined) {
    const message = `Expected a column ${COLUMNS.join(', ')}, or a single column of texts, found ${rows.columnNames.join(', ')}`
    throw new SentenceTorchError('ERR_INVALID_DATA', message)
  }
  const all = rows.texts(column)
  const passages = [...new Set(all.map(oneLine))].filter((text) => text !== '')
  if (passages.length === 0) throw new SentenceTorchError('ERR_INVALID_DATA', 'Expected passages, found none')
  return { passages, dropped: all.length - passages.length }
}

/** A text in one line: every run of whitespace is one space. */
export function oneLine(text: string): string {
  return text.replace(/\s+/g, ' ').trim()
}
