// Where a training step of ours goes: the parts of engine.profile() in percent, and a trace file of each workload.
import { mkdirSync } from 'node:fs'
import { resolve } from 'node:path'
import { PROGRAMS } from '../common/peers.mjs'
import { printTable } from '../common/table.mjs'
import { TRAINING } from '../common/workloads.mjs'
import { DEFAULT, train } from './train.mjs'

export function main(run) {
  const tables = []
  mkdirSync(run.options.traces, { recursive: true })
  for (const name of run.workloads(TRAINING, DEFAULT)) {
    for (const program of run.programs(['ours', 'ours-bf16'])) {
      const trace = resolve(run.options.traces, `trace-${name}-${program}.json`)
      const { trials } = train(run, name, { programs: [program], theme: 'step', rounds: 1, trace })
      const [trial] = trials.get(program) ?? []
      if (trial) tables.push({ name, program, trial, trace })
    }
  }
  return () => {
    for (const { name, program, trial, trace } of tables) {
      const { parts, busyMs, wallMs, steps } = trial
      printTable(
        `A step of ${TRAINING[name].label}, ${PROGRAMS[program].label}: ${(wallMs / steps).toFixed(1)} ms, of which the engine ` +
          `computes ${(busyMs / steps).toFixed(1)} (${trace})`,
        ['part', '%', 'ms/step', 'calls/step'],
        parts.map(({ name, percent, ownMs, calls }) => [
          name,
          percent.toFixed(1),
          (ownMs / steps).toFixed(2),
          String(Math.round(calls / steps)),
        ]),
      )
    }
  }
}
