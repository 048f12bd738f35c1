// What the long runs share: texts by chance, how memory grows, what stays open.
import { setImmediate } from 'node:timers/promises'
import { tinyWords } from '../../dist/test/helpers/tiny-folder.js'
import { cores, cpuModel } from '../../install/system.mjs'
import { robustSlope } from '../common/statistics.mjs'

export const MB = 2 ** 20

/** Numbers below `below`, the same ones for the same seed. */
export function random(seed) {
  let state = seed
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

/** Texts of `least` to `most` words. */
export function sentences(count, seed, least = 3, most = 10) {
  const next = random(seed)
  return Array.from({ length: count }, () =>
    Array.from({ length: least + next(most - least + 1) }, () => tinyWords[next(tinyWords.length)]).join(' '),
  )
}

/** Open resources by kind. */
export function openResources() {
  const counts = {}
  for (const name of process.getActiveResourcesInfo()) counts[name] = (counts[name] ?? 0) + 1
  return counts
}

/** What is open before anything begins. */
export async function openAtFirst() {
  // Both are opened by their first use and stay.
  process.stdout.write('')
  process.stderr.write('')
  await setImmediate()
  return openResources()
}

/** What is open and was not before. */
export async function leftOpen(before) {
  for (let i = 0; i < 10; i++) await setImmediate()
  const after = openResources()
  return Object.keys(after).filter((name) => after[name] > (before[name] ?? 0))
}

/** The memory of the process along some count. */
export class Memory {
  #samples = []

  sample(count) {
    globalThis.gc?.()
    const { rss, heapUsed, heapTotal, external } = process.memoryUsage()
    this.#samples.push({ count, rss, heapUsed, heapTotal, external })
  }

  /** Growth for so many more of the count, from `warmUp` on; `native`: what is neither JavaScript's heap nor its buffers. */
  growth(warmUp, per) {
    const counted = this.#samples.filter(({ count }) => count >= warmUp)
    const slope = (value) => Number(((robustSlope(counted.map((s) => [s.count, value(s)])) * per) / MB).toFixed(3))
    return {
      samples: counted.length,
      rssMb: Math.round(counted.at(-1).rss / MB),
      rss: slope(({ rss }) => rss),
      heap: slope(({ heapUsed }) => heapUsed),
      buffers: slope(({ external }) => external),
      native: slope(({ rss, heapTotal, external }) => rss - heapTotal - external),
    }
  }
}

/** One line of JSON; the exit code says whether every bar was kept. */
export function judge(part, result, passed) {
  const machine = { processor: cpuModel(), cores: cores().allowed, node: process.version, date: today() }
  console.log(JSON.stringify({ part, ...result, ...machine, passed }))
  process.exitCode = passed ? 0 : 1
}

const today = () => new Date().toISOString().slice(0, 10)
