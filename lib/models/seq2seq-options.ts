import { invalidArgument, SentenceTorchError } from '../errors.js'
import type { GenerationOptions } from '../native/types.js'
import { checkFinite, checkInteger, checkOptions, checkSignal, checkType } from '../options.js'
import type { GenerationDefaults } from './generation-config.js'
import { checkPatterns, checkRunOptions, checkSourceOptions } from './load-options.js'
import { LOAD_NOT_BUILT, type LoadOptions, SOURCE_OPTIONS, type SourceOptions } from './types.js'

export interface Seq2SeqLoadOptions
  extends SourceOptions,
    Pick<LoadOptions, 'device' | 'maxSeqLength' | 'threads' | 'ignoreTensors' | 'prompts'> {
  /** Number type of the computation; weights are kept in float32. Default `float32`. */
  dtype?: 'float32' | 'bfloat16' | 'auto'
}

const LOAD_OPTIONS = [...SOURCE_OPTIONS, 'device', 'dtype', 'maxSeqLength', 'prompts', 'threads', 'ignoreTensors']

export function checkSeq2SeqLoadOptions(options: Seq2SeqLoadOptions): void {
  checkOptions('Seq2SeqModel.load', options, LOAD_OPTIONS, LOAD_NOT_BUILT)
  checkSourceOptions(options)
  checkRunOptions(options)
  checkPatterns('ignoreTensors', options.ignoreTensors)
  if ((options.dtype as string | undefined) === 'int8')
    throw invalidArgument('dtype', '"float32", "bfloat16" or "auto"', options.dtype)
}

/** How texts are written. Absent options are those of generation_config.json, else the defaults of transformers. */
export interface GenerateOptions {
  /** Most tokens of a text, with its end. Default of transformers: 19. */
  maxNewTokens?: number
  /** Fewest tokens in front of the end. Default 0. */
  minNewTokens?: number
  /** Draws tokens by their probability instead of taking the best. Default false. */
  doSample?: boolean
  /** With `doSample`: above 0; below 1, likely tokens become likelier. Default 1. */
  temperature?: number
  /** With `doSample`: draws from the most likely tokens alone, 0 from all. Default 50. */
  topK?: number
  /** With `doSample`: draws from the fewest tokens that have this probability together. Default 1. */
  topP?: number
  /** Keeps the best beginnings of texts. Default 1. */
  numBeams?: number
  /** With `numBeams`: above 0 prefers long texts, below 0 short ones. Default 1. */
  lengthPenalty?: number
  /** With `numBeams`: true ends with the first `numBeams` whole texts, `'never'` when no better one can come. Default false. */
  earlyStopping?: boolean | 'never'
  /** Texts for each source, one after the other in the result. Default 1. */
  numReturnSequences?: number
  /** No sequence of so many tokens comes twice in a text. Default 0: any may. */
  noRepeatNgramSize?: number
  /** With `doSample`: the same seed draws the same texts. Default 0. */
  seed?: number
  /** Put in front of every source: `'translate English to German: '`. */
  prompt?: string
  /** Name of one of the model's prompts: `'translation_en_to_de'`. */
  promptName?: string
  /** Sources that are worked on together. Default 32. */
  batchSize?: number
  /** Stops within one short job of the engine: ERR_ABORTED. */
  signal?: AbortSignal
}

const GENERATE_OPTIONS = [
  ...['maxNewTokens', 'minNewTokens', 'doSample', 'temperature', 'topK', 'topP', 'numBeams', 'lengthPenalty'],
  ...[
    'earlyStopping',
    'numReturnSequences',
    'noRepeatNgramSize',
    'seed',
    'batchSize',
    'signal',
    'prompt',
    'promptName',
  ],
]
const NOT_BUILT = Object.fromEntries(
  ['repetitionPenalty', 'minP', 'typicalP', 'badWordsIds', 'numBeamGroups', 'diversityPenalty', 'penaltyAlpha'].map(
    (name) => [name, {}],
  ),
)
const ONLY_SAMPLING = ['temperature', 'topK', 'topP', 'seed'] as const
const ONLY_BEAMS = ['lengthPenalty', 'earlyStopping'] as const
const LARGEST_SEED = Number.MAX_SAFE_INTEGER

/**
 * The engine's options of a call.
 * @param vocabulary of the model
 * @throws SentenceTorchError ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION, ERR_NOT_IMPLEMENTED
 */
