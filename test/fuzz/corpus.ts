import { readdirSync, readFileSync } from 'node:fs'
import test from 'ava'
import { Prober } from './campaign.js'
import type { Case } from './case.js'

const corpus = new URL('../../../test/fuzz/corpus/', import.meta.url)

/** A case that was a finding once, and what becomes of it now: a code. */
export interface KeptCase extends Case {
  outcome: string
}

/** A test for every case that is kept of these targets. */
export function corpusTests(...targets: string[]): void {
  for (const target of targets) {
    const prober = new Prober(target)
    test.after.always(() => prober.stop())
    const folder = new URL(`${target}/`, corpus)
    for (const name of readdirSync(folder)) {
      test.serial(`${target}: ${name.replace('.json', '')}`, async (t) => {
        t.timeout(120_000)
        const { outcome, ...given }: KeptCase = JSON.parse(readFileSync(new URL(name, folder), 'utf8'))
        t.deepEqual(await prober.probe(given), { code: outcome })
      })
    }
  }
}
