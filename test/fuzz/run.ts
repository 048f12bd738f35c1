/**
 * Gives hostile inputs to what reads files, answers of servers and arguments:
 *
 *     npm run fuzz -- --target safetensors|…|all --seconds 60 [--seed 1] [--resume]
 *     npm run fuzz -- --target safetensors --case 1:12345 | --case test/fuzz/corpus/safetensors/x.json
 *
 * A case is decided by target, seed and number. The exit code says whether anything was found.
 */
import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { fuzz, Prober, type State } from './campaign.js'
import type { Case } from './case.js'
import { targets } from './targets/index.js'

const { values } = parseArgs({
  options: {
    target: { type: 'string', default: 'all' },
    seconds: { type: 'string', default: '60' },
    seed: { type: 'string', default: '1' },
    resume: { type: 'boolean', default: false },
    case: { type: 'string' },
  },
})
const names = values.target === 'all' ? Object.keys(targets) : values.target.split(',')
const unknown = names.find((name) => !Object.hasOwn(targets, name))
if (unknown !== undefined)
  throw new Error(`There is no target ${unknown}; there are ${Object.keys(targets).join(', ')}, all`)

if (values.case !== undefined) await show(names[0]!, values.case)
else {
  const states: State[] = []
  for (const name of names) {
    const state = await fuzz(name, {
      seed: Number(values.seed),
      seconds: Number(values.seconds),
      resume: values.resume,
    })
    states.push(state)
    console.error(lineOf(name, state))
  }
  console.log(JSON.stringify(states, null, 1))
  const inputs = states.reduce((sum, state) => sum + state.next, 0)
  const findings = states.reduce((sum, state) => sum + state.findings.length, 0)
  console.log(`${inputs} inputs, seed ${values.seed}: ${findings} findings`)
  process.exitCode = findings > 0 ? 1 : 0
}

function lineOf(name: string, { seed, next, seconds, counts, findings }: State): string {
  const codes = Object.entries(counts).sort(([, a], [, b]) => b - a)
  const list = codes.map(([code, times]) => `${code} ${times}`).join(', ')
  return `${name}: ${next} inputs in ${Math.round(seconds)} s, seed ${seed}: ${findings.length} findings; ${list}`
}

async function show(target: string, which: string): Promise<void> {
  const [, seed, index] = /^(\d+):(\d+)$/.exec(which) ?? []
  const prober = new Prober(target)
  try {
    const given: Case =
      seed === undefined ? JSON.parse(readFileSync(which, 'utf8')) : await prober.case(Number(seed), Number(index))
    const outcome = await prober.probe(given)
    console.log(JSON.stringify(given))
    console.log('kind' in outcome ? `${outcome.kind}: ${outcome.message}` : outcome.code)
    process.exitCode = 'kind' in outcome ? 1 : 0
  } finally {
    prober.stop()
  }
}
