// Kills recipes, and encodings in shards, at many moments:
// `node dist/test/kills/run.js [--kills 6] [--seed 1] [--rounds 1] [recipe or encode…]`; more for `encode`, see encode.ts.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { KILLED_RECIPES, killAndCompare } from '../helpers/recipe-kills.js'
import { killEncodings } from './encode.js'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    kills: { type: 'string', default: '6' },
    seed: { type: 'string', default: '1' },
    rounds: { type: 'string', default: '1' },
    texts: { type: 'string', default: '200000' },
    model: { type: 'string' },
    dtype: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
})
const known = [...KILLED_RECIPES, 'encode']
const unknown = positionals.filter((name) => !known.includes(name))
if (unknown.length > 0) throw new Error(`No such recipe: ${unknown.join(', ')}; there are ${known.join(', ')}`)
for (let round = 0; round < Number(values.rounds); round++) {
  for (const recipe of positionals.length > 0 ? positionals : known) {
    const seed = Number(values.seed) + round
    if (recipe === 'encode') {
      const { model, dtype, json } = values
      const plan = { model, dtype, json, texts: Number(values.texts), kills: Number(values.kills), seed }
      if (!(await killEncodings(plan))) process.exitCode = 1
      continue
    }
    const folder = await mkdtemp(join(tmpdir(), 'sentence-torch-'))
    const { count, faults } = await killAndCompare(recipe, folder, Number(values.kills), seed)
    console.log(`${recipe}, seed ${seed}: killed ${count} times, ${faults.length === 0 ? 'the same result' : 'FAULTS'}`)
    for (const fault of faults) console.log(`  ${fault}`)
    if (faults.length > 0) {
      console.log(`  the folders are in ${folder}`)
      process.exitCode = 1
    } else await rm(folder, { recursive: true })
  }
}
