import { join } from 'node:path'
import { describe, SentenceTorchError } from '../errors.js'
import { arrayOf, boolean, integer, number, object, oneOf, optional, type Place, type Schema } from '../io/schema.js'
import type { ConfigObject, GeneratorDescription } from '../native/types.js'
import { readJson } from './json.js'

/** How a model writes where a call says nothing else: generation_config.json, or what a config.json of old says. */
export interface GenerationDefaults {
  start: number | null
  ends: readonly number[]
  mostTokens: number
  leastTokens: number
  sample: boolean
  temperature: number
  topK: number
  topP: number
  beams: number
  lengthPenalty: number
  earlyStopping: boolean | 'never'
  answers: number
  noRepeatNgram: number
  /** The error for a setting that is not built; calls throw it. */
  refused: SentenceTorchError | undefined
}

/** transformers' default of `max_length`, which counts the start token. */
const MAX_LENGTH = 20
const TOP_K = 50
const MOST = 2 ** 24

const count = optional(integer(0, MOST))
const flag = optional(boolean)
const token = integer(0, 10_000_000)
const tokens: Schema<number | readonly number[]> = (value, place) =>
  Array.isArray(value) ? arrayOf(token, { max: 1000 })(value, place) : token(value, place)
const schema = object({
  decoder_start_token_id: optional(token),
  bos_token_id: optional(tokens),
  eos_token_id: optional(tokens),
  max_length: count,
  max_new_tokens: count,
  min_length: count,
  min_new_tokens: count,
  do_sample: flag,
  temperature: optional(number()),
  top_k: count,
  top_p: optional(number()),
  num_beams: count,
  length_penalty: optional(number()),
  early_stopping: optional((value: unknown, place: Place) =>
    typeof value === 'boolean' ? value : oneOf('never')(value, place),
  ),
  num_return_sequences: count,
  no_repeat_ngram_size: count,
})

/** Settings of transformers that change texts and are not built, with the values that change nothing. */
const NOT_BUILT: Readonly<Record<string, readonly unknown[]>> = {
  repetition_penalty: [1],
  encoder_repetition_penalty: [1],
  encoder_no_repeat_ngram_size: [0],
  diversity_penalty: [0],
  num_beam_groups: [1],
  penalty_alpha: [0],
  typical_p: [1],
  min_p: [0],
  epsilon_cutoff: [0],
  eta_cutoff: [0],
  bad_words_ids: [],
  sequence_bias: [],
  force_words_ids: [],
  constraints: [],
  forced_bos_token_id: [],
  forced_eos_token_id: [],
  suppress_tokens: [],
  begin_suppress_tokens: [],
  exponential_decay_length_penalty: [],
  guidance_scale: [1],
  watermarking_config: [],
}

/**
 * The defaults of a model's texts as transformers reads them: of generation_config.json, or else of config.json.
 * @returns the file as read, too; undefined without one
 * @throws SentenceTorchError ERR_INVALID_MODEL naming file and key
 */
export async function readGenerationConfig(
  folder: string,
  config: ConfigObject,
  generator: GeneratorDescription,
): Promise<{ file: ConfigObject | undefined; defaults: GenerationDefaults }> {
  const path = join(folder, 'generation_config.json')
  const found = await readJson(path, object({}))
  const source = found === undefined ? join(folder, 'config.json') : path
  const place: Place = { file: source, key: '', code: 'ERR_INVALID_MODEL' }
  const given = schema(withoutNulls(found ?? config), place)
  const { eos_token_id = found === undefined ? [...generator.ends] : [] } = given
  const ends = typeof eos_token_id === 'number' ? [eos_token_id] : eos_token_id
  const { max_length = MAX_LENGTH, min_length = 0 } = given
  const sample = given.do_sample ?? false
  return {
    file: found as ConfigObject | undefined,
    defaults: {
      start: given.decoder_start_token_id ?? generator.decoderStart,
      ends,
      // max_length and min_length count the start token.
      mostTokens: Math.max(1, given.max_new_tokens ?? max_length - 1),
      leastTokens: given.min_new_tokens ?? Math.max(0, min_length - 1),
      sample,
      temperature: given.temperature ?? 1,
      topK: given.top_k ?? TOP_K,
      topP: given.top_p ?? 1,
      beams: Math.max(1, given.num_beams ?? 1),
      lengthPenalty: given.length_penalty ?? 1,
      earlyStopping: given.early_stopping ?? false,
      answers: Math.max(1, given.num_return_sequences ?? 1),
      noRepeatNgram: given.no_repeat_ngram_size ?? 0,
      refused: refusedIn(found ?? config, source),
    },
  }
}

/** transformers takes null for "not set". */
function withoutNulls(values: object): Record<string, unknown> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== null))
}

function refusedIn(values: object, file: string): SentenceTorchError | undefined {
  for (const [key, value] of Object.entries(withoutNulls(values))) {
    if (!Object.hasOwn(NOT_BUILT, key)) continue
    const isEmpty = Array.isArray(value) && value.length === 0
    if (isEmpty || NOT_BUILT[key]!.includes(value)) continue
    const message = `${key} ${describe(value)} of ${file} is not built yet: take it out of the file to write texts without it`
    return new SentenceTorchError('ERR_NOT_IMPLEMENTED', message)
  }
  return undefined
}

/** generation_config.json of a model without one, as transformers saves it. */
export function newGenerationConfig({ start, ends }: GenerationDefaults, padding: number | null): ConfigObject {
  return {
    _from_model_config: true,
    ...(start !== null && { decoder_start_token_id: start }),
    ...(ends.length > 0 && { eos_token_id: ends.length === 1 ? ends[0]! : [...ends] }),
    ...(padding !== null && { pad_token_id: padding }),
  }
}
