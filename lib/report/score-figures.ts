/** Figures of scored pairs: gold scores beside those of the model before and after training. */
import { SentenceTorchError } from '../errors.js'
import { averageRanks } from '../evaluation/correlation.js'
import { checkNumbers, sameLength } from '../plots/check.js'
import type { FigureOf } from './figures.js'

/** Most points of a scatter. Of more pairs every n-th is drawn. */
const MOST_POINTS = 1500
const HARDEST = 20

/** Scores of the same pairs. */
export interface PairScores {
  gold: ArrayLike<number>
  before?: ArrayLike<number>
  after: ArrayLike<number>
}

/** Points of gold and predicted scores. */
export function scoreScatter(scores: PairScores, title = 'Gold and predicted scores'): FigureOf<'scatter'> {
  checkScores('scoreScatter', scores)
  const step = Math.ceil(scores.gold.length / MOST_POINTS)
  const pick = (values: ArrayLike<number>) => Array.from(values).filter((_, i) => i % step === 0)
  return {
    ...{ kind: 'scatter', title, section: 'scores', xTitle: 'gold score', yTitle: 'predicted score' },
    ...(step > 1 && { caption: `Every ${step}th of ${scores.gold.length} pairs is drawn.` }),
    series: named(scores).map(({ name, values }) => ({ name, x: pick(scores.gold), y: pick(values) })),
  }
}

/** How the predicted scores are spread. */
export function scoreHistogram(scores: PairScores, title = 'Predicted scores'): FigureOf<'histogram'> {
  checkScores('scoreHistogram', scores)
  return { kind: 'histogram', title, section: 'scores', xTitle: 'predicted score', series: named(scores) }
}

/**
 * The pairs on which the model is most wrong: those whose rank among the predicted scores is furthest from that among the gold scores.
 * @param most how many
 */
export function hardestPairs(
  texts1: readonly string[],
  texts2: readonly string[],
  scores: PairScores,
  { most = HARDEST, title = 'Where the ranks differ most' }: { most?: number; title?: string } = {},
): FigureOf<'pairs'> {
  checkScores('hardestPairs', scores)
  sameLength('hardestPairs', { gold: scores.gold, texts1, texts2 })
  const [gold, after] = [averageRanks(scores.gold), averageRanks(scores.after)]
  const distance = (i: number) => after[i]! - gold[i]!
  const order = Array.from(gold.keys()).sort((a, b) => Math.abs(distance(b)) - Math.abs(distance(a)) || a - b)
  const place = (rank: number) => `${Math.round((100 * (rank - 0.5)) / gold.length)} %`
  return {
    ...{ kind: 'pairs', title, section: 'errors' },
    caption: 'The note says what share of all pairs has a lower score, by gold and by the trained model.',
    pairs: order.slice(0, most).map((i) => ({
      ...{ text1: texts1[i]!, text2: texts2[i]!, gold: scores.gold[i]!, after: scores.after[i]! },
      ...(scores.before && { before: scores.before[i]! }),
      note: `too ${distance(i) > 0 ? 'high' : 'low'}: ${place(gold[i]!)} → ${place(after[i]!)}`,
    })),
  }
}

function named({ before, after }: PairScores): { name: string; values: ArrayLike<number> }[] {
  return [...(before ? [{ name: 'before', values: before }] : []), { name: 'after', values: after }]
}

function checkScores(where: string, { gold, before, after }: PairScores): void {
  const lists = { gold, ...(before && { before }), after }
  for (const [name, values] of Object.entries(lists)) checkNumbers(`${where} ${name}`, values)
  sameLength(where, lists)
  if (gold.length < 2) throw new SentenceTorchError('ERR_INVALID_DATA', `${where}: expected at least two pairs`)
}
