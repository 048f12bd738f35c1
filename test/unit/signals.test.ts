// SIGINT and SIGTERM end a training, and then the process. Each in a process of its own.
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import { resolveArguments } from '../../lib/training/arguments/arguments.js'
import { checkpointFolder, readCheckpoint } from '../../lib/training/checkpoint/resume.js'
import { temporaryFolder } from '../helpers/model-folders.js'
import type { TrainRequest } from '../helpers/train-worker.js'

const worker = fileURLToPath(new URL('../helpers/train-worker.js', import.meta.url))

interface Ended {
  code: number | null
  signal: NodeJS.Signals | null
  lines: string[]
  errors: string
}

/** Runs the worker; `act` comes after every line that it prints. */
function run(request: TrainRequest, act: (line: string, child: ChildProcess) => void): Promise<Ended> {
  const child = spawn(process.execPath, [worker, JSON.stringify(request)], { stdio: ['ignore', 'pipe', 'pipe'] })
  const lines: string[] = []
  let rest = ''
  let errors = ''
  child.stderr.on('data', (data: Buffer) => {
    errors += data
  })
  child.stdout.on('data', (data: Buffer) => {
    const parts = (rest + data).split('\n')
    rest = parts.pop()!
    for (const line of parts) {
      lines.push(line)
      act(line, child)
    }
  })
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code, signal) => resolve({ code, signal, lines, errors }))
  })
}

const once = (wanted: string, signal: NodeJS.Signals) => {
  let sent = false
  return (line: string, child: ChildProcess) => {
    if (sent || line !== wanted) return
    sent = true
    child.kill(signal)
  }
}

/** The step of the only thing in the folder, a whole checkpoint. */
async function onlyCheckpoint(t: ExecutionContext, outputDir: string): Promise<number> {
  const names = readdirSync(outputDir)
  t.is(names.length, 1, names.join())
  const folder = await checkpointFolder(true, outputDir)
  t.true(existsSync(join(folder!, '1_Pooling', 'config.json')))
  const { own } = await readCheckpoint(folder!, resolveArguments({ outputDir }))
  return own.state.globalStep
}

for (const [signal, saveStrategy] of [
  ['SIGTERM', 'epoch'],
  ['SIGINT', 'no'],
] as const) {
  test(`${signal}: a last checkpoint (saveStrategy ${saveStrategy}), then the process ends by the signal`, async (t) => {
    const outputDir = await temporaryFolder(t)
    const ended = await run(
      { runs: [{ outputDir, saveStrategy, handleSignals: true }], holdAt: 3 },
      once('step 3', signal),
    )
    t.like(ended, { code: null, signal }, ended.errors)
    t.regex(ended.errors, new RegExp(`${signal}: training ends`))
    const step = await onlyCheckpoint(t, outputDir)
    t.true(step === 3 || step === 4, String(step))
    t.deepEqual(ended.lines.slice(-2), [
      `saved ${join(outputDir, `checkpoint-${step}`)}`,
      `aborted ${signal} ${join(outputDir, `checkpoint-${step}`)}`,
    ])
  })
}

test('without handleSignals the process ends at once', async (t) => {
  const outputDir = await temporaryFolder(t)
  const ended = await run({ runs: [{ outputDir, saveStrategy: 'epoch' }], holdAt: 3 }, once('step 3', 'SIGTERM'))
  t.is(ended.signal, 'SIGTERM')
  t.false(ended.lines.some((line) => /saving|aborted/.test(line)))
})

test('whoever waits for the training hears of it, and cannot hold the process', async (t) => {
  const outputDir = await temporaryFolder(t)
  const request = { runs: [{ outputDir, handleSignals: true }], holdAt: 3, catches: true }
  const started = performance.now()
  const ended = await run(request, once('step 3', 'SIGTERM'))
  t.is(ended.signal, 'SIGTERM')
  t.regex(ended.lines.at(-1)!, /^aborted SIGTERM /)
  t.true(performance.now() - started < 50_000)
})

test('a signal in the middle of a save: the save is completed', async (t) => {
  const outputDir = await temporaryFolder(t)
  const args = { outputDir, saveStrategy: 'steps', saveSteps: 4, handleSignals: true } as const
  const ended = await run({ runs: [args], saveTime: 300 }, once('saving', 'SIGTERM'))
  t.is(ended.signal, 'SIGTERM')
  t.is(await onlyCheckpoint(t, outputDir), 4)
  t.is(ended.lines.filter((line) => line === 'saving').length, 1, 'it is the last checkpoint')
})

