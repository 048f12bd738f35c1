import { isMainThread } from 'node:worker_threads'
import { addTokens } from './added-ids.js'
import type { AddedToken, Block, ModelBlock, TokenizerJson } from './blocks.js'
import { checkTokenizerFiles, isToken, type TokenizerFiles, type TokenValue } from './files.js'

/** A tokenizer.json with everything in it that ids depend on, and the tokens that have names. */
export interface EffectiveTokenizer {
  json: TokenizerJson
  /** `cls`, `sep`, `pad`, `unk`, `mask`, `bos`, `eos`: the tokens that go by these names. */
  named: ReadonlyMap<string, string>
  /** Whether the model is told which text of a pair a token is of; else it takes all for the first. */
  hasTokenTypes: boolean
}

/** Tokenizer classes of transformers that build a tokenizer of their own around the file's vocabulary. */
const bertClass =
  /^(Bert|DistilBert|Electra|MobileBert|SqueezeBert|ConvBert|LayoutLM|Lxmert|DPRContextEncoder|DPRQuestionEncoder|DPRReader)Tokenizer(Fast)?$/
/** Classes that take tokenizer.json as it is. */
const plainClass = /^(PreTrainedTokenizerFast|PreTrainedTokenizer|TokenizersBackend)$/
const mpnetClass = /^MPNetTokenizer(Fast)?$/
const xlmRobertaClass = /^XLMRobertaTokenizer(Fast)?$/

const names = ['bos', 'eos', 'unk', 'sep', 'pad', 'cls', 'mask']
const defaults: Record<'bert' | 'mpnet' | 'xlm', Record<string, string>> = {
  bert: { unk: '[UNK]', sep: '[SEP]', pad: '[PAD]', cls: '[CLS]', mask: '[MASK]' },
  mpnet: { bos: '<s>', eos: '</s>', unk: '[UNK]', sep: '</s>', pad: '<pad>', cls: '<s>', mask: '<mask>' },
  xlm: { bos: '<s>', eos: '</s>', unk: '<unk>', sep: '</s>', pad: '<pad>', cls: '<s>', mask: '<mask>' },
}

/**
 * What `AutoTokenizer.from_pretrained` makes of a folder: the tokens of all its files, and for the classes of BERT, MPNet and
 * XLM-RoBERTa the parts that these classes put in the place of the file's, whatever tokenizer.json says. Without a class it
 * is BERT's. A file with a vocabulary of another kind than the class expects keeps its own parts.
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
    model: model ?? undefined,
  }
  const config = { ...files.config } as Record<string, unknown>
  const className = String(config.tokenizer_class ?? 'BertTokenizer')
  const kind = kindOf(className, given.model)
  if (kind === undefined && !plainClass.test(className)) warnOfClass(className)
  // added_tokens_decoder stands for all other lists of tokens.
  const decoder = config.added_tokens_decoder as Record<string, TokenValue> | undefined
  const values: Record<string, unknown> = { ...config, ...(decoder ? {} : files.specialTokensMap) }
  const special = new Map<string, TokenValue>()
  for (const name of names) {
    const value = values[`${name}_token`] ?? (kind && defaults[kind][name])
    if (isToken(value)) special.set(name, value)
  }
  const others = Object.entries(values).filter(([key]) => key.endsWith('_token') && !names.includes(key.slice(0, -6)))
  const extra = values.extra_special_tokens ?? values.additional_special_tokens ?? []
  const named = [...special.values(), ...others.map(([, value]) => value), ...Object.values(extra as object)].filter(
    isToken,
  )

  const isNamed = new Set([...special.values()].map(contentOf))
  const listed = decoder
    ? Object.entries(decoder).map(([id, token]) => ({ ...complete(token, false), id: Number(id) }))
    : listedTokens(given, files.addedTokens ?? {}, new Set(named.map(contentOf)))
  listed.sort((a, b) => a.id - b.id)
  const byContent = new Map(listed.map((token) => [token.content, token]))
  for (const token of listed) token.special ||= isNamed.has(token.content)
  // A class that builds its own tokenizer knows no more than the listed ones.
  const own = kind ? [] : given.added_tokens.map((token) => complete(token as TokenValue, false))
  const wanted = named.map((value) => byContent.get(contentOf(value)) ?? { ...fresh(value, kind, special), id: -1 })
  const json = kind ? rebuilt(given, kind, config, special) : given
  const added = addTokens(json.model, size, own, listed, wanted)
  const ids = new Map(added.map((token) => [token.content, token.id]))
  const post = kind && postProcessor(kind, special, (token) => ids.get(token))
  return {
    json: {
      ...{ ...json, added_tokens: added, ...(post && { post_processor: post }) },
      split_special_tokens: config.split_special_tokens === true,
    },
    named: new Map([...special].map(([name, value]) => [name, contentOf(value)])),
    hasTokenTypes: Array.isArray(config.model_input_names)
      ? config.model_input_names.includes('token_type_ids')
      : kind === 'bert' && !/^(DistilBert|DPRReader)/.test(className),
  }
}

/** Classes that were warned of. */
const warned = new Set<string>()

