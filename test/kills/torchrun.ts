// Kills workers of torchrun at random moments, which restarts all of them:
// `node dist/test/kills/torchrun.js [--torchrun torchrun] [--kills 10] [--seed 1]`. Every training has to end, with the weights of one that was
// never killed.
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { Random } from '../../lib/data/random.js'
import { freePort } from '../../lib/io/free-port.js'
import type { RankAnswer, RankRequest } from '../helpers/rank-worker.js'
import { trainRanks, WORKER } from '../helpers/ranks.js'
import { tinyFolder } from '../helpers/tiny-folder.js'

const { values } = parseArgs({
  options: {
    torchrun: { type: 'string', default: 'torchrun' },
    kills: { type: 'string', default: '10' },
    seed: { type: 'string', default: '1' },
  },
})
const random = new Random(Number(values.seed), 0)
const root = await mkdtemp(join(tmpdir(), 'sentence-torch-'))
const model = await tinyFolder(join(root, 'model'))
const request = (outputDir: string): RankRequest => ({
  ...{ model, resume: 'newest' },
  args: {
    ...{ maxSteps: 400, perDeviceTrainBatchSize: 8, saveStrategy: 'steps', saveSteps: 5, saveTotalLimit: 2 },
    ...{ loggingSteps: 50, outputDir: join(root, outputDir) },
  },
})

const begun = performance.now()
const [whole] = await trainRanks(request('whole'), 2)
const duration = performance.now() - begun
console.log(`${whole!.steps} steps without a kill in ${Math.round(duration)} ms ${whole!.error ?? ''}`)

/** The processes that a process has started. */
async function childrenOf({ pid }: ChildProcess): Promise<number[]> {
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '')
  return text.split(' ').filter(Boolean).map(Number)
}

/** Kills one worker after another until so many are dead or the training ends. @returns how many were killed */
async function killWorkers(launcher: ChildProcess, most: number): Promise<number> {
  const seen = new Set<number>()
  let killed = 0
  while (launcher.exitCode === null && killed < most) {
    await wait(20)
    const workers = (await childrenOf(launcher)).filter((pid) => !seen.has(pid))
    if (workers.length < 2) continue
    const after = (random.nextUint32() / 2 ** 32) * duration * 0.5
    await wait(after)
    const pid = workers[random.below(workers.length)]!
    // It may have ended by itself meanwhile.
    if (!(await childrenOf(launcher)).includes(pid)) break
    process.kill(pid, 'SIGKILL')
    killed++
    for (const worker of workers) seen.add(worker)
    console.log(`kill ${killed} of this training after ${Math.round(after)} ms`)
  }
  return killed
}

let faults = whole!.error === undefined ? 0 : 1
let left = Number(values.kills)
for (let number = 0; left > 0 && faults === 0; number++) {
  const worker = [process.execPath, WORKER, JSON.stringify(request(`killed-${number}`))]
  const place = ['--nproc-per-node', '2', '--master-addr', '127.0.0.1', '--master-port', `${await freePort()}`]
  const launcher = spawn(values.torchrun, ['--no-python', ...place, '--max-restarts', '100', ...worker], {
    env: { ...process.env, OMP_WAIT_POLICY: 'PASSIVE', SENTENCE_TORCH_THREADS: '1' },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let [stdout, stderr] = ['', '']
  launcher.stdout.on('data', (text) => (stdout += text))
  launcher.stderr.on('data', (text) => (stderr += text))
  const ended = new Promise((resolve) => launcher.on('close', resolve))
  const killed = await killWorkers(launcher, left)
  left -= killed
  const code = await ended
  const answers = stdout.split('\n').flatMap((line) => (line.startsWith('{') ? [JSON.parse(line) as RankAnswer] : []))
  const done = answers.filter(({ weights }) => weights !== undefined)
  // Who is killed between its answer and its end answers twice.
  const isSame =
    [0, 1].every((rank) => done.some((answer) => answer.rank === rank)) &&
    done.every(({ weights }) => weights === whole!.weights)
  if (code !== 0 || !isSame) faults++
  const names = answers.flatMap(({ error }) => (error === undefined ? [] : [error]))
  console.log(
    `${killed} kills, torchrun ended with ${code}: ${isSame ? 'the same weights' : `FAULT: ${JSON.stringify(done)} ${stderr.slice(-4000)}`}`,
  )
  for (const name of new Set(names)) console.log(`  said by a worker: ${name}`)
  if (killed === 0) break
}
await rm(root, { recursive: true, force: true })
console.log(faults === 0 ? 'no fault' : `${faults} faults`)
process.exitCode = faults === 0 ? 0 : 1
