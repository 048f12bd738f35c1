import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { Dataset, engine, losses, SentenceTransformer, SentenceTransformerTrainer } from '../../lib/index.js'
import { temporaryFolder } from '../helpers/model-folders.js'
import { tinyFolder } from '../helpers/tiny-folder.js'

// One profile at a time in a process: hence serial.
test.serial(
  'a profile of encoding and training: known parts, own times within the total, a trace of every call',
  async (t) => {
    const folder = await temporaryFolder(t)
    const model = await SentenceTransformer.load(await tinyFolder(join(folder, 'model')))
    t.teardown(() => model.dispose())
    const profile = engine.profile()
    t.throws(() => engine.profile(), { code: 'ERR_BUSY' })
    await model.encode(['the'])
    const steps = 3
    await new SentenceTransformerTrainer({
      model,
      trainDataset: Dataset.fromColumns({ anchor: Array(12).fill('the'), positive: Array(12).fill('a') }),
      loss: new losses.MultipleNegativesRankingLoss(),
      progress: false,
      args: { maxSteps: steps, perDeviceTrainBatchSize: 4, saveStrategy: 'no' },
    }).train()
    const file = join(folder, 'trace.json')
    const { parts, busyMs, wallMs, trace, dropped } = profile.stop(file)

    const calls = Object.fromEntries(parts.map(({ name, calls }) => [name, calls]))
    for (const part of ['step', 'forward', 'loss', 'backward', 'optimizer']) t.is(calls[part], steps, part)
    t.is(calls.encode, 1)
    for (const part of ['attention', 'attention, backward', 'embedding', 'linear, weight gradient', 'update'])
      t.true(calls[part]! > 0, part)
    t.is(dropped, 0)
    const sum = parts.reduce((sum, { percent }) => sum + percent, 0)
    t.true(sum > 99.9 && sum <= 100.001, `percents add up to ${sum}`)
    t.true(busyMs > 0 && busyMs <= wallMs)
    for (const { name, ownMs, totalMs } of parts) t.true(ownMs >= 0 && ownMs <= totalMs, name)

    t.deepEqual(JSON.parse(readFileSync(file, 'utf8')), trace)
    const events = trace.traceEvents.filter(({ ph }) => ph === 'X')
    t.is(
      events.length,
      parts.reduce((sum, { calls }) => sum + calls, 0),
    )
    // A part lies within what it is a part of.
    const within = (inner: string, outer: string) =>
      events
        .filter(({ name }) => name === inner)
        .every(({ ts, dur }) =>
          events.some((other) => other.name === outer && other.ts! <= ts! && ts! + dur! <= other.ts! + other.dur!),
        )
    t.true(within('forward', 'step') && within('backward', 'step'))
    t.false(within('step', 'forward'))
  },
)

test.serial('nothing is recorded outside a profile', async (t) => {
  const model = await SentenceTransformer.load(await tinyFolder(join(await temporaryFolder(t), 'model')))
  t.teardown(() => model.dispose())
  await model.encode(['the'])
  const profile = engine.profile().stop()
  t.deepEqual([profile.parts, profile.busyMs, profile.trace.traceEvents.length], [[], 0, 1])
})

test.serial('SENTENCE_TORCH_PROFILE: a table on stderr and a trace file at the end of the process', async (t) => {
  const folder = await temporaryFolder(t)
  const modelFolder = await tinyFolder(join(folder, 'model'))
  const library = new URL('../../lib/index.js', import.meta.url).href
  const program = `const { SentenceTransformer } = await import(${JSON.stringify(library)})
    const model = await SentenceTransformer.load(${JSON.stringify(modelFolder)})
    await model.encode(['the'])`
  const file = join(folder, 'trace.json')
  const run = (wanted: string) =>
    spawnSync(process.execPath, ['--input-type=module', '--eval', program], {
      env: { ...process.env, SENTENCE_TORCH_PROFILE: wanted },
      cwd: folder,
      encoding: 'utf8',
    })
  const off = run('')
  t.is(off.status, 0, off.stderr)
  t.notRegex(off.stderr, /Profile:/)
  const on = run(file)
  t.is(on.status, 0, on.stderr)
  t.regex(on.stderr, /^Profile: the engine computed/m)
  t.regex(on.stderr, /^encode /m)
  t.true(existsSync(file))
  const { traceEvents } = JSON.parse(readFileSync(file, 'utf8')) as { traceEvents: { name: string; dur?: number }[] }
  t.true(traceEvents.some(({ name, dur }) => name === 'encode' && dur! > 0))
})

test.serial('measureMachine gives a rate for every matrix product and dtype', async (t) => {
  const { loadAddon } = await import('../../lib/native/load.js')
  const rates = await loadAddon().measureMachine(['float32'], 0.001)
  t.true(rates.gemms.length > 3 && rates.gemms.every(({ dtype, gflops }) => dtype === 'float32' && gflops > 0.1))
  for (const key of ['copyGBs', 'elementwiseGBs', 'geluNs', 'layerNormNs', 'dropoutNs'] as const)
    t.true(rates[key] > 0 && Number.isFinite(rates[key]), key)
  await t.throwsAsync(loadAddon().measureMachine(['float8' as 'float32'], 0.001), { code: 'ERR_INVALID_ARGUMENT' })
})
