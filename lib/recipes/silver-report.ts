/** What the result of `augmentedSbert` says of silver labels, and of training with and without them. */
import type { Dataset } from '../data/dataset.js'
import { pearson, spearman } from '../evaluation/correlation.js'
import type { Figure } from '../report/figures.js'
import { MEASURED, type Measured } from './metrics.js'

const numbers = (dataset: Dataset, name: string) => dataset.column(name) as readonly number[]

/**
 * How well the cross-encoder labels gold pairs that it did not see: correlations of scores, or the share of equal classes. What is
 * not defined (too few rows, equal scores) is absent.
 * @param heldOut columns `score` and `predicted`
 */
export function agreement(heldOut: Dataset, numLabels: number): Record<string, number> {
  const [gold, found] = [numbers(heldOut, 'score'), numbers(heldOut, 'predicted')]
  if (numLabels === 2) {
    const equal = gold.filter((label, i) => label === found[i]).length
    return { labelAgreement: equal / gold.length }
  }
  if (gold.length < 2) return {}
  const values = { labelPearson: pearson(gold, found), labelSpearman: spearman(gold, found) }
  return Object.fromEntries(Object.entries(values).filter(([, value]) => Number.isFinite(value)))
}

/** The labels of gold and silver pairs. */
export function balanceFigure(gold: Dataset, silver: Dataset, numLabels: number): Figure {
  const sides = [
    ['gold', numbers(gold, 'score')],
    ['silver', numbers(silver, 'score')],
  ] as const
  if (numLabels === 1) {
    const series = sides.map(([name, values]) => ({ name, values }))
    return { kind: 'histogram', title: 'Labels of gold and silver pairs', xTitle: 'label', series }
  }
  const bars = sides.flatMap(([group, labels]) =>
    [0, 1].map((label) => ({
      ...{ label: `class ${label}`, group },
      value: labels.filter((found) => found === label).length / labels.length,
    })),
  )
  return { kind: 'bars', title: 'Classes of gold and silver pairs', valueTitle: 'share of the pairs', bars }
}

/** Labels of the cross-encoder beside gold ones that it did not see. */
export function agreementFigure(heldOut: Dataset, numLabels: number): Figure {
  const [gold, found] = [numbers(heldOut, 'score'), numbers(heldOut, 'predicted')]
  const title = 'The cross-encoder on gold pairs that it did not see'
  if (numLabels === 1) {
    return {
      kind: 'scatter',
      title,
      xTitle: 'gold',
      yTitle: 'cross-encoder',
      series: [{ name: 'pairs', x: gold, y: found }],
    }
  }
  const count = (is: number, said: number) => gold.filter((label, i) => label === is && found[i] === said).length
  const values = [0, 1].map((is) => [0, 1].map((said) => count(is, said)))
  return {
    ...{ kind: 'heatmap', title, section: 'scores', valueTitle: 'pairs' },
    ...{ rows: ['gold 0', 'gold 1'], columns: ['cross-encoder 0', 'cross-encoder 1'], values },
  }
}

/** The primary metrics of the models of a run; absent where nothing is measured. */
export function stagesFigure(measured: ReadonlyMap<string, Measured>): Figure | undefined {
  const bars = [...measured].flatMap(([group, results]) =>
    MEASURED.flatMap((role) => {
      const result = results[role]
      const value = result?.metrics[result.primaryMetric]
      return value !== undefined && Number.isFinite(value) ? [{ label: result!.primaryMetric, group, value }] : []
    }),
  )
  return bars.length === 0 ? undefined : { kind: 'bars', title: 'Gold pairs alone, and with silver ones', bars }
}
