/** The table of metrics before and after training. */
import { isMeasurable, signed } from '../evaluation/bootstrap.js'
import { type Html, html } from './html.js'
import type { RunMetric, RunResult } from './manifest.js'
import { type Column, facts, numberText, table } from './tables.js'

export function resultView({ metrics, notes, counts }: RunResult): Html {
  const sizes = Object.entries(counts)
  return html`${metrics.length > 0 && metricsTable(metrics)}
${notes.map((note) => html`<p>${note}</p>`)}
${sizes.length > 0 && facts(sizes)}`
}

function metricsTable(metrics: readonly RunMetric[]): Html {
  const [hasInterval, hasPython] = [
    metrics.some(({ interval }) => interval),
    metrics.some(({ python }) => python !== undefined),
  ]
  const columns: Column[] = [
    ...[{ title: 'metric' }, { title: 'data' }],
    ...['before', 'after', 'difference'].map((title) => ({ title, isNumber: true })),
    ...(hasInterval ? [{ title: 'interval of the difference' }] : []),
    ...(hasPython ? [{ title: 'sentence-transformers', isNumber: true }] : []),
  ]
  const rows = metrics.map((metric) => [
    ...[metric.name, metric.data, metric.before.toFixed(4), metric.after.toFixed(4), difference(metric)],
    ...(hasInterval ? [intervalText(metric)] : []),
    ...(hasPython ? [metric.python?.toFixed(4)] : []),
  ])
  return table(columns, rows)
}

/** The difference, in the colour of its meaning only where it is measurable. */
function difference({ before, after, higherIsBetter, interval }: RunMetric): Html {
  const value = after - before
  const text = signed(value)
  if (interval && !isMeasurable(interval)) return html`${text}`
  const name = value === 0 ? '' : value > 0 === higherIsBetter ? 'good' : 'bad'
  return html`<span class="${name}">${text}</span>`
}

function intervalText({ interval }: RunMetric): string {
  if (!interval) return ''
  const range = `${numberText(interval.low)} to ${numberText(interval.high)}`
  return isMeasurable(interval) ? range : `no measurable difference (${range})`
}
