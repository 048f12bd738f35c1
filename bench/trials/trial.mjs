// What our trials share: the command line, the engine's facts.
import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'

/** Options of a trial; those that are numbers as numbers, `columns` read from --data. */
export function trialOptions() {
  const text = (value) => ({ type: 'string', default: value })
  const { values } = parseArgs({
    options: {
      ...{
        model: text(),
        data: text(),
        loss: text(),
        out: text(),
        dtype: text('float32'),
        trace: text(),
        dtypes: text('float32'),
      },
      ...{
        'batch-size': text('32'),
        steps: text('30'),
        'warm-up': text('5'),
        'mini-batch': text('0'),
        threads: text('0'),
        seconds: text('0.4'),
      },
      ...{ each: text('false'), started: text('0') },
    },
  })
  const threads = Number(values.threads)
  return {
    ...values,
    columns: values.data && JSON.parse(readFileSync(values.data, 'utf8')),
    batchSize: Number(values['batch-size']),
    steps: Number(values.steps),
    warmUp: Number(values['warm-up']),
    miniBatch: Number(values['mini-batch']),
    seconds: Number(values.seconds),
    started: Number(values.started),
    each: values.each === 'true',
    threads,
    load: { dtype: values.dtype, ...(threads > 0 && { threads }) },
  }
}

export const peakRssMB = () => Math.round(process.resourceUsage().maxRSS / 1024)

/** Of the processor, all threads of this process together. */
export function cpuMs() {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}

/** Facts about the engine that every result carries. */
export async function engineFacts() {
  const { loadAddon } = await import('../../dist/lib/native/load.js')
  const { threads, cpuKernels, libtorchVersion, addonVersion } = loadAddon().runtime()
  return {
    threads,
    kernels: cpuKernels,
    peakRssMB: peakRssMB(),
    versions: { node: process.versions.node, libtorch: libtorchVersion, 'sentence-torch': addonVersion },
  }
}

/** Milliseconds of one call after another. */
export async function latencies(texts, warmUp, encode) {
  const times = []
  for (const [i, text] of texts.entries()) {
    const start = performance.now()
    await encode(text)
    if (i >= warmUp) times.push(performance.now() - start)
  }
  times.sort((a, b) => a - b)
  const at = (share) => times[Math.min(times.length - 1, Math.floor(share * times.length))]
  return { p50Ms: at(0.5), p99Ms: at(0.99), calls: times.length }
}

export const say = (record) => console.log(JSON.stringify(record))
