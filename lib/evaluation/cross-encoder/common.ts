import { describe, invalidArgument } from '../../errors.js'
import type { Pair, Scores } from '../../models/cross-encoder.js'
import type { PredictOptions } from '../../models/cross-encoder-options.js'
import { checkType } from '../../options.js'
import { type CommonOptions, checkCommon, checkContext, invalidData } from '../common.js'
import type { EvaluatedRows, EvaluationContext, EvaluationResult } from '../evaluator.js'

/** The part of a model that evaluators of cross-encoders use; a `CrossEncoder` is one. */
export interface EvaluatedCrossEncoder {
  readonly numLabels: number
  predict(pairs: readonly Pair[], options?: PredictOptions): Promise<Scores>
}

export interface CrossEncoderEvaluator {
  evaluate(model: EvaluatedCrossEncoder, context?: EvaluationContext): Promise<EvaluationResult>
}

export interface PairOptions extends Omit<CommonOptions, 'truncateDim' | 'batchSize'> {
  /** Pairs per batch of `predict`. */
  batchSize?: number
  /** Name of one of the model's prompts. Default: the model's `defaultPromptName`. */
  promptName?: string
}

export const PAIR_OPTIONS = ['name', 'batchSize', 'showProgressBar', 'writeCsv', 'promptName'] as const

/** The input of old evaluators. */
export interface InputExample {
  texts: Pair
  label: number
}

export function checkPairOptions(where: string, options: PairOptions): void {
  checkCommon(where, options)
  checkType(`${where} promptName`, options.promptName, 'string')
}

/** Checks that there are pairs, and one number for each. */
export function checkLabelledPairs(where: string, pairs: unknown, name: string, numbers: unknown): void {
  if (!Array.isArray(pairs)) throw invalidArgument(`${where} sentencePairs`, 'an array of pairs', pairs)
  if (!Array.isArray(numbers)) throw invalidArgument(`${where} ${name}`, 'an array of numbers', numbers)
  if (pairs.length !== numbers.length) {
    throw invalidData(
      `${where}: expected as many sentencePairs as ${name} but received ${pairs.length}, ${numbers.length}`,
    )
  }
  if (pairs.length === 0) throw invalidData(`${where}: expected at least one row but sentencePairs is empty`)
  const isPair = (value: unknown) =>
    Array.isArray(value) && value.length === 2 && value.every((text) => typeof text === 'string')
  const wrong = pairs.findIndex((pair) => !isPair(pair))
  if (wrong !== -1) {
    throw invalidData(
      `Expected two strings in ${where} sentencePairs, row ${wrong}, but found ${describe(pairs[wrong])}`,
    )
  }
  const row = numbers.findIndex((value) => !Number.isFinite(value))
  if (row !== -1)
    throw invalidData(`Expected a number in ${where} ${name}, row ${row}, but found ${describe(numbers[row])}`)
}

/** Scores of pairs, for people to look at. */
export function pairRows(pairs: readonly Pair[], gold: readonly number[], scores: ArrayLike<number>): EvaluatedRows {
  const [texts1, texts2] = [pairs.map(([text]) => text), pairs.map(([, text]) => text)]
  return { kind: 'pairs', texts1, texts2, gold, scores }
}

/**
 * The model's scores with the options of an evaluator.
 * @throws ERR_INVALID_DATA naming the first pair with a score of NaN, which cannot be ranked
 */
export async function predict(
  model: EvaluatedCrossEncoder,
  pairs: readonly Pair[],
  { batchSize, promptName, showProgressBar }: PairOptions,
  context: EvaluationContext,
): Promise<Scores> {
  checkContext(context)
  const { signal } = context
  const scores = await model.predict(pairs, {
    ...(batchSize !== undefined && { batchSize }),
    ...(promptName !== undefined && { promptName }),
    ...(showProgressBar !== undefined && { showProgressBar }),
    ...(signal && { signal }),
  })
  const at = scores.data.findIndex(Number.isNaN)
  if (at === -1) return scores
  const row = Math.floor(at / (scores.data.length / pairs.length))
  throw invalidData(`Expected a number as score of pair ${row} (${pairs[row]!.map(describe).join(', ')}), found NaN`)
}
