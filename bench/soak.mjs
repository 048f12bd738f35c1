// node --expose-gc bench/soak.mjs: long runs, one after the other, each in a process of its own that prints a line of JSON. Exit code 1
// where one of them misses a bar: memory that grows, what stays open, an event loop that is late, wrong vectors.
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const PARTS = ['train', 'serve', 'load']
const HELP = `node --expose-gc bench/soak.mjs [options]    (after npm run build)

  --parts LIST     of train, serve, load (default: all)
  --steps N        train: optimiser steps (default 36000)
  --warm-up N      train: steps before memory is looked at (default 16000: until then the JavaScript heap still touches new pages)
  --encodes N      serve: calls of encode beside training (default 100000, a third of them warm-up)
  --loads N        load: how often the model is loaded and disposed of (default 200, a quarter of them warm-up)
  --model FOLDER   load: the model (default ../shared/models/all-MiniLM-L6-v2; a tiny one where that is missing)`

const { values } = parseArgs({
  options: {
    parts: { type: 'string', default: PARTS.join() },
    steps: { type: 'string', default: '36000' },
    'warm-up': { type: 'string', default: '16000' },
    encodes: { type: 'string', default: '100000' },
    loads: { type: 'string', default: '200' },
    model: { type: 'string', default: fileURLToPath(new URL('../../shared/models/all-MiniLM-L6-v2', import.meta.url)) },
    help: { type: 'boolean' },
  },
})
const parts = values.parts.split(',')
if (values.help || parts.some((part) => !PARTS.includes(part))) {
  console.log(HELP)
  process.exit(values.help ? 0 : 1)
}
const given = {
  train: [values.steps, values['warm-up']],
  serve: [values.encodes],
  load: [values.loads, values.model],
}
for (const part of parts) {
  const script = fileURLToPath(new URL(`soak/${part}.mjs`, import.meta.url))
  const { status } = spawnSync(process.execPath, ['--expose-gc', script, ...given[part]], { stdio: 'inherit' })
  if (status !== 0) process.exitCode = 1
}
