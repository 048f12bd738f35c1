// The roofline: what this machine can do, and the floor of each workload that follows from it.
import { floorMs, forwardWork, modelSizes, TRAINING_FACTOR } from '../common/floor.mjs'
import { modelFolder } from '../common/peers.mjs'
import { figure, printTable } from '../common/table.mjs'
import { ENCODING, TRAINING, trainingColumns } from '../common/workloads.mjs'

export function main(run) {
  const found = run.measureMachine(1)
  const gemms = found.gemms.map(({ dtype, m, k, n, gflops, ownGflops }) => [
    `[${m}, ${k}] · [${k}, ${n}]`,
    dtype,
    gflops.toFixed(0),
    ownGflops ? ownGflops.toFixed(0) : '',
  ])
  const others = [
    ['copy of 256 MB, GB/s', found.copyGBs],
    ['product of two arrays in the caches, GB/s', found.elementwiseGBs],
    ['GELU, ns an element', found.geluNs],
    ['LayerNorm, ns an element', found.layerNormNs],
    ['dropout, ns an element', found.dropoutNs],
  ].map(([name, value]) => [name, figure(value)])
  const floors = [...trainingFloors(run), ...encodingFloors(run)]
  for (const floor of floors) run.emit({ theme: 'floor', ...floor })
  const ms = (value) => (value === undefined ? '' : figure(value))
  return () => {
    printTable('Matrix products, GFLOP/s', ['', 'dtype', 'LibTorch', 'ours'], gemms)
    printTable("Memory and LibTorch's elementwise operators", ['', ''], others)
    printTable(
      'Floors',
      ['', 'tokens', 'GFLOP', 'ms float32', 'ms bfloat16'],
      floors.map((floor) => [
        ...[floor.label, String(floor.tokens), figure(floor.gflop), ms(floor.float32Ms), ms(floor.bfloat16Ms)],
      ]),
    )
  }
}

function floorOf(run, { workload, label }, { tokens, operations }) {
  const { float32, bfloat16 } = run.rates
  return {
    ...{ workload, label, tokens, gflop: operations / 1e9 },
    float32Ms: floorMs(operations, float32),
    ...(bfloat16 > 0 && { bfloat16Ms: floorMs(operations, bfloat16) }),
  }
}

/** Of one step. */
function* trainingFloors(run) {
  for (const [name, workload] of Object.entries(TRAINING)) {
    const sizes = modelSizes(modelFolder(workload.model, run.options.model))
    if (!sizes) continue
    const { score, ...texts } = trainingColumns(workload, run.options.data)
    const batches = workload.steps + workload.warmUp
    const { tokens, operations } = forwardWork(sizes, sizes.lengths(Object.values(texts).flat()))
    yield floorOf(
      run,
      { workload: name, label: `training ${workload.label}, a step` },
      { tokens: Math.round(tokens / batches), operations: (TRAINING_FACTOR * operations) / batches },
    )
  }
}

/** Of all texts; of one for the latency. */
function* encodingFloors(run) {
  for (const [name, workload] of Object.entries(ENCODING)) {
    const sizes = modelSizes(modelFolder(workload.model, run.options.model))
    if (!sizes || (workload.heavy && !run.options.workloads?.includes(name))) continue
    const { texts } = workload.read(run.options.data)
    const { tokens, operations } = forwardWork(sizes, sizes.lengths(texts))
    const count = workload.each ? texts.length : 1
    yield floorOf(
      run,
      { workload: name, label: `encoding ${workload.label}` },
      { tokens: Math.round(tokens / count), operations: operations / count },
    )
  }
}
