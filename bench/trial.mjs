// What our trials share: the command line, the engine's facts.
import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { loadAddon } from '../dist/lib/native/load.js'

export function trialOptions() {
  const text = (value) => ({ type: 'string', default: value })
  const { values } = parseArgs({
    options: {
      model: text(undefined),
      data: text(undefined),
      'batch-size': text('32'),
      steps: text('30'),
      'warm-up': text('5'),
      threads: text('0'),
      out: text(undefined),
    },
  })
  return {
    model: values.model,
    columns: JSON.parse(readFileSync(values.data, 'utf8')),
    batchSize: Number(values['batch-size']),
    steps: Number(values.steps),
    warmUp: Number(values['warm-up']),
    load: Number(values.threads) ? { threads: Number(values.threads) } : {},
    out: values.out,
  }
}

/** Facts about the engine that every result carries. */
export function engineFacts() {
  const { threads, cpuKernels, libtorchVersion, addonVersion } = loadAddon().runtime()
  return {
    threads,
    kernels: cpuKernels,
    peakRssMB: Math.round(process.resourceUsage().maxRSS / 1024),
    versions: { node: process.versions.node, libtorch: libtorchVersion, 'sentence-torch': addonVersion },
  }
}