export function generationOptions(
  given: GenerateOptions,
  defaults: GenerationDefaults,
  vocabulary: number,
): GenerationOptions {
  checkGenerateOptions(given)
  if (defaults.refused) throw defaults.refused
  const sample = given.doSample ?? defaults.sample
  const beams = given.numBeams ?? defaults.beams
  const answers = given.numReturnSequences ?? defaults.answers
  const mostTokens = given.maxNewTokens ?? defaults.mostTokens
  const leastTokens = given.minNewTokens ?? Math.min(defaults.leastTokens, mostTokens)
  for (const name of ONLY_SAMPLING) {
    if (!sample && given[name] !== undefined) throw onlyWith(name, 'doSample: true')
  }
  for (const name of ONLY_BEAMS) if (beams === 1 && given[name] !== undefined) throw onlyWith(name, 'numBeams above 1')
  if (beams > vocabulary) {
    throw invalidArgument('numBeams', `at most the ${vocabulary} tokens of the vocabulary`, beams)
  }
  if (beams > 1 && answers > beams) throw invalidArgument('numReturnSequences', `at most numBeams, ${beams},`, answers)
  if (beams === 1 && !sample && answers > 1)
    throw invalidArgument(
      'numReturnSequences',
      '1 without doSample and numBeams, which would give the same text,',
      answers,
    )
  if (leastTokens > mostTokens)
    throw invalidArgument('minNewTokens', `at most maxNewTokens, ${mostTokens},`, leastTokens)
  if (defaults.start === null) {
    const message = 'Expected decoder_start_token_id in config.json or generation_config.json, found none'
    throw new SentenceTorchError('ERR_INVALID_MODEL', message)
  }
  checkToken('decoder_start_token_id', defaults.start, vocabulary)
  for (const end of defaults.ends) checkToken('eos_token_id', end, vocabulary)
  return {
    start: defaults.start,
    ends: Int32Array.from(defaults.ends),
    mostTokens,
    leastTokens,
    answers,
    beams,
    sample,
    noRepeatNgram: given.noRepeatNgramSize ?? defaults.noRepeatNgram,
    lengthPenalty: given.lengthPenalty ?? defaults.lengthPenalty,
    earlyStopping: given.earlyStopping ?? defaults.earlyStopping,
    ...(sample && {
      temperature: given.temperature ?? defaults.temperature,
      topK: given.topK ?? defaults.topK,
      topP: given.topP ?? defaults.topP,
      seed: given.seed ?? 0,
    }),
  }
}

function checkGenerateOptions(given: GenerateOptions): void {
  checkOptions('generate', given, GENERATE_OPTIONS, NOT_BUILT)
  for (const name of ['maxNewTokens', 'numBeams', 'numReturnSequences', 'batchSize'] as const)
    checkInteger(name, given[name], 1, 2 ** 24)
  for (const name of ['minNewTokens', 'topK', 'noRepeatNgramSize'] as const) checkInteger(name, given[name], 0, 2 ** 24)
  checkInteger('seed', given.seed, 0, LARGEST_SEED)
  checkType('doSample', given.doSample, 'boolean')
  for (const name of ['prompt', 'promptName'] as const) checkType(name, given[name], 'string')
  checkFinite('lengthPenalty', given.lengthPenalty)
  checkSignal(given.signal)
  const { temperature, topP, earlyStopping } = given
  if (temperature !== undefined && !(Number.isFinite(temperature) && temperature > 0)) {
    const hint = temperature === 0 ? ' (doSample: false takes the best token, as temperature 0 would)' : ''
    throw invalidArgument('temperature', `a number above 0${hint}`, temperature)
  }
  if (topP !== undefined && !(topP > 0 && topP <= 1))
    throw invalidArgument('topP', 'a number above 0 and at most 1', topP)
  if (earlyStopping !== undefined && typeof earlyStopping !== 'boolean' && earlyStopping !== 'never')
    throw invalidArgument('earlyStopping', "true, false or 'never'", earlyStopping)
}

function onlyWith(name: string, needed: string): SentenceTorchError {
  return new SentenceTorchError('ERR_INVALID_ARGUMENT', `${name} has an effect only with ${needed}`)
}

function checkToken(name: string, id: number, vocabulary: number): void {
  if (id < vocabulary) return
  const message = `Expected ${name} below the ${vocabulary} tokens of the model, found ${id}`
  throw new SentenceTorchError('ERR_INVALID_MODEL', message)
}
