// One training by two processes with a GPU each. Skipped where there are fewer than two; bench/gpu.sh runs it.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { loadAddon } from '../../lib/native/load.js'
import type { RankRequest } from '../helpers/rank-worker.js'
import { trainRanks } from '../helpers/ranks.js'
import { tinyFolder } from '../helpers/tiny-folder.js'

const root = mkdtempSync(join(tmpdir(), 'sentence-torch-'))
const model = await tinyFolder(join(root, 'model'))
test.after.always(() => rmSync(root, { recursive: true, force: true }))

const gpus = loadAddon()
  .runtime()
  .devices.filter(({ name }) => name.startsWith('cuda')).length
const onTwo = gpus >= 2 ? test.serial : test.skip

const train = (request: Omit<RankRequest, 'model'>, env: (rank: number) => Record<string, string>) =>
  trainRanks({ model, ...request }, 2, (rank) => ({ env: { SENTENCE_TORCH_DEVICE: 'cuda', ...env(rank) } }))
const local = (rank: number) => ({ LOCAL_RANK: `${rank}` })

onTwo('two GPUs learn as one: the same bits on both', async (t) => {
  const args = { maxSteps: 8, dataloaderDropLast: true, perDeviceTrainBatchSize: 8, logTimings: true }
  for (const loss of ['cosine', 'gathered'] as const) {
    const [first, second] = await train({ loss, args }, local)
    t.is(first!.losses?.length, 8, first!.error)
    t.is(first!.weights, second!.weights)
    t.deepEqual(first!.losses, second!.losses)
  }
})

onTwo('two processes on one GPU are refused on both', async (t) => {
  for (const { error, code } of await train({ args: { maxSteps: 2 } }, () => ({ SENTENCE_TORCH_DEVICE: 'cuda:0' }))) {
    t.regex(error!, /^ERR_DISTRIBUTED: .*Ranks 0 and 1 both train on the card/)
    t.is(code, 1)
  }
})

for (const [way, message] of [
  ['killAt', /rank 1 is lost/],
  ['failAt', /rank 1 has ended/],
] as const) {
  onTwo(`a rank that ends early ends the other, which names it: ${way}`, async (t) => {
    const args = { maxSteps: 50, ddpTimeout: 20, loggingSteps: 1, outputDir: join(root, way) }
    const [first] = await train({ [way]: 3, args }, local)
    t.regex(first!.error!, message)
    t.is(first!.code, 1)
    t.true(first!.seconds! < 60)
  })
}
