/** Paired bootstrap: how certain a difference between two models is that were measured on the same items. */
import { Random } from '../data/random.js'
import { type Pieces, runInSlices } from '../data/time-slice.js'
import { invalidArgument, SentenceTorchError } from '../errors.js'
import { checkFinite, checkInteger, checkOneOf, checkOptions, checkPositive } from '../options.js'
import type { EvaluationResult } from './evaluator.js'
import { mean } from './mean.js'
import { classificationScores } from './mteb/classification-scores.js'
import { correlationOfCounts, rankColumn } from './resampled-correlation.js'

export interface BootstrapOptions {
  /** Share of the interval, between 0 and 1. Default 0.95. */
  confidence?: number
  /** How often the items are drawn anew. Default 9999, as in scipy. */
  resamples?: number
  /** The same seed gives the same interval. Default 42. */
  seed?: number
}

/** Two values of one metric, and the interval of their difference. */
export interface PairedInterval {
  before: number
  after: number
  /** `after` - `before`. */
  difference: number
  /** Ends of the interval of the difference. */
  low: number
  high: number
  confidence: number
  resamples: number
  /** Whether 0 is outside of the interval. Otherwise there is no measurable difference. */
  isMeasurable: boolean
}

/** The gold scores of pairs, and what two models give for them. */
export interface PairedScores {
  gold: ArrayLike<number>
  before: ArrayLike<number>
  after: ArrayLike<number>
}

/** The classes of items, and what two models took them for: numbers from 0. */
export interface PairedClasses {
  gold: ArrayLike<number>
  before: ArrayLike<number>
  after: ArrayLike<number>
}

/** Sums of the same numbers in another order may differ by this much. */
const ROUNDING = 1e-12

/** More would need too much memory for each resample. */
const MOST_CLASSES = 1_000_000

/** The difference of one resample, in which item i is there `counts[i]` times; NaN where it has none. */
type DifferenceOf = (counts: Uint16Array) => number

/**
 * The interval of the difference of two means over the same items: accuracy (0 or 1 an item), or MRR and NDCG of every query.
 * Items are drawn with replacement; the interval lies between the percentiles of the differences.
 * Source: Efron and Tibshirani, An Introduction to the Bootstrap (1993), chapter 13; `scipy.stats.bootstrap` with `paired=True` and
 * `method='percentile'`.
 *
 * @param before a score for each item
 * @param after scores of the same items in the same order
 * @throws ERR_INVALID_ARGUMENT, ERR_INVALID_DATA for other lengths, fewer than two items, or scores that are not finite
 */
export async function pairedBootstrap(
  before: ArrayLike<number>,
  after: ArrayLike<number>,
  options: BootstrapOptions = {},
): Promise<PairedInterval> {
  checkScores('pairedBootstrap', { before, after })
  const differences = Float64Array.from(after, (value, i) => value - before[i]!)
  const differenceOf: DifferenceOf = (counts) => {
    let sum = 0
    for (let i = 0; i < counts.length; i++) sum += counts[i]! * differences[i]!
    return sum / counts.length
  }
  return interval('pairedBootstrap', { before: mean(before), after: mean(after) }, before.length, differenceOf, options)
}

/**
 * The interval of the difference of two correlations with the same gold scores; pairs are drawn with replacement. Resamples in
 * which a side is constant have no correlation and are drawn again.
 *
 * @param options.correlation `spearman` (default; ties have their average rank) or `pearson`
 * @throws ERR_INVALID_ARGUMENT, ERR_INVALID_DATA, also where a side is constant or nearly so
 */
