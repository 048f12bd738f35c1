/** The tokenizer's files of a model folder, with a tokenizer.json that is made where there is none. */
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { SentenceTorchError } from '../errors.js'
import { parseJson } from '../io/schema.js'
import type { ConfigObject } from '../native/types.js'
import { jsonObject, readIfPresent, toJson } from './json.js'

export const CHAT_TEMPLATE_FILE = 'chat_template.jinja'

/** Tokenizer files that are carried along to every saved folder. */
export const TOKENIZER_FILES: readonly string[] = [
  'tokenizer.json',
  'tokenizer_config.json',
  'special_tokens_map.json',
  'added_tokens.json',
  'vocab.txt',
  'vocab.json',
  'merges.txt',
  CHAT_TEMPLATE_FILE,
]

/**
 * The tokenizer's files of a folder. tokenizer.json is made of a vocab.txt, or of vocab.json and merges.txt, where only these are there.
 * @throws SentenceTorchError ERR_INVALID_MODEL without any of them
 */
export async function readTokenizerFiles(folder: string, config: ConfigObject): Promise<Map<string, Uint8Array>> {
  const files = new Map<string, Uint8Array>()
  for (const name of TOKENIZER_FILES) {
    const bytes = await readIfPresent(join(folder, name))
    if (bytes) files.set(name, bytes)
  }
  if (!files.has('tokenizer.json')) {
    const made = await tokenizerOfFiles(files, folder, config)
    if (made) files.set('tokenizer.json', new TextEncoder().encode(toJson(made)))
  }
  if (files.has('tokenizer.json')) return files
  const pieces = (await readdir(folder)).find((name) => name.endsWith('.model'))
  const found = pieces === undefined ? 'none' : `${pieces} alone, a SentencePiece model`
  throw new SentenceTorchError(
    'ERR_INVALID_MODEL',
    `Expected tokenizer.json in ${folder}, found ${found}. Python makes it: ` +
      `AutoTokenizer.from_pretrained(folder).save_pretrained(folder)${pieces === undefined ? '' : ', with sentencepiece and protobuf installed'}`,
  )
}

/** A tokenizer.json of the files of a vocabulary; undefined where there is none, or none that a tokenizer could be made of. */
async function tokenizerOfFiles(
  files: ReadonlyMap<string, Uint8Array>,
  folder: string,
  config: ConfigObject,
): Promise<object | undefined> {
  // A byte order mark is part of the first token, in Python, too.
  const textOf = (name: string) => {
    const bytes = files.get(name)
    return bytes && new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes)
  }
  const objectOf = (name: string) => {
    const bytes = files.get(name)
    return bytes && parseJson(bytes, join(folder, name), jsonObject, 'ERR_INVALID_MODEL')
  }
  const [vocabTxt, merges] = [textOf('vocab.txt'), textOf('merges.txt')]
  if (vocabTxt === undefined && merges === undefined) return undefined
  const { tokenizerOfVocabulary } = await import('./vocab-file.js')
  return tokenizerOfVocabulary(
    { vocabTxt, vocabJson: objectOf('vocab.json'), merges },
    {
      config: { tokenizer_class: config.tokenizer_class, ...objectOf('tokenizer_config.json') },
      addedTokens: objectOf('added_tokens.json') ?? {},
      specialTokensMap: objectOf('special_tokens_map.json') ?? {},
      ...(typeof config.model_type === 'string' && { modelType: config.model_type }),
    },
  )
}
