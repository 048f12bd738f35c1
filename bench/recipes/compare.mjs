// node bench/recipes/compare.mjs [results.jsonl]: what run.mjs measured. Dropout off: the largest relative difference of the losses,
// which has to be at most 1e-4. Dropout on: the difference of the means, which has to be at most 0.005 (or the `allowed` of the runs) or
// two standard errors; and how many times as long Python's steps take, where both were measured.
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const file = process.argv[2] ?? fileURLToPath(new URL('../results/recipes.jsonl', import.meta.url))
const runs = readFileSync(file, 'utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line))
const pairOf = ({ key, side }) => key.slice(0, -side.length)
const isPaired = (run) => runs.some((other) => other.side !== run.side && pairOf(other) === pairOf(run))
const of = (name, dropout, side) =>
  runs.filter((run) => run.case === name && run.dropout === dropout && run.side === side && isPaired(run))
const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length
const variance = (values) => values.reduce((sum, value) => sum + (value - mean(values)) ** 2, 0) / (values.length - 1)

let failures = 0
for (const name of new Set(runs.map((run) => run.case))) {
  const [[a], [b]] = ['ours', 'theirs'].map((side) => of(name, 'off', side))
  if (a && b) {
    // A batch in which every pair is right has a loss near 0, of which a relative difference says nothing.
    const differences = a.losses.map(
      (value, i) => Math.abs(value - b.losses[i]) / Math.max(Math.abs(b.losses[i]), 1e-3),
    )
    const largest = Math.max(...differences)
    if (a.losses.length !== b.losses.length || !(largest <= 1e-4)) failures++
    console.log(
      `${name}, dropout off: ${a.losses.length} losses, largest relative difference ${largest.toExponential(2)}`,
    )
  }
  const sides = ['ours', 'theirs'].map((side) => of(name, 'on', side))
  const [ours, theirs] = sides.map((side) => side.map(({ after }) => after))
  if (ours.length < 3 || theirs.length < 3) continue
  const difference = mean(ours) - mean(theirs)
  const least = sides[0][0].allowed ?? 0.005
  const limit = Math.max(least, 2 * Math.sqrt(variance(ours) / ours.length + variance(theirs) / theirs.length))
  if (!(Math.abs(difference) <= limit)) failures++
  const before = of(name, 'on', 'ours')[0].before
  console.log(
    `${name}, dropout on: before ${before.toFixed(4)}, ours ${mean(ours).toFixed(4)} (${ours.length} seeds), ` +
      `theirs ${mean(theirs).toFixed(4)} (${theirs.length}), difference ${difference.toFixed(4)}, allowed ${limit.toFixed(4)}`,
  )
  if (sides[0][0].millisecondsPerStep === undefined) continue
  const times = ['millisecondsPerStep', 'processorMillisecondsPerStep'].map((key) =>
    sides.map((side) => mean(side.map((run) => run[key]))),
  )
  const [clock, processor] = times.map(
    ([a, b]) => `${a.toFixed(0)} and ${b.toFixed(0)} ms, ${(b / a).toFixed(2)} times as long`,
  )
  console.log(`${name}, a step: ${clock}; of the processor ${processor}`)
}
if (failures > 0) process.exitCode = 1
