import { SentenceTorchError } from '../errors.js'
import {
  anything,
  boolean,
  inside,
  integer,
  misfit,
  number,
  object,
  optional,
  type Place,
  recordOf,
  type Schema,
  text,
} from '../io/schema.js'
import type { ConfigObject } from '../native/types.js'

/** Far beyond every model that there is: what is larger is damage or malice. */
const MAX_SIZE = 10_000_000
/** With their optimiser such parameters fill 16 TB. */
const MAX_PARAMETERS = 2 ** 40

const size = integer(1, MAX_SIZE)
/** Where everything is dropped nothing is left to be scaled. */
const dropout = optional(number(0, 0.9999))
const name = optional(text(1000))
const labels = optional(recordOf(anything, { max: 1_000_000 }))

const positive: Schema<number> = (value, place) => {
  if (number(0, 1)(value, place) > 0) return value as number
  throw misfit(place, 'a number above 0', value)
}

/** What transformers' BertConfig has where config.json says nothing. */
const BERT_DEFAULTS = {
  ...{ vocab_size: 30_522, hidden_size: 768, num_hidden_layers: 12, num_attention_heads: 12, intermediate_size: 3072 },
  ...{ max_position_embeddings: 512, type_vocab_size: 2 },
}

const bert = object({
  vocab_size: size,
  hidden_size: size,
  num_hidden_layers: size,
  num_attention_heads: size,
  intermediate_size: size,
  max_position_embeddings: size,
  type_vocab_size: size,
  layer_norm_eps: optional(positive),
  hidden_dropout_prob: dropout,
  attention_probs_dropout_prob: dropout,
  classifier_dropout: dropout,
  hidden_act: name,
  pad_token_id: optional(integer()),
  is_decoder: optional(boolean),
  tie_word_embeddings: optional(boolean),
  initializer_range: optional(number()),
  tokenizer_class: name,
  id2label: labels,
})

/** config.json by `model_type`: the architectures that the engine has. */
const SCHEMAS: Readonly<Record<string, { schema: Schema<unknown>; defaults: ConfigObject }>> = {
  bert: { schema: bert, defaults: BERT_DEFAULTS },
}

/** `model_type` values of config.json that the engine has. */
export const ARCHITECTURES: readonly string[] = Object.keys(SCHEMAS)

/**
 * config.json of an architecture that is built, with transformers' defaults for the sizes that it does not name.
 * @throws SentenceTorchError ERR_INVALID_MODEL that names file and key
 */
export function transformerConfig(config: ConfigObject, file: string): ConfigObject {
  const { schema, defaults } = SCHEMAS[config.model_type as string]!
  const place: Place = { file, key: '', code: 'ERR_INVALID_MODEL' }
  const whole = { ...defaults, ...config }
  schema(whole, place)
  checkFinite(whole, place)
  const [width, heads] = sizesOf(whole, 'hidden_size', 'num_attention_heads')
  if (width! % heads! !== 0)
    throw misfit(inside(place, 'num_attention_heads'), `a divisor of hidden_size ${width}`, heads)
  const parameters = parameterCount(whole)
  // Not what the schema gives: null and absent are not the same here, and a save writes both as they were.
  if (parameters <= MAX_PARAMETERS) return whole
  const message = `Expected sizes of at most ${MAX_PARAMETERS} parameters in ${file}, found ${parameters}`
  throw new SentenceTorchError('ERR_INVALID_MODEL', message)
}

/** 1e400 is JSON, and no number that anything here takes. */
function checkFinite(value: unknown, place: Place): void {
  if (typeof value === 'number') number()(value, place)
  if (typeof value !== 'object' || value === null) return
  for (const [key, member] of Object.entries(value)) checkFinite(member, inside(place, key))
}

/** Numbers in the tensors of the bare transformer. */
export function parameterCount(config: ConfigObject): number {
  const [width, inner, layers] = sizesOf(config, 'hidden_size', 'intermediate_size', 'num_hidden_layers')
  const rows = sizesOf(config, 'vocab_size', 'max_position_embeddings', 'type_vocab_size')
  return rows.reduce((sum, n) => sum + n * width!, 0) + layers! * width! * (4 * width! + 2 * inner!)
}

function sizesOf(config: ConfigObject, ...keys: string[]): number[] {
  return keys.map((key) => config[key] as number)
}
