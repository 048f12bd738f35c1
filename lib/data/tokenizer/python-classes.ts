import { isMainThread } from 'node:worker_threads'
import { addTokens } from './added-ids.js'
import type { AddedToken, ModelBlock, TokenizerJson } from './blocks.js'
import { classOf } from './class-choice.js'
import type { Around, TokenizerClass } from './class-parts.js'
import { tokenizerClasses } from './class-table.js'
import { checkTokenizerFiles, isToken, type TokenizerFiles, type TokenValue } from './files.js'
import { Pieces } from './pieces.js'

/** A tokenizer.json with everything that decides ids, and the named tokens. */
export interface EffectiveTokenizer {
  json: TokenizerJson
  /** The tokens with the names `cls`, `sep`, `pad`, `unk`, `mask`, `bos`, `eos`. */
  named: ReadonlyMap<string, string>
  /** Added tokens that stand in decoded texts as they are. The normaliser changes the others that it is for. */
  plain: ReadonlySet<string>
  /** Whether the model gets token types, which tell the two texts of a pair apart. Otherwise all tokens have type 0. */
  hasTokenTypes: boolean
}

/** Classes that use tokenizer.json unchanged. */
const plainClass = /^(PreTrainedTokenizerFast|PreTrainedTokenizer|TokenizersBackend)$/
const names = ['bos', 'eos', 'unk', 'sep', 'pad', 'cls', 'mask']

/**
 * The tokenizer that `AutoTokenizer.from_pretrained` makes of a folder: the tokens of all its files, and for most classes
 * parts that replace those of tokenizer.json. A file with a vocabulary of another type than the class expects keeps its own
 * parts.
 * Source: transformers 5.24, `tokenization_utils_base.py` and `tokenization_utils_tokenizers.py`.
 * @throws SentenceTorchError ERR_INVALID_MODEL
 */
export function asPythonLoads(files: TokenizerFiles): EffectiveTokenizer {
  const size = checkTokenizerFiles(files)
  const { added_tokens, model, ...blocks } = files.json as Partial<TokenizerJson>
  // null is the same as absent.
  const given: TokenizerJson = {
    ...emptyBlocks,
    ...blocks,
    added_tokens: added_tokens ?? [],
    model: withPieces(model),
  }
  const config = { ...files.config } as Record<string, unknown>
  const kind = classFor(files, given)
  // added_tokens_decoder replaces all other lists of tokens.
  const decoder = config.added_tokens_decoder as Record<string, TokenValue> | undefined
  const map = (decoder ? {} : files.specialTokensMap) as Record<string, unknown> | undefined
  const values: Record<string, unknown> = { ...config, ...map }
  const special = new Map<string, TokenValue>()
  for (const name of names) {
    const value = values[`${name}_token`] ?? kind?.names[name]
    if (isToken(value)) special.set(name, value)
  }
  const others = Object.entries(values).filter(([key]) => key.endsWith('_token') && !names.includes(key.slice(0, -6)))
  const extra = extraTokens(config, map ?? {}, kind)
  const named = [...special.values(), ...others.map(([, value]) => value), ...extra].filter(isToken)

  const isNamed = new Set([...special.values()].map(contentOf))
  const listed = decoder
    ? Object.entries(decoder).map(([id, token]) => ({ ...complete(token, false), id: Number(id) }))
    : listedTokens(given, files.addedTokens ?? {}, new Set(named.map(contentOf)))
  listed.sort((a, b) => a.id - b.id)
  const byContent = new Map(listed.map((token) => [token.content, token]))
  for (const token of listed) token.special ||= isNamed.has(token.content)
  // A class that builds its own tokenizer knows only the listed tokens.
  const own = kind?.parts ? [] : given.added_tokens.map((token) => complete(token as TokenValue, false))
  const wanted = named.map((value) => byContent.get(contentOf(value)) ?? { ...fresh(value, kind, special), id: -1 })
  const token = (name: string) => contentOf(special.get(name) ?? '')
  const parts = kind?.parts?.({
    ...{ vocab: given.model!.vocab!, merges: (given.model as { merges?: unknown }).merges },
    ...{ config, normalizer: given.normalizer, token },
  })
  const json = { ...given, ...parts }
  const added = addTokens(json.model, size, own, listed, wanted)
  const ids = new Map(added.map(({ content, id }) => [content, id]))
  const isKept = kind?.keepsAround && given.post_processor !== null
  const post = isKept ? undefined : kind?.around && postProcessor(kind.around, token, (content) => ids.get(content))
  return {
    json: {
      ...{ ...json, added_tokens: added, ...(post && { post_processor: post }) },
      split_special_tokens: config.split_special_tokens === true,
    },
    // transformers adds its named tokens again, and then Rust takes their settings for decoding.
    plain: new Set(named.filter((value) => typeof value === 'string' || value.normalized !== true).map(contentOf)),
    named: new Map([...special].map(([name, value]) => [name, contentOf(value)])),
    hasTokenTypes: Array.isArray(config.model_input_names)
      ? config.model_input_names.includes('token_type_ids')
      : kind?.hasTokenTypes === true,
  }
}

