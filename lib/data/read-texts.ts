import { invalidArgument } from '../errors.js'
import { throwIfAborted } from '../io/abort.js'
import { checkInteger, checkOptions, checkSignal, checkType } from '../options.js'
import { checkPath, readPieces } from './texts/decode.js'
import { type TextFile, textFiles } from './texts/files.js'
import { htmlParagraphs } from './texts/html.js'
import { markdownParagraphs } from './texts/markdown.js'
import { packUnits } from './texts/pack-units.js'
import type { Paragraph } from './texts/paragraph.js'
import { plainParagraphs } from './texts/plain-text.js'
import { SeenTexts } from './texts/seen-texts.js'
import { type Ruler, tokenRuler, wordRuler } from './texts/sizes.js'
import { unitsOf } from './texts/units.js'
import { Tokenizer } from './tokenizer.js'

export interface ReadTextsOptions {
  /** The tokenizer that counts, or a model that has one. Without it, words are counted. */
  tokenizer?: Tokenizer | { readonly tokenizer: Tokenizer }
  /**
   * Limit of tokens in a passage, with the special tokens around it, or of words. Default 256, or the tokenizer's
   * `maxSeqLength` if that is less.
   */
  maxTokens?: number
  /** Tokens or words, in whole sentences, that a passage may repeat from the end of the one before. Default 32. */
  overlap?: number
  /** The language whose rules find the ends of sentences. Default 'en', which suits most. */
  locale?: string
  /** Leaves out passages with a text that came before. Default true. */
  dropDuplicates?: boolean
  /** Leaves out the files of a folder that cannot be read. Default false: such a file is an error. */
  skipOthers?: boolean
  signal?: AbortSignal
}

/** A part of a text file. A type, not an interface, so that it is a row of a stream. */
export type Passage = {
  /** Without line breaks: every run of whitespace is one space. */
  text: string
  file: string
  /** The line of the file where the passage begins, from 1. */
  line: number
  /** The number of the passage in its file, from 0. */
  index: number
}

const MAX_TOKENS = 256
const OVERLAP = 32

/**
 * The passages of text files: `.txt`, `.md` and `.html`, in UTF-8. Paragraphs are put together up to the budget of tokens.
 * A longer paragraph is cut between sentences, a longer sentence between words. Files are read one after the other, in the
 * order of their names, and a few paragraphs at a time, so folders of any size can be read. Nothing is read before the
 * first passage is asked for.
 *
 * ```ts
 * const passages = await Dataset.fromIterable(readTexts('docs', { tokenizer: model }))
 * ```
 * @param paths a file, a folder, or several. Folders are read with their folders. Hidden files in them are left out.
 * @throws SentenceTorchError ERR_NOT_FOUND; ERR_INVALID_ARGUMENT for a file of another kind and for a folder without texts;
 * ERR_INVALID_DATA naming the byte that is not UTF-8; ERR_INVALID_FILE for a page beyond the limits; ERR_ABORTED
 */
export function readTexts(
  paths: string | readonly string[],
  options: ReadTextsOptions = {},
): AsyncGenerator<Passage, void, undefined> {
  const known = ['tokenizer', 'maxTokens', 'overlap', 'locale', 'dropDuplicates', 'skipOthers', 'signal']
  checkOptions('readTexts', options, known)
  const { locale = 'en', dropDuplicates = true, skipOthers = false, signal } = options
  const list: readonly unknown[] = Array.isArray(paths) ? [...paths] : [paths]
  if (list.length === 0) throw invalidArgument('paths', 'a file, a folder, or several', paths)
  for (const path of list) checkPath(path)
  checkLocale(locale)
  checkType('dropDuplicates', dropDuplicates, 'boolean')
  checkType('skipOthers', skipOthers, 'boolean')
  checkSignal(signal)
  const ruler = rulerOf(options)
  const overlap = options.overlap ?? Math.min(OVERLAP, ruler.room >> 1)
  checkInteger('overlap', overlap, 0, ruler.room - 1)
  const seen = dropDuplicates ? new SeenTexts() : undefined
  return passages(list as string[], { ruler, overlap, locale, skipOthers, signal, seen })
}

interface Settings {
  ruler: Ruler
  overlap: number
  locale: string
  skipOthers: boolean
  signal: AbortSignal | undefined
  seen: SeenTexts | undefined
}

async function* passages(paths: readonly string[], settings: Settings): AsyncGenerator<Passage, void, undefined> {
  const { ruler, overlap, locale, signal, seen } = settings
  // Walked through twice, so that a file that cannot be read is found before the first one is read.
  for await (const _ of textFiles(paths, settings));
  for await (const file of textFiles(paths, settings)) {
    throwIfAborted(signal, `Reading ${file.path}`)
    let index = 0
    const units = unitsOf(paragraphsOf(file), ruler, locale, signal)
    for await (const { text, line } of packUnits(units, ruler, overlap, signal)) {
      throwIfAborted(signal, `Reading ${file.path}`)
      const passage = { text, file: file.path, line, index: index++ }
      if (!seen || seen.add(text)) yield passage
    }
  }
}

function paragraphsOf({ path, format }: TextFile): AsyncIterable<Paragraph> {
  const pieces = readPieces(path)
  if (format === 'html') return htmlParagraphs(pieces, path)
  return format === 'markdown' ? markdownParagraphs(pieces) : plainParagraphs(pieces)
}

function rulerOf({ tokenizer: given, maxTokens }: ReadTextsOptions): Ruler {
  checkInteger('maxTokens', maxTokens, 1)
  if (given === undefined) return wordRuler(maxTokens ?? MAX_TOKENS)
  const tokenizer = given instanceof Tokenizer ? given : given?.tokenizer
  if (!(tokenizer instanceof Tokenizer)) throw invalidArgument('tokenizer', 'a tokenizer or a model with one', given)
  return tokenRuler(tokenizer, maxTokens ?? Math.min(MAX_TOKENS, tokenizer.maxSeqLength))
}

function checkLocale(locale: unknown): void {
  checkType('locale', locale, 'string')
  try {
    Intl.Segmenter.supportedLocalesOf(locale as string)
  } catch {
    throw invalidArgument('locale', "the name of a language, such as 'en'", locale)
  }
}