test('a second signal ends the process at once; what it leaves is tidied up by the next one', async (t) => {
  const outputDir = await temporaryFolder(t)
  const args = { outputDir, saveStrategy: 'steps', saveSteps: 6, handleSignals: true, maxSteps: 6 } as const
  let saving = false
  const ended = await run({ runs: [args], holdAt: 3, saveTime: 30_000, catches: true }, (line, child) => {
    if (line === 'step 3') child.kill('SIGINT')
    if (line !== 'saving' || saving) return
    saving = true
    // At once it would be taken for the first one that came twice.
    void setTimeout(1_000).then(() => child.kill('SIGINT'))
  })
  t.is(ended.signal, 'SIGINT')
  t.false(ended.lines.some((line) => line.startsWith('aborted')))
  t.deepEqual(
    readdirSync(outputDir).filter((name) => name.startsWith('checkpoint')),
    [],
  )
  t.is(readdirSync(outputDir).filter((name) => /^\.checkpoint-\d+\.tmp-/.test(name)).length, 1)
  const next = await run({ runs: [args], holdAt: -1 }, () => {})
  t.is(next.code, 0, next.errors)
  t.is(await onlyCheckpoint(t, outputDir), 6)
})

test('a signal that comes twice at once, as under npm, counts once', async (t) => {
  const outputDir = await temporaryFolder(t)
  let sent = false
  const ended = await run({ runs: [{ outputDir, handleSignals: true }], holdAt: 3, saveTime: 1000 }, (line, child) => {
    if (line !== 'step 3' || sent) return
    sent = true
    child.kill('SIGINT')
    void setTimeout(20).then(() => child.kill('SIGINT'))
  })
  t.is(ended.signal, 'SIGINT')
  t.true((await onlyCheckpoint(t, outputDir)) >= 3)
})

test('several trainings at once: all have their checkpoints before the process ends', async (t) => {
  const folders = [await temporaryFolder(t), await temporaryFolder(t), await temporaryFolder(t)]
  const runs = folders.map((outputDir) => ({ outputDir, handleSignals: true }))
  // One is over before the signal comes.
  Object.assign(runs[2]!, { maxSteps: 1 })
  const ended = await run({ runs, holdAt: 5, saveTime: 200, catches: true }, once('step 5', 'SIGTERM'))
  t.is(ended.signal, 'SIGTERM')
  for (const folder of folders.slice(0, 2)) t.true((await onlyCheckpoint(t, folder)) >= 1)
  t.true(ended.lines.includes('done 1'))
  t.is(ended.lines.filter((line) => line.startsWith('aborted SIGTERM')).length, 2)
})

test("a listener of the program's own does not keep the process", async (t) => {
  const outputDir = await temporaryFolder(t)
  const request = { runs: [{ outputDir, handleSignals: true }], holdAt: 3, listens: true, catches: true }
  const ended = await run(request, once('step 3', 'SIGTERM'))
  t.is(ended.code, 143)
  t.true(ended.lines.includes('heard'))
  t.true((await onlyCheckpoint(t, outputDir)) >= 3)
})

test('a last checkpoint that fails is an error, not an end by the signal', async (t) => {
  const outputDir = await temporaryFolder(t)
  const ended = await run(
    { runs: [{ outputDir, handleSignals: true }], holdAt: 3, fails: true },
    once('step 3', 'SIGTERM'),
  )
  t.is(ended.code, 1)
  t.regex(ended.errors, /ERR_OUT_OF_MEMORY/)
  t.deepEqual(readdirSync(outputDir), [])
})

test('the folder is taken while training, and free afterwards', async (t) => {
  const outputDir = await temporaryFolder(t)
  const args = { outputDir, saveStrategy: 'steps', saveSteps: 2, maxSteps: 6, handleSignals: true } as const
  let second: Promise<Ended> | undefined
  let lock: { pid?: number } = {}
  let pid: number | undefined
  const first = await run({ runs: [args], holdAt: 3 }, (line, child) => {
    if (line !== 'step 3') return
    pid = child.pid
    lock = JSON.parse(readFileSync(join(outputDir, '.sentence-torch.lock'), 'utf8'))
    second = run({ runs: [args] }, () => {})
    void second.then(() => child.kill('SIGTERM'))
  })
  t.is(first.signal, 'SIGTERM', first.errors)
  const refused = await second!
  t.is(lock.pid, pid)
  t.is(refused.code, 1)
  t.deepEqual(refused.lines, ['failed ERR_BUSY'])
  t.regex(refused.errors, new RegExp(`process ${pid} on `))
  t.false(existsSync(join(outputDir, '.sentence-torch.lock')))
})