/** The class, if it changes a tokenizer.json with this vocabulary. */
function classFor({ config, modelType }: TokenizerFiles, json: TokenizerJson): TokenizerClass | undefined {
  const { tokenizer_class } = { ...config } as { tokenizer_class?: string | null }
  const hasBytes = () => JSON.stringify([json.pre_tokenizer, json.decoder]).includes('"ByteLevel"')
  const name = classOf(tokenizer_class ?? undefined, modelType, hasBytes)
  if (plainClass.test(name)) return undefined
  const found = Object.hasOwn(tokenizerClasses, name) ? tokenizerClasses[name] : undefined
  if (found && found.model === modelOf(json.model)) return found
  warnOfClass(name)
  return undefined
}

/** Model with a list of pieces in arrays, if it has one. */
function withPieces(model: ModelBlock | null | undefined): ModelBlock | undefined {
  const vocab: unknown = model?.vocab
  return Array.isArray(vocab) ? { ...model, vocab: Pieces.of(vocab) } : (model ?? undefined)
}

/** The type of model for a vocabulary, if there is one. */
function modelOf(model: ModelBlock | undefined): TokenizerClass['model'] | undefined {
  if (!model || typeof model.vocab !== 'object' || model.vocab === null) return undefined
  if (model.vocab instanceof Pieces) return 'Unigram'
  // Old files do not state the type of their model.
  const type = model.type ?? ('merges' in model ? 'BPE' : 'WordPiece')
  return type === 'BPE' || type === 'WordPiece' ? type : undefined
}

/** Special tokens without names: those of tokenizer_config.json, else of special_tokens_map.json, else of the class. */
function extraTokens(
  config: Record<string, unknown>,
  map: Record<string, unknown>,
  kind: TokenizerClass | undefined,
): readonly unknown[] {
  const given = map.extra_special_tokens ?? config.extra_special_tokens ?? config.additional_special_tokens
  const listed = map.additional_special_tokens
  const own = () => kind?.extra?.(Array.isArray(listed) ? listed : undefined, config)
  return Object.values((given ?? own() ?? listed ?? []) as object)
}

/** Classes with a warning already. */
const warned = new Set<string>()

/** transformers rebuilds parts of a tokenizer for most classes. Here the classes of class-parts.ts do so. */
function warnOfClass(name: string): void {
  if (!isMainThread || warned.has(name)) return
  warned.add(name)
  process.emitWarning(`The ids are those of tokenizer.json alone, and ${name} of transformers may give others`, {
    type: 'SentenceTorchWarning',
    code: 'WARN_TOKENIZER_CLASS',
    detail: 'Compare the ids of some texts with those of AutoTokenizer in Python.',
  })
}

const emptyBlocks = { normalizer: null, pre_tokenizer: null, post_processor: null }

/** The tokens of added_tokens.json and then of tokenizer.json, by id. */
function listedTokens(json: TokenizerJson, added: object, special: ReadonlySet<string>): AddedToken[] {
  const byId = new Map<number, AddedToken>()
  for (const [content, id] of Object.entries(added)) {
    byId.set(id, { ...complete(content, special.has(content)), id })
  }
  for (const token of json.added_tokens) byId.set(token.id, { ...complete(token as TokenValue, false), id: token.id })
  return [...byId.values()]
}

/** A named token that no list holds. */
function fresh(
  value: TokenValue,
  kind: TokenizerClass | undefined,
  special: ReadonlyMap<string, TokenValue>,
): AddedToken {
  const token = { ...complete(value, true), special: true }
  if (typeof value !== 'string') return token
  const isNamed = names.some((name) => special.get(name) === value)
  const takesSpace = kind?.lstrip?.some((name) => special.get(name) === value) ?? false
  return { ...token, normalized: isNamed && kind?.normalized === true, lstrip: takesSpace }
}

function complete(token: TokenValue, special: boolean): AddedToken {
  const given = typeof token === 'string' ? { content: token } : token
  const isSpecial = given.special ?? special
  return {
    ...{ id: -1, content: given.content, special: isSpecial, normalized: given.normalized ?? !isSpecial },
    ...{ single_word: given.single_word ?? false, lstrip: given.lstrip ?? false, rstrip: given.rstrip ?? false },
  }
}

function postProcessor(
  around: Around,
  token: (name: string) => string,
  idOf: (token: string) => number | undefined,
): object {
  if (around === 'classic') {
    const [first, last] = [token('cls'), token('sep')]
    return {
      ...{ type: 'RobertaProcessing', sep: [last, idOf(last)], cls: [first, idOf(first)] },
      ...{ trim_offsets: true, add_prefix_space: false },
    }
  }
  const pieces = (template: string) =>
    template.split(' ').map((piece) => {
      const [name, type] = piece.split(':') as [string, string?]
      const type_id = Number(type ?? 0)
      return /^[AB]$/.test(name) ? { Sequence: { id: name, type_id } } : { SpecialToken: { id: token(name), type_id } }
    })
  const tokens = around.single.split(' ').flatMap((name) => (name === 'A' ? [] : [token(name)]))
  return {
    ...{ type: 'TemplateProcessing', single: pieces(around.single), pair: pieces(around.pair) },
    special_tokens: Object.fromEntries(tokens.map((id) => [id, { id, ids: [idOf(id)], tokens: [id] }])),
  }
}

function contentOf(token: TokenValue): string {
  return typeof token === 'string' ? token : token.content
}
