// What the parity tests measure. docs/parity.md is made from it: `npm run parity`.
import { mkdirSync, writeFileSync } from 'node:fs'
import test from 'ava'

export interface Measurement {
  /** What was compared, where a name has several: 'gradient'. */
  part?: string
  /** In the unit of `allowed`: what the test divides by counts. */
  deviation: number
  /** The most at which the test passes; 0: nothing but equal. */
  allowed: number
  /** Comparisons that it is the largest deviation of; default 1. */
  cases?: number
  /** How far Python's own float32 is off from its float64. */
  python?: number
}

/** A section's file: by name, by part, the measurement with the largest share of what is allowed. */
export type Report = Record<string, Record<string, Measurement & { cases: number }>>

const FOLDER = new URL('../../report/', import.meta.url)
const sections: Record<string, Report> = {}

/** The deviation as a part of what is allowed. */
export function share({ deviation, allowed }: Measurement): number {
  return deviation === 0 ? 0 : deviation / allowed
}

/**
 * Keeps the largest deviation of `name`. dist/report/<section>.json is written when the tests of the process end: a section belongs to
 * one test file.
 */
export function report(section: string, name: string, measurement: Measurement): void {
  const part = measurement.part ?? ''
  // JSON would make null of it, which counts as 0.
  if (!Number.isFinite(share(measurement)))
    throw new Error(`${section}, ${name} ${part}: ${JSON.stringify(measurement)}`)
  sections[section] ??= {}
  sections[section][name] ??= {}
  const parts = sections[section][name]
  const before = parts[part]
  const cases = (before?.cases ?? 0) + (measurement.cases ?? 1)
  const larger = before === undefined || share(measurement) > share(before)
  parts[part] = { ...(larger ? measurement : before), cases }
}

/** `report` of what a test has found equal. */
export function equal(section: string, name: string, cases = 1): void {
  report(section, name, { deviation: 0, allowed: 0, cases })
}

test.after.always('keeps what was measured', () => {
  mkdirSync(FOLDER, { recursive: true })
  for (const [section, names] of Object.entries(sections)) {
    const sorted = Object.fromEntries(Object.entries(names).sort(([a], [b]) => (a < b ? -1 : 1)))
    writeFileSync(new URL(`${section}.json`, FOLDER), `${JSON.stringify(sorted, null, 1)}\n`)
  }
})
