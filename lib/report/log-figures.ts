/** Figures that are made of a training log: loss, learning rate, metrics, where the time went. */
import type { Curve } from '../plots/data.js'
import type { Figure } from './figures.js'
import type { LoggedRecord } from './manifest.js'

/** Most points of a curve. Of more records, means of as many neighbours as needed are drawn. */
const MOST_POINTS = 400
/** Most curves of one drawing: as many as there are colours. */
const MOST_CURVES = 8

/** Numbers of an evaluation that are no measure of quality. */
const EVALUATION_FACTS = /^eval_(.*_)?(runtime|samples_per_second|steps_per_second|threshold)$|^eval_sequential_score$/
const TIMES: Readonly<Record<string, string>> = {
  time_forward: 'forward and loss',
  time_backward: 'backward',
  time_optimizer: 'optimiser',
  time_communication: 'waiting for sums of gradients',
  time_tokenize: 'tokenising (in parallel)',
  time_data: 'reading and packing (in parallel)',
  time_wait: 'waiting for batches',
}

/**
 * @param records of one training, in the order of their steps
 * @param first names of metrics that are drawn before all others
 */
export function logFigures(records: readonly LoggedRecord[], first: readonly string[] = []): Figure[] {
  const keys = [...new Set(records.flatMap((record) => Object.keys(record)))]
  const losses = keys.filter((key) => key === 'loss' || /^eval_(.*_)?loss$/.test(key))
  const isMetric = (key: string) => key.startsWith('eval_') && !losses.includes(key) && !EVALUATION_FACTS.test(key)
  const metrics = keys.filter(isMetric).sort((a, b) => placeIn(first, a) - placeIn(first, b))
  const left = metrics.slice(MOST_CURVES)
  return [
    ...curves('Loss', records, losses),
    ...curves(
      'Metrics of the evaluation',
      records,
      metrics.slice(0, MOST_CURVES),
      left.length > 0 ? `${left.length} more are in log.jsonl.` : undefined,
    ),
    ...curves('Learning rate', records, keys.includes('learning_rate') ? ['learning_rate'] : []),
    ...curves('Norm of the gradient', records, keys.includes('grad_norm') ? ['grad_norm'] : []),
    ...timeFigures(records, keys),
  ]
}

/** The curve of one key, thinned to what can be seen. */
export function curveOf(name: string, records: readonly LoggedRecord[], key: string): Curve | undefined {
  const points = records.flatMap((record) => {
    const value = record[key]
    return typeof value === 'number' ? [[record.step, value] as const] : []
  })
  if (points.length === 0) return undefined
  const size = Math.ceil(points.length / MOST_POINTS)
  const blocks = Array.from({ length: Math.ceil(points.length / size) }, (_, i) =>
    points.slice(i * size, (i + 1) * size),
  )
  const meanOf = (block: readonly (readonly [number, number])[], part: 0 | 1) =>
    block.reduce((sum, point) => sum + point[part], 0) / block.length
  return { name, x: blocks.map((block) => meanOf(block, 0)), y: blocks.map((block) => meanOf(block, 1)) }
}

function curves(title: string, records: readonly LoggedRecord[], keys: readonly string[], note?: string): Figure[] {
  const series = keys.flatMap((key) => curveOf(key, records, key) ?? [])
  if (series.length === 0) return []
  const block = Math.ceil(records.filter((record) => typeof record[keys[0]!] === 'number').length / MOST_POINTS)
  const thinned = block > 1 ? `Every point is the mean of ${block} records.` : undefined
  const caption = [thinned, note].filter(Boolean).join(' ')
  return [
    {
      kind: 'curves',
      title,
      section: 'training',
      series,
      xTitle: 'step',
      ...(series.length === 1 && { yTitle: series[0]!.name }),
      ...(caption && { caption }),
    },
  ]
}

function timeFigures(records: readonly LoggedRecord[], keys: readonly string[]): Figure[] {
  const totals = Object.entries(TIMES).flatMap(([key, label]) => {
    if (!keys.includes(key)) return []
    return [{ label, value: records.reduce((sum, record) => sum + (record[key] ?? 0), 0) }]
  })
  const rate = curveOf('tokens per second', records, 'tokens_per_second')
  const split: Figure = {
    ...{ kind: 'bars', title: 'Where the time went', section: 'speed', bars: totals, valueTitle: 'seconds' },
    caption: 'Tokenising and reading run beside the engine; they cost time only where it waits for batches.',
  }
  const speed: Figure[] = rate
    ? [{ kind: 'curves', title: 'Tokens per second', section: 'speed', series: [rate], xTitle: 'step' }]
    : []
  return [...(totals.length > 0 ? [split] : []), ...speed]
}

/** The place of a key among names that it ends with; those without one come last. */
function placeIn(names: readonly string[], key: string): number {
  const place = names.findIndex((name) => key === name || key.endsWith(`_${name}`))
  return place === -1 ? names.length : place
}
