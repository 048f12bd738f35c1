import { classOf } from '../data/tokenizer/class-choice.js'
import { tokenizerClasses } from '../data/tokenizer/class-table.js'
import type { TokenizerFiles } from '../data/tokenizer/files.js'
import { asPythonLoads } from '../data/tokenizer/python-classes.js'
import { inside, integer, misfit, type Place, recordOf } from '../io/schema.js'

/** Classes of byte pair encoding that are made of a vocab.json and a merges.txt. */
const PAIRS = /^(Roberta|Bart|Longformer|LED|Mvp|GPT2|Qwen2)Tokenizer$/
/** Tokens that every text needs, or every batch. */
const NEEDED = ['pad', 'unk', 'cls', 'sep']
const MAX_TOKENS = 10_000_000

const space = /\p{White_Space}/u

/** The files of a vocabulary, as they stand in a folder. */
export interface VocabularyFiles {
  vocabTxt?: string | undefined
  vocabJson?: object | undefined
  merges?: string | undefined
}

/**
 * The tokenizer.json that transformers makes of a vocabulary, where a folder has none: of a BERT's or MPNet's vocab.txt, a token on
 * every line, or of a RoBERTa's vocab.json and merges.txt. Undefined for other classes, and without the tokens that every text needs.
 * @param settings the other files of the folder
 * @throws SentenceTorchError ERR_INVALID_MODEL for files that are none
 * Source: transformers 5.24, `convert_to_native_format` and the classes' constructors; `read_file` of Rust's models.
 */
export function tokenizerOfVocabulary(
  { vocabTxt, vocabJson, merges }: VocabularyFiles,
  settings: Omit<TokenizerFiles, 'json'>,
): object | undefined {
  const { tokenizer_class } = { ...settings.config } as { tokenizer_class?: unknown }
  const name = classOf(
    typeof tokenizer_class === 'string' ? tokenizer_class : undefined,
    settings.modelType,
    () => false,
  )
  const kind = Object.hasOwn(tokenizerClasses, name) ? tokenizerClasses[name]! : undefined
  let model: object
  let decoder: object
  if (kind?.model === 'WordPiece' && vocabTxt !== undefined) {
    const vocab = Object.fromEntries(linesOf(vocabTxt).map((line, id) => [withoutSpace(line), id]))
    model = { type: 'WordPiece', continuing_subword_prefix: '##', max_input_chars_per_word: 100, vocab }
    decoder = { type: 'WordPiece', prefix: '##', cleanup: true }
  } else if (PAIRS.test(name) && vocabJson !== undefined && merges !== undefined) {
    const flags = { dropout: null, continuing_subword_prefix: '', end_of_word_suffix: '', fuse_unk: false }
    const more = { byte_fallback: false, ignore_merges: false }
    model = { type: 'BPE', ...flags, ...more, vocab: vocabularyOf(vocabJson), merges: mergesOf(merges) }
    decoder = { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true }
  } else return undefined
  const { json, named } = asPythonLoads({ ...settings, json: { model, added_tokens: [] } })
  const { vocab } = model as { vocab: Record<string, number> }
  const has = (token: string) => Object.hasOwn(vocab, token)
  if (!NEEDED.every((key) => kind?.names[key] === undefined || has(named.get(key)!))) return undefined
  const { split_special_tokens, ...rest } = json
  return { version: '1.0', truncation: null, padding: null, ...rest, decoder, model: { ...model, ...rest.model } }
}

/** Lines as Rust reads them. */
function linesOf(text: string): string[] {
  const lines = text.split('\n')
  if (lines.at(-1) === '') lines.pop()
  return lines.map((line) => (line.endsWith('\r') ? line.slice(0, -1) : line))
}

function withoutSpace(line: string): string {
  let end = line.length
  while (end > 0 && space.test(line[end - 1]!)) end--
  return line.slice(0, end)
}

function vocabularyOf(value: unknown): Readonly<Record<string, number>> {
  return recordOf(integer(0, MAX_TOKENS - 1))(value, place('vocab.json'))
}

function mergesOf(text: string): string[][] {
  return linesOf(text).flatMap((line, i) => {
    if (line.startsWith('#version')) return []
    const pair = line.split(' ')
    if (pair.length !== 2) throw misfit(inside(place('merges.txt'), i), 'two tokens with a space between them', line)
    return [pair]
  })
}

function place(file: string): Place {
  return { file, key: '', code: 'ERR_INVALID_MODEL' }
}
