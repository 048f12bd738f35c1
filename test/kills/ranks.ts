// Kills rank 1 of a training by two processes at random moments and goes on from the newest checkpoint:
// `node dist/test/kills/ranks.js [--kills 20] [--seed 1]`. Every time the other process has to end with an error that names it, and at the
// end the weights have to be those of a training that was never killed.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { Random } from '../../lib/data/random.js'
import { listCheckpoints } from '../../lib/training/checkpoint/rotation.js'
import { trainRanks } from '../helpers/ranks.js'
import { tinyFolder } from '../helpers/tiny-folder.js'

const { values } = parseArgs({
  options: { kills: { type: 'string', default: '20' }, seed: { type: 'string', default: '1' } },
})
const random = new Random(Number(values.seed), 0)
const root = await mkdtemp(join(tmpdir(), 'sentence-torch-'))
const model = await tinyFolder(join(root, 'model'))
const steps = 400
const args = {
  maxSteps: steps,
  perDeviceTrainBatchSize: 8,
  saveStrategy: 'steps',
  saveSteps: 5,
  saveTotalLimit: 2,
} as const
const request = (outputDir: string) => ({
  model,
  args: { ...args, loggingSteps: 50, outputDir: join(root, outputDir) },
})

const begun = performance.now()
const [whole] = await trainRanks(request('whole'), 2)
const duration = performance.now() - begun
console.log(`${whole!.steps} steps without a kill in ${Math.round(duration)} ms`)

let faults = whole!.error === undefined ? 0 : 1
let killed = 0
for (;;) {
  const resume = (await listCheckpoints(join(root, 'killed')).catch(() => [])).length > 0
  const after = (random.nextUint32() / 2 ** 32) * duration * 0.6
  const isLast = killed >= Number(values.kills)
  let at = 0
  const [main, other] = await trainRanks({ ...request('killed'), resume }, 2, (rank) => ({
    onStart: (child) => {
      if (rank !== 1 || isLast) return
      setTimeout(() => {
        at = performance.now()
        child.kill('SIGKILL')
      }, after).unref()
    },
  }))
  // Where the last step was done before, rank 0 has all that it needs.
  if (other!.signal !== 'SIGKILL' || main!.error === undefined) {
    const isSame = [main!, ...(other!.signal === null ? [other!] : [])].every(
      ({ weights }) => weights === whole!.weights,
    )
    console.log(
      `${main!.steps} steps after ${killed} kills: ${isSame ? 'the same weights' : `FAULT: other weights ${main!.error ?? ''}`}`,
    )
    if (!isSame) faults++
    if (isLast || !isSame) break
    await rm(join(root, 'killed'), { recursive: true, force: true })
    continue
  }
  killed++
  const seconds = ((performance.now() - at) / 1000).toFixed(1)
  // Before the ranks have met, rank 0 waits for it.
  const isNamed = /^ERR_DISTRIBUTED: .*rank 1/.test(main!.error ?? '')
  if (!isNamed || main!.code !== 1) faults++
  console.log(
    `kill ${killed} after ${Math.round(after)} ms: rank 0 ended ${seconds} s later${isNamed ? '' : ` FAULT: ${main!.error} ${main!.stderr}`}`,
  )
}
await rm(root, { recursive: true, force: true })
console.log(faults === 0 ? 'no fault' : `${faults} faults`)
process.exitCode = faults === 0 ? 0 : 1