export async function pairedBootstrapCorrelation(
  scores: PairedScores,
  { correlation = 'spearman', ...options }: BootstrapOptions & { correlation?: 'spearman' | 'pearson' } = {},
): Promise<PairedInterval> {
  const where = 'pairedBootstrapCorrelation'
  checkOneOf(`${where} correlation`, correlation, ['spearman', 'pearson'])
  checkOptions(`the scores of ${where}`, scores, ['gold', 'before', 'after'])
  const { gold, before, after } = scores
  checkScores(where, { gold, before, after })
  const isRanked = correlation === 'spearman'
  const [goldColumn, beforeColumn, afterColumn] = [gold, before, after].map((values) => rankColumn(values, isRanked))
  const valuesOf = (counts: Uint16Array): [number, number] => [
    correlationOfCounts(goldColumn!, beforeColumn!, counts),
    correlationOfCounts(goldColumn!, afterColumn!, counts),
  ]
  const [valueBefore, valueAfter] = valuesOf(new Uint16Array(gold.length).fill(1))
  if (Number.isNaN(valueBefore) || Number.isNaN(valueAfter)) {
    throw new SentenceTorchError('ERR_INVALID_DATA', `${where}: scores that are all the same have no correlation`)
  }
  const differenceOf: DifferenceOf = (counts) => {
    const [ofBefore, ofAfter] = valuesOf(counts)
    return ofAfter - ofBefore
  }
  return interval(where, { before: valueBefore, after: valueAfter }, gold.length, differenceOf, options)
}

/**
 * The interval of the difference of two means over the F1 of all classes; items are drawn with replacement. A class counts in a
 * resample if it occurs there, among the gold or the predicted ones.
 * @throws ERR_INVALID_ARGUMENT, ERR_INVALID_DATA for values that are no classes
 */
export async function pairedBootstrapF1(
  classes: PairedClasses,
  options: BootstrapOptions = {},
): Promise<PairedInterval> {
  const where = 'pairedBootstrapF1'
  checkOptions(`the classes of ${where}`, classes, ['gold', 'before', 'after'])
  const { gold, before, after } = classes
  checkScores(where, { gold, before, after })
  let count = 0
  for (const [name, values] of Object.entries({ gold, before, after })) {
    for (let i = 0; i < values.length; i++) {
      checkInteger(`${where} ${name}[${i}]`, values[i], 0, MOST_CLASSES)
      count = Math.max(count, values[i]! + 1)
    }
  }
  const f1 = (predicted: ArrayLike<number>, counts?: Uint16Array) =>
    classificationScores(gold, predicted, count, counts).f1
  const differenceOf: DifferenceOf = (counts) => f1(after, counts) - f1(before, counts)
  return interval(where, { before: f1(before), after: f1(after) }, gold.length, differenceOf, options)
}

/**
 * The interval of the difference of two results of one evaluator, which had `items: true` in its context.
 * @param metric a name in `metrics`
 * @returns undefined for a metric that has no items, or none that differ enough for an interval
 * @throws ERR_INVALID_DATA for results of different items
 */
export async function metricInterval(
  metric: string,
  before: EvaluationResult,
  after: EvaluationResult,
  options: BootstrapOptions = {},
): Promise<PairedInterval | undefined> {
  const [old, now] = [before.items?.[metric], after.items?.[metric]]
  if (!old || !now || (old.scores.length === now.scores.length && now.scores.length < 2)) return undefined
  const { gold, correlation = 'spearman', classes } = now
  if (gold === undefined) return pairedBootstrap(old.scores, now.scores, options)
  const scores = { gold, before: old.scores, after: now.scores }
  if (classes !== undefined) return pairedBootstrapF1(scores, options)
  checkScores('metricInterval', scores)
  try {
    return await pairedBootstrapCorrelation(scores, { ...options, correlation })
  } catch (error) {
    // Nearly all scores of a side are the same.
    if ((error as SentenceTorchError).code === 'ERR_INVALID_DATA') return undefined
    throw error
  }
}

/** A difference with its sign and four decimals. */
export function signed(value: number): string {
  return `${value < 0 ? '−' : '+'}${Math.abs(value).toFixed(4)}`
}