/** transformers makes parts of a tokenizer anew for most classes; here that is done for the three kinds above. */
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

type Kind = 'bert' | 'mpnet' | 'xlm' | undefined

function kindOf(name: string, model: ModelBlock | undefined): Kind {
  // Old files do not say of what type their model is.
  const type = model?.type ?? (model && 'merges' in model ? 'BPE' : 'WordPiece')
  const isWordPiece = type === 'WordPiece' && typeof model?.vocab === 'object' && !Array.isArray(model.vocab)
  if (bertClass.test(name)) return isWordPiece ? 'bert' : undefined
  if (mpnetClass.test(name)) return isWordPiece ? 'mpnet' : undefined
  return xlmRobertaClass.test(name) && Array.isArray(model?.vocab) ? 'xlm' : undefined
}

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
function fresh(value: TokenValue, kind: Kind, special: ReadonlyMap<string, TokenValue>): AddedToken {
  const token = { ...complete(value, true), special: true }
  // MPNet makes tokens of its names that take the space before a mask, and are sought in the normalised text.
  if (kind !== 'mpnet' || typeof value !== 'string') return token
  return { ...token, normalized: true, lstrip: value === special.get('mask') }
}

function complete(token: TokenValue, special: boolean): AddedToken {
  const given = typeof token === 'string' ? { content: token } : token
  const isSpecial = given.special ?? special
  return {
    ...{ id: -1, content: given.content, special: isSpecial, normalized: given.normalized ?? !isSpecial },
    ...{ single_word: given.single_word ?? false, lstrip: given.lstrip ?? false, rstrip: given.rstrip ?? false },
  }
}

function rebuilt(
  json: TokenizerJson,
  kind: 'bert' | 'mpnet' | 'xlm',
  config: Record<string, unknown>,
  special: ReadonlyMap<string, TokenValue>,
): TokenizerJson {
  if (kind === 'xlm') {
    const prepend_scheme = config.add_prefix_space === false ? 'never' : 'always'
    const pretokenizers = [{ type: 'WhitespaceSplit' }, { type: 'Metaspace', replacement: '▁', prepend_scheme }]
    return {
      ...json,
      model: { type: 'Unigram', vocab: json.model!.vocab!, unk_id: 3, byte_fallback: false },
      normalizer: precompiled(json.normalizer),
      pre_tokenizer: { type: 'Sequence', pretokenizers },
    }
  }
  const flag = (key: string) => (typeof config[key] === 'boolean' ? config[key] : undefined)
  return {
    ...json,
    model: { type: 'WordPiece', vocab: json.model!.vocab!, unk_token: contentOf(special.get('unk')!) },
    normalizer: {
      type: 'BertNormalizer',
      clean_text: true,
      lowercase: flag('do_lower_case') ?? true,
      handle_chinese_chars: flag('tokenize_chinese_chars') ?? true,
      strip_accents: flag('strip_accents') ?? null,
    },
    pre_tokenizer: { type: 'BertPreTokenizer' },
  }
}

/** The first charsmap among the file's normalisers. */
function precompiled(normalizer: Block | null): Block | null {
  const all: unknown = normalizer?.type === 'Sequence' ? normalizer.normalizers : [normalizer]
  if (!Array.isArray(all)) return null
  return (
    (all as (Block | null)[]).find((block) => block?.type === 'Precompiled' && 'precompiled_charsmap' in block) ?? null
  )
}

function postProcessor(
  kind: 'bert' | 'mpnet' | 'xlm',
  special: ReadonlyMap<string, TokenValue>,
  idOf: (token: string) => number | undefined,
): object {
  const token = (name: string) => contentOf(special.get(name)!)
  const [first, last] = kind === 'xlm' ? [token('bos'), token('eos')] : [token('cls'), token('sep')]
  if (kind === 'mpnet') return { type: 'RobertaProcessing', cls: [first, idOf(first)], sep: [last, idOf(last)] }
  const piece = (id: string, type_id = 0) => ({ SpecialToken: { id, type_id } })
  const text = (id: 'A' | 'B', type_id = 0) => ({ Sequence: { id, type_id } })
  const second = kind === 'bert' ? 1 : 0
  const between = kind === 'bert' ? [piece(last)] : [piece(last), piece(last)]
  return {
    type: 'TemplateProcessing',
    single: [piece(first), text('A'), piece(last)],
    pair: [piece(first), text('A'), ...between, text('B', second), piece(last, second)],
    special_tokens: Object.fromEntries([first, last].map((id) => [id, { id, ids: [idOf(id)], tokens: [id] }])),
  }
}

function contentOf(token: TokenValue): string {
  return typeof token === 'string' ? token : token.content
}
