/** Counters, gauges and histograms, and their text in Prometheus' format (version 0.0.4). */

type Labels = Readonly<Record<string, string>>

interface Metric {
  lines(name: string): string[]
  readonly kind: 'counter' | 'gauge' | 'histogram'
}

export class Counter implements Metric {
  readonly kind = 'counter'
  readonly #values = new Map<string, number>()

  add(labels: Labels = {}, amount = 1): void {
    const key = labelText(labels)
    this.#values.set(key, (this.#values.get(key) ?? 0) + amount)
  }

  lines(name: string): string[] {
    return [...this.#values].map(([labels, value]) => `${name}${labels} ${value}`)
  }
}

export class Gauge implements Metric {
  readonly kind = 'gauge'

  constructor(private readonly read: () => number) {}

  lines(name: string): string[] {
    return [`${name} ${this.read()}`]
  }
}

export class Histogram implements Metric {
  readonly kind = 'histogram'
  readonly #counts: number[]
  #sum = 0
  #count = 0

  /** @param bounds upper ends of the buckets, rising */
  constructor(private readonly bounds: readonly number[]) {
    this.#counts = bounds.map(() => 0)
  }

  record(value: number): void {
    const bucket = this.bounds.findIndex((bound) => value <= bound)
    if (bucket !== -1) this.#counts[bucket]!++
    this.#sum += value
    this.#count++
  }

  lines(name: string): string[] {
    let below = 0
    const buckets = this.bounds.map((bound, i) => {
      below += this.#counts[i]!
      return `${name}_bucket{le="${bound}"} ${below}`
    })
    return [
      ...buckets,
      `${name}_bucket{le="+Inf"} ${this.#count}`,
      `${name}_sum ${this.#sum}`,
      `${name}_count ${this.#count}`,
    ]
  }
}

/** The text of metrics by name. */
export function exposition(metrics: Readonly<Record<string, Metric>>): string {
  const parts = Object.entries(metrics).map(([name, metric]) => [
    `# TYPE ${name} ${metric.kind}`,
    ...metric.lines(name),
  ])
  return `${parts.flat().join('\n')}\n`
}

function labelText(labels: Labels): string {
  const parts = Object.entries(labels).map(([name, value]) => `${name}="${value.replace(/[\\"\n]/g, escaped)}"`)
  return parts.length === 0 ? '' : `{${parts.join(',')}}`
}

function escaped(character: string): string {
  return character === '\n' ? '\\n' : `\\${character}`
}