/** What a result says of a difference, for people: its sign, size and interval, or that there is none to measure. */
export function differenceText(interval: Pick<PairedInterval, 'difference' | 'low' | 'high' | 'confidence'>): string {
  const { difference, low, high, confidence } = interval
  const range = `${Number((confidence * 100).toFixed(6))} %: ${signed(low)} to ${signed(high)}`
  return isMeasurable(interval) ? `${signed(difference)} (${range})` : `no measurable difference (${range})`
}

/** Whether 0 is outside of the interval of a difference. */
export function isMeasurable({ low, high }: { low: number; high: number }): boolean {
  return low > ROUNDING || high < -ROUNDING
}

async function interval(
  where: string,
  values: { before: number; after: number },
  items: number,
  differenceOf: DifferenceOf,
  options: BootstrapOptions,
): Promise<PairedInterval> {
  checkOptions(where, options, ['confidence', 'resamples', 'seed'])
  const { confidence = 0.95, resamples = 9999, seed = 42 } = options
  checkPositive(`${where} confidence`, confidence)
  if (confidence >= 1) throw invalidArgument(`${where} confidence`, 'a number between 0 and 1', confidence)
  checkInteger(`${where} resamples`, resamples, 100, 10_000_000)
  checkInteger(`${where} seed`, seed, 0)
  const differences = await runInSlices(draw(where, items, differenceOf, resamples, new Random(seed)))
  const [low, high] = [(1 - confidence) / 2, (1 + confidence) / 2].map((share) => percentile(differences, share))
  return {
    ...values,
    difference: values.after - values.before,
    ...{ low: low!, high: high!, confidence, resamples },
    isMeasurable: isMeasurable({ low: low!, high: high! }),
  }
}

/** The differences of all resamples, in rising order. */
function* draw(
  where: string,
  items: number,
  differenceOf: DifferenceOf,
  resamples: number,
  random: Random,
): Pieces<never, Float64Array> {
  const differences = new Float64Array(resamples)
  const counts = new Uint16Array(items)
  let done = 0
  for (let tries = 0; done < resamples; tries++) {
    // Otherwise scores of which nearly all are the same would be drawn for ever.
    if (tries > 100 && tries > 4 * (done + 1)) {
      throw new SentenceTorchError('ERR_INVALID_DATA', `${where}: nearly all scores are the same`)
    }
    counts.fill(0)
    for (let i = 0; i < items; i++) counts[random.below(items)]!++
    const difference = differenceOf(counts)
    if (!Number.isNaN(difference)) differences[done++] = difference
    yield undefined
  }
  return differences.sort()
}

/** Between the two nearest values, as `numpy.percentile` does. @param share from 0 to 1 */
function percentile(sorted: Float64Array, share: number): number {
  const place = share * (sorted.length - 1)
  const below = Math.floor(place)
  const above = Math.min(below + 1, sorted.length - 1)
  return sorted[below]! + (place - below) * (sorted[above]! - sorted[below]!)
}

function checkScores(where: string, columns: Readonly<Record<string, ArrayLike<number>>>): void {
  const invalid = (problem: string) => new SentenceTorchError('ERR_INVALID_DATA', `${where}: ${problem}`)
  const lengths = Object.entries(columns).map(([name, values]) => {
    const isList = Array.isArray(values) || (ArrayBuffer.isView(values) && 'length' in values)
    if (!isList) throw invalidArgument(`${where} ${name}`, 'an array of numbers', values)
    for (let i = 0; i < values.length; i++) checkFinite(`${where} ${name}[${i}]`, values[i])
    return values.length
  })
  if (lengths.some((length) => length !== lengths[0])) {
    throw invalid(`expected as many ${Object.keys(columns).join(' as ')} but received ${lengths.join(', ')}`)
  }
  if (lengths[0]! < 2) throw invalid(`expected at least two items but received ${lengths[0]}`)
}
