// The addon in worker threads and in processes that end in every way.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import test from 'ava'
import { loadAddon } from '../../lib/native/load.js'
import { tinyBatch, tinyEncoder } from '../helpers/tiny-model.js'

const script = new URL('../helpers/binding-worker.js', import.meta.url)
const startWorker = (mode: string) => new Worker(script, { workerData: mode })

/** Runs the script in its own process. A hang ends in a signal, which no test accepts. */
async function runProcess(mode: string) {
  const child = spawn(process.execPath, [fileURLToPath(script), mode], { timeout: 120_000 })
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (chunk) => {
    stdout += chunk
  })
  child.stderr.on('data', (chunk) => {
    stderr += chunk
  })
  const [code, signal] = await once(child, 'close')
  return { code: code as number | null, signal: signal as string | null, stdout, stderr }
}

async function embeddings(): Promise<string> {
  const encoder = await tinyEncoder(loadAddon())
  const out = new Float32Array(2 * encoder.embeddingDimension)
  await encoder.encode(tinyBatch([3, 5]), out)
  return out.join()
}

test('several worker threads at once, and after they ended', async (t) => {
  const workers = Array.from({ length: 4 }, () => startWorker('encode'))
  const answers = await Promise.all(workers.map(async (worker) => (await once(worker, 'message'))[0]))
  await Promise.all(workers.map((worker) => (worker.threadId === -1 ? undefined : once(worker, 'exit'))))
  const expected = await embeddings()
  t.deepEqual(answers, [expected, expected, expected, expected])

  const [again] = await once(startWorker('encode'), 'message')
  t.is(again, expected)
})

test('a worker terminated in the middle of a job', async (t) => {
  for (let i = 0; i < 3; i++) {
    const worker = startWorker('busy')
    t.is((await once(worker, 'message'))[0], 'started')
    await new Promise((resolve) => setTimeout(resolve, 20 * i))
    t.is(await worker.terminate(), 1)
  }
  t.is((await embeddings()).split(',').length, 64)
})

test('process.exit in a worker in the middle of a step', async (t) => {
  const [code] = await once(startWorker('exit'), 'exit')
  t.is(code, 7)
})

test('a worker that throws in the middle of a step', async (t) => {
  const [error] = await once(startWorker('throw'), 'error')
  t.is((error as Error).message, 'on purpose')
})

test('process.exit in the middle of a step', async (t) => {
  const { code, signal, stderr } = await runProcess('exit')
  t.deepEqual({ code, signal, stderr }, { code: 7, signal: null, stderr: '' })
})

test('process.exit beside a worker in the middle of a job', async (t) => {
  const { code, signal, stderr } = await runProcess('exit-beside-worker')
  t.deepEqual({ code, signal, stderr }, { code: 7, signal: null, stderr: '' })
})

test('an uncaught exception in the middle of a step', async (t) => {
  const { code, signal, stderr } = await runProcess('throw')
  t.deepEqual({ code, signal }, { code: 1, signal: null })
  t.regex(stderr, /on purpose/)
})

test('pending jobs keep the process alive, idle engines do not', async (t) => {
  const { code, signal, stdout, stderr } = await runProcess('pending')
  t.deepEqual({ code, signal, stdout, stderr }, { code: 0, signal: null, stdout: 'settled 3\n', stderr: '' })
})
