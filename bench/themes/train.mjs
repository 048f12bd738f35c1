// Training: milliseconds a step, beside Python's Trainer, its bf16 autocast and torch.compile.
import { floorMs, forwardWork, modelSizes, TRAINING_FACTOR } from '../common/floor.mjs'
import { modelFolder, PROGRAMS } from '../common/peers.mjs'
import { median } from '../common/statistics.mjs'
import { figure, header, printTable, programRows } from '../common/table.mjs'
import { TRAINING, trainingColumns } from '../common/workloads.mjs'

export const DEFAULT = ['sts', 'squad']
const ALL = ['ours', 'ours-bf16', 'python', 'python-bf16', 'python-compile']

/** Trials of a training workload by program, and its floor. `workload`: of a model that is none of TRAINING's. */
export function train(
  run,
  name,
  { workload = TRAINING[name], programs = run.programs(ALL), theme = 'train', rounds, trace, ...counts } = {},
) {
  const { steps = run.options.steps ?? workload.steps, warmUp = run.options.warmUp ?? workload.warmUp } = counts
  const columns = trainingColumns(workload, run.options.data, { steps, warmUp })
  const work = trainingWork(run, workload, columns, { steps, warmUp })
  const settings = { data: run.dataFile(`train-${name}`, columns), loss: workload.loss }
  if (trace) settings.trace = trace
  if (workload.miniBatch) settings['mini-batch'] = workload.miniBatch
  const trials = run.inTurns(theme, programs, {
    ...{ workload: name, model: workload.model, script: 'train', rounds },
    settings: { ...settings, 'batch-size': workload.batch, steps, 'warm-up': warmUp },
    facts: work && { tokensPerStep: Math.round(work.tokens / steps), gflopPerStep: work.operations / steps / 1e9 },
  })
  return { trials, floor: (program) => work && floorMs(work.operations / steps, rate(run, program)) }
}

/** Of the steps that count. */
function trainingWork(run, { model, batch }, columns, { steps, warmUp }) {
  const sizes = modelSizes(modelFolder(model, run.options.model))
  if (!sizes) return undefined
  const texts = Object.entries(columns)
    .filter(([name]) => name !== 'score')
    .flatMap(([, values]) => values.slice(warmUp * batch, (warmUp + steps) * batch))
  const { tokens, operations } = forwardWork(sizes, sizes.lengths(texts))
  return { tokens, operations: TRAINING_FACTOR * operations }
}

/** The rate that a program's numbers allow: bfloat16's, else float32's. */
export function rate(run, program) {
  const { dtype } = PROGRAMS[program]
  return run.rates[dtype === 'bfloat16' ? 'bfloat16' : 'float32'] || undefined
}

export function main(run) {
  const found = []
  for (const name of run.workloads(TRAINING, DEFAULT)) {
    run.measureMachine()
    found.push({ label: TRAINING[name].label, ...train(run, name) })
  }
  // Floors by the best rate of the whole run, which is known at its end.
  return () => {
    const rows = (options) =>
      found.flatMap(({ label, trials, floor }) =>
        programRows(label, trials, { ...options, ...(options.key === 'stepMs' && { floor }) }),
      )
    printTable('Training', header('ms/step'), rows({ key: 'stepMs', better: 'less' }))
    printTable('Peak memory of training', header('MB'), rows({ key: 'peakRssMB', better: 'less' }))
    const late = found
      .filter(({ trials }) => trials.has('ours'))
      .map(({ label, trials }) => [label, figure(median(trials.get('ours').map((trial) => trial.timerLatenessMs.p99)))])
    printTable('How late a 10 ms timer fires during training, 99th percentile', ['', 'ms'], late)
  }
}
