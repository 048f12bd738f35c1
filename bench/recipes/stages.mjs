// node bench/recipes/stages.mjs [--cases augmentedSbert,genq] [--results FILE] [--runs FOLDER]
//
// The recipes with several stages, end to end on real data: the numbers before and after, and of what was counted on the way. A JSON
// line each in bench/results/recipe-stages.jsonl. A run that was stopped goes on. Needs ../shared.
import { appendFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { cpuModel } from '../../install/system.mjs'
import { STAGE_CASES } from './stage-cases.mjs'

const here = fileURLToPath(new URL('.', import.meta.url))
const text = (value) => ({ type: 'string', default: value })
const { values: options } = parseArgs({
  options: {
    cases: text(Object.keys(STAGE_CASES).join()),
    results: text(join(here, '..', 'results', 'recipe-stages.jsonl')),
    runs: text('runs/recipe-stages'),
  },
})

for (const name of options.cases.split(',')) {
  const start = performance.now()
  const outputDir = join(options.runs, name)
  const log = (line) => console.error(`${name}: ${line}`)
  const { metrics, counts, notes } = await STAGE_CASES[name](outputDir, { log })
  const seconds = Math.round((performance.now() - start) / 100) / 10
  const facts = { processor: cpuModel(), node: process.versions.node, seconds }
  const shown = metrics.filter(({ name }) => /spearman_cosine|ndcg@10|accuracy@1$|mrr@10/.test(name))
  appendFileSync(options.results, `${JSON.stringify({ case: name, ...facts, metrics: shown, counts, notes })}\n`)
  rmSync(outputDir, { recursive: true, force: true })
}
