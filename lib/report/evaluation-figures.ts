/** Figures of an evaluation's rows before and after training: how scores are spread, and where the model is most wrong. */
import type { EvaluatedRows, EvaluationResult } from '../evaluation/evaluator.js'
import type { Figure, FigureOf } from './figures.js'
import { hardestPairs, scoreHistogram, scoreScatter } from './score-figures.js'

const HARDEST = 20

type RowsOf<Kind extends EvaluatedRows['kind']> = Extract<EvaluatedRows, { kind: Kind }>

/**
 * The figures of two results of one evaluator, by names of files. None where a result has no rows (`items: true` of the context), or
 * a score is not finite.
 * @param name what was evaluated, such as `test`
 */
export function evaluationFigures(
  name: string,
  before: EvaluationResult,
  after: EvaluationResult,
): Record<string, Figure> {
  if (after.parts !== undefined) {
    const parts = after.parts.map(({ result }, i) => [before.parts?.[i]?.result, result] as const)
    const shown = parts.filter(([old, now]) => old !== undefined && (now.rows ?? now.parts) !== undefined)
    const figures = shown.map(([old, now], i) =>
      evaluationFigures(shown.length === 1 ? name : `${name}-${i + 1}`, old!, now),
    )
    return Object.assign({}, ...figures)
  }
  const [old, now] = [before.rows, after.rows]
  if (!old || !now || old.kind !== now.kind || old.scores.length !== now.scores.length) return {}
  if (![old, now].every(({ scores }) => Array.from(scores).every(Number.isFinite)) || now.scores.length < 2) return {}
  switch (now.kind) {
    case 'pairs':
      return ofPairs(name, old, now)
    case 'triplets':
      return ofTriplets(name, old, now)
    case 'queries':
      return ofQueries(name, old, now)
  }
}

/** With labels of 0 and 1 a scatter shows little; how far the two are apart is seen in histograms. */
function ofPairs(name: string, { scores: before }: EvaluatedRows, rows: RowsOf<'pairs'>): Record<string, Figure> {
  const { texts1, texts2, gold, scores: after } = rows
  const scores = { gold, before, after }
  const errors = hardestPairs(texts1, texts2, scores, { title: `Where the ranks of ${name} differ most` })
  const isBinary = Array.from(gold).every((label) => label === 0 || label === 1)
  const [first, second] = isBinary
    ? [byLabel(`Similarities of ${name} before`, gold, before), byLabel(`Similarities of ${name} after`, gold, after)]
    : [
        scoreScatter(scores, `Gold scores and similarities of ${name}`),
        scoreHistogram(scores, `Similarities of ${name}`),
      ]
  return { [`scores-${name}-1`]: first, [`scores-${name}-2`]: second, [`errors-${name}`]: errors }
}

function byLabel(title: string, gold: Scores, scores: Scores): FigureOf<'histogram'> {
  const labels = [...new Set(Array.from(gold))].sort()
  const series = labels.map((label) => ({
    name: `label ${label}`,
    values: Array.from(scores).filter((_, i) => gold[i] === label),
  }))
  return { kind: 'histogram', title, section: 'scores', xTitle: 'similarity', series }
}

function ofTriplets(name: string, { scores: before }: EvaluatedRows, rows: RowsOf<'triplets'>): Record<string, Figure> {
  const { anchors, positives, negatives, scores: after } = rows
  return {
    [`scores-${name}-1`]: spread(`Margins of ${name}`, 'similarity to the positive − to the negative', before, after),
    [`errors-${name}`]: hardest(`Smallest margins of ${name}`, before, after, {
      caption:
        'Anchor and negative. The numbers are the similarity to the positive minus that to the negative; below 0 the triplet is wrong.',
      pair: (i) => ({ text1: anchors[i]!, text2: negatives[i]!, note: `right would be: ${positives[i]!}` }),
    }),
  }
}

function ofQueries(name: string, { scores: before }: EvaluatedRows, rows: RowsOf<'queries'>): Record<string, Figure> {
  const { queries, relevant, wrong, scores: after } = rows
  return {
    [`scores-${name}-1`]: spread(`Queries of ${name}`, 'NDCG of a query', before, after),
    [`errors-${name}`]: hardest(`Queries of ${name} with the lowest NDCG`, before, after, {
      caption: 'The query and the first document that does not answer it. The numbers are the NDCG of the query.',
      pair: (i) => ({
        ...{ text1: queries[i]!, text2: wrong[i]! },
        note: relevant[i] === '' ? 'no relevant document was found' : `right would be: ${relevant[i]}`,
      }),
    }),
  }
}

type Scores = ArrayLike<number>

function spread(title: string, xTitle: string, before: Scores, after: Scores): FigureOf<'histogram'> {
  const series = Object.entries({ before, after }).map(([name, values]) => ({ name, values }))
  return { kind: 'histogram', title, section: 'scores', xTitle, series }
}

interface Shown {
  caption: string
  pair: (i: number) => { text1: string; text2: string; note: string }
}

/** The rows with the lowest scores after training. */
function hardest(title: string, before: Scores, after: Scores, { caption, pair }: Shown): FigureOf<'pairs'> {
  const order = Array.from(after, (_, i) => i).sort((a, b) => after[a]! - after[b]! || a - b)
  const pairs = order.slice(0, HARDEST).map((i) => ({ ...pair(i), before: before[i]!, after: after[i]! }))
  return { kind: 'pairs', title, section: 'errors', caption, pairs }
}
