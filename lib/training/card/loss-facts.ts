/** What a model card says of a loss. */
import { citationOf } from '../../models/card/citations.js'
import type { LossFacts } from '../../models/card/facts.js'
import type { TrainableLoss } from '../batches/loss-set.js'

/** Members of a loss that are no options. */
const NO_OPTIONS = ['type', 'requirements', 'caching', 'computed', 'pretrained', 'pairing', 'readsVectors']

/** The name in sentence-transformers. */
export function lossName({ type }: TrainableLoss): string {
  return type.replace(/^.*\./, '')
}

/** Losses and those inside of them, each name once. Source: `get_losses`. */
export function lossFacts(losses: readonly TrainableLoss[]): LossFacts[] {
  const all = [...losses]
  for (const loss of all) {
    const { loss: inner, parts = [inner] } = loss as { loss?: unknown; parts?: readonly unknown[] }
    all.push(...(parts.filter((part) => isLoss(part) && !all.includes(part)) as TrainableLoss[]))
  }
  const facts = all.map((loss) => ({ name: lossName(loss), citation: citationOf(lossName(loss), lossOptions(loss)) }))
  return [...new Map(facts.map((entry) => [entry.name, entry])).values()]
}

/** The options by their names in sentence-transformers; models and losses are named by their classes. */
export function lossOptions(loss: TrainableLoss): Record<string, unknown> {
  const own = Object.entries(loss).filter(([name]) => !NO_OPTIONS.includes(name))
  const all = [...own, ...Object.entries(loss.caching ?? {})].filter(([, value]) => value !== undefined)
  return Object.fromEntries(all.map(([name, value]) => [snakeCase(name), shown(value)]))
}

function shown(value: unknown): unknown {
  if (isLoss(value)) return lossName(value)
  if (typeof value === 'function') return value.name
  const isPlain = typeof value !== 'object' || value === null || Array.isArray(value)
  return isPlain ? value : value.constructor === Object ? value : value.constructor.name
}

function isLoss(value: unknown): value is TrainableLoss {
  return typeof (value as TrainableLoss | undefined)?.spec === 'function'
}

/** `perDeviceTrainBatchSize` is `per_device_train_batch_size`. */
export function snakeCase(name: string): string {
  return name.replace(/(?<=[a-z0-9])[A-Z]|(?<=[a-z])\d+(?=$)/g, (part) =>
    /\d/.test(part) ? part : `_${part.toLowerCase()}`,
  )
}
