// One training by two processes, as a launcher starts them.
import { execFile } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { packageRoot } from '#system'
import { freePort } from '../../lib/io/free-port.js'
import type { RankRequest } from '../helpers/rank-worker.js'
import { type Change, start, trainRanks } from '../helpers/ranks.js'
import { tinyFolder } from '../helpers/tiny-folder.js'

const root = mkdtempSync(join(tmpdir(), 'sentence-torch-'))
const model = await tinyFolder(join(root, 'model'))
test.after.always(() => rmSync(root, { recursive: true, force: true }))

const train = (request: Omit<RankRequest, 'model'>, size: number, change?: (rank: number) => Change) =>
  trainRanks({ model, ...request }, size, change)

const steps = { maxSteps: 8 }

for (const loss of ['cosine', 'gathered'] as const) {
  for (const miniBatchSize of [null, 4]) {
    test(`two processes learn as one with the whole batch: ${loss}, mini-batches of ${miniBatchSize}`, async (t) => {
      const args = { ...steps, miniBatchSize, dataloaderDropLast: true, logTimings: true }
      const [one] = await train({ loss, args: { ...args, perDeviceTrainBatchSize: 16 } }, 1)
      const two = await train({ loss, args: { ...args, perDeviceTrainBatchSize: 8 } }, 2)
      t.is(one!.losses!.length, 8, one!.error)
      for (const { losses, weights, error, keys } of two) {
        t.is(losses?.length, 8, error)
        for (const key of ['time_communication', 'time_hidden']) {
          t.true(keys!.includes(key), key)
          t.false(one!.keys!.includes(key), key)
        }
        t.is(weights, two[0]!.weights, 'the same bits on both')
        t.deepEqual(losses, two[0]!.losses)
        for (const [i, value] of losses!.entries()) {
          t.true(Math.abs(value - one!.losses![i]!) <= 1e-6 * Math.abs(value) + 1e-6, `step ${i}`)
        }
      }
    })
  }
}

test('rank 0 evaluates and saves; another rank asks for the end, and all go on from the checkpoint', async (t) => {
  const outputDir = join(root, 'saves')
  const args = { maxSteps: 12, perDeviceTrainBatchSize: 8, outputDir, evalStrategy: 'steps', evalSteps: 3 } as const
  // Between logs and evaluations, requests go with the steps.
  const all = { ...args, saveStrategy: 'steps', saveSteps: 3, loggingSteps: 100 } as const
  const whole = await train({ rows: 256, args: { ...all, outputDir: join(root, 'whole') } }, 2)
  const stopped = await train({ rows: 256, args: all, stopAt: 4 }, 2)
  for (const { rank, error, steps, metrics, evaluated, saved } of stopped) {
    t.is(error, undefined)
    t.is(steps, 6, 'the step after the next brings the request')
    t.is(metrics?.length, 2)
    t.deepEqual(metrics, stopped[0]!.metrics, 'the numbers of rank 0')
    t.is(evaluated, rank === 0 ? 2 : 0)
    t.deepEqual(saved, [join(outputDir, 'checkpoint-3'), join(outputDir, 'checkpoint-6')])
  }
  const resumed = await train({ rows: 256, args: all, resume: true }, 2)
  for (const { error, steps, weights } of resumed) {
    t.is(error, undefined)
    t.is(steps, 12)
    t.is(weights, whole[0]!.weights, 'as if it had not stopped')
  }
  // One process with the same rows in a batch goes on from the checkpoint of two.
  const [one] = await train(
    {
      rows: 256,
      args: { ...all, perDeviceTrainBatchSize: 16, dataloaderDropLast: true },
      resume: join(outputDir, 'checkpoint-6'),
    },
    1,
  )
  t.is(one!.steps, 12, one!.error)
  t.notRegex(one!.stderr, /differ/)
})

test('a stream that all read gives the batches of one process', async (t) => {
  const request = { rows: 40, stream: 'all', loss: 'cosine' } as const
  const args = { ...steps, dataloaderDropLast: true }
  const [one] = await train({ ...request, args: { ...args, perDeviceTrainBatchSize: 8 } }, 1)
  t.is(one!.losses?.length, 8, one!.error)
  for (const { losses, error } of await train({ ...request, args: { ...args, perDeviceTrainBatchSize: 4 } }, 2)) {
    t.is(losses?.length, 8, error)
    for (const [i, value] of losses!.entries()) t.true(Math.abs(value - one!.losses![i]!) <= 2e-6, `step ${i}`)
  }
})

test('of a stream by rank each process reads its own rows, and resumes among them', async (t) => {
  const outputDir = join(root, 'by-rank')
  const files = [0, 1, 2, 3].map((file) => join(root, `rows-${file}.jsonl`))
  const rows = Array.from({ length: 64 }, (_, i) => ({ anchor: `the cat ${i}`, positive: `a cat is ${i} like` }))
  for (const [i, file] of files.entries()) {
    const lines = rows.slice(16 * i, 16 * i + 16).map((row) => JSON.stringify(row))
    writeFileSync(file, `${lines.join('\n')}\n`)
  }
  const args = { maxSteps: 7, perDeviceTrainBatchSize: 8, saveStrategy: 'steps', saveSteps: 5 } as const
  const whole = await train({ stream: files, args: { ...args, maxSteps: 4, outputDir } }, 2)
  const anchors = (numbers: number[]) => rows.filter((_row, i) => numbers.includes(i >> 4)).map(({ anchor }) => anchor)
  t.deepEqual(whole[0]!.read, anchors([0, 2]), whole[0]!.error)
  t.deepEqual(whole[1]!.read, anchors([1, 3]), whole[1]!.error)
  t.is(whole[0]!.weights, whole[1]!.weights)
  // Three files and two processes: every other row.
  const odd = await train(
    { stream: files.slice(0, 3), args: { ...args, maxSteps: 2, outputDir: join(root, 'odd') } },
    2,
  )
  for (const { rank, read, error } of odd) {
    const own = anchors([0, 1, 2]).filter((_anchor, i) => i % 2 === rank)
    t.deepEqual(read?.slice(0, 24), own, error)
  }
  const iterable = { stream: 'byRank', rows: 36, args: { ...args, outputDir } } as const
  const begun = await train(iterable, 2)
  t.is(new Set(begun.flatMap(({ read }) => read!.slice(0, 18))).size, 36, begun[0]!.error)
  const checkpoint = join(outputDir, 'checkpoint-5')
  const resumed = await train({ ...iterable, resume: checkpoint }, 2)
  for (const { weights, error } of resumed) t.is(weights, begun[0]!.weights, error)
  const [one] = await train({ ...iterable, resume: checkpoint }, 1)
  t.regex(one!.error!, /^ERR_DISTRIBUTED: .*checkpoint-5 was saved in the middle of an epoch by 2 processes/)
})

test('a process that has fewer rows ends the epoch for all', async (t) => {
  const args = { numTrainEpochs: 2, perDeviceTrainBatchSize: 8 }
  const ended = await train({ stream: 'byRank', missing: 9, args }, 2)
  for (const { steps, error, weights } of ended) {
    t.is(steps, 2 * 2, error)
    t.is(weights, ended[0]!.weights)
  }
  const refused = await train({ stream: 'byRank', args: { ...args, batchSampler: 'no_duplicates' } }, 2)
  for (const { error, code } of refused) {
    t.regex(error!, /^ERR_INVALID_ARGUMENT: Expected batch_sampler or sequential for a stream by rank/)
    t.is(code, 1)
  }
})

test('all ranks encode for an evaluation, which has the numbers of one process', async (t) => {
  const outputDir = join(root, 'evaluated')
  const args = {
    maxSteps: 1,
    evalStrategy: 'steps',
    evalSteps: 1,
    evalOnStart: true,
    learningRate: 0,
    outputDir,
  } as const
  const evaluation = { evaluatorRows: 75, evalRows: 50 }
  const [one] = await train({ ...evaluation, args: { ...args, perDeviceTrainBatchSize: 12 } }, 1)
  t.is(one!.error, undefined)
  t.true('eval_loss' in one!.evaluation!)
  const three = await train({ ...evaluation, args: { ...args, perDeviceTrainBatchSize: 4 } }, 3)
  for (const { rank, error, evaluation, evaluated, encoded } of three) {
    t.is(error, undefined)
    t.is(evaluated, rank === 0 ? 2 : 0)
    t.is(encoded, one!.encoded! / 3, 'the texts are divided equally')
    t.deepEqual(Object.keys(evaluation!), Object.keys(one!.evaluation!))
    for (const [name, value] of Object.entries(evaluation!)) {
      if (name === 'epoch') continue
      t.true(Math.abs(value - one!.evaluation![name]!) <= 1e-6, `${name}: ${value}, ${one!.evaluation![name]}`)
    }
  }
})

test('a rank that cannot encode for an evaluation ends all, by name', async (t) => {
  const args = { ...steps, evalStrategy: 'steps', evalSteps: 2, outputDir: join(root, 'not-evaluated') } as const
  for (const whileEncoding of ['fail', 'kill'] as const) {
    const [main, other] = await train({ args, evaluatorRows: 64, whileEncoding }, 2)
    t.is(main!.code, 1)
    if (whileEncoding === 'kill') {
      t.regex(main!.error!, /^ERR_DISTRIBUTED: Rank 0 of 2: rank 1 is lost/)
      continue
    }
    t.is(main!.error, 'ERR_DISTRIBUTED: Rank 1 cannot encode its share: no memory at rank 1')
    t.regex(other!.error!, /^ERR_DISTRIBUTED: Rank 1 of 2: rank 0 has ended: Rank 1 cannot encode its share: no memory/)
    t.is(other!.code, 1)
  }
})

test('a rank that is killed, or that fails, ends the other with its name', async (t) => {
  const args = { ...steps, perDeviceTrainBatchSize: 8 }
  const [main, killed] = await train({ args, killAt: 3 }, 2)
  t.is(killed!.signal, 'SIGKILL')
  t.regex(main!.error!, /^ERR_DISTRIBUTED: Rank 0 of 2: rank 1 is lost /)
  t.is(main!.code, 1)
  const [other, failed] = await train({ args, failAt: 3 }, 2)
  t.regex(failed!.error!, /the disk of rank 1 is full/)
  t.regex(other!.error!, /^ERR_DISTRIBUTED: Rank 0 of 2: rank 1 has ended: the disk of rank 1 is full/)
})

test('a rank that is silent for longer than ddpTimeout is lost', async (t) => {
  const args = { ...steps, perDeviceTrainBatchSize: 8, ddpTimeout: 2 }
  let silent: { kill(signal: 'SIGKILL'): boolean } | undefined
  const [main] = await train({ args, hangAt: 3 }, 2, (rank) => ({
    onStart: (child) => {
      if (rank === 1) silent = child
      else child.on('close', () => silent!.kill('SIGKILL'))
    },
  }))
  t.regex(main!.error!, /^ERR_DISTRIBUTED: Rank 0 of 2: rank 1 is lost .*Timed out/)
})

test('what the ranks do not share is named on each of them', async (t) => {
  const args = { ...steps, perDeviceTrainBatchSize: 8 }
  const other = await tinyFolder(join(root, 'other'), 2)
  const wrong: [RegExp, Partial<RankRequest>, Record<string, string>?][] = [
    [/Rank 1 trains something else than rank 0: other data \(.*"rows":48.*, at rank 0 .*"rows":64/, { rows: 48 }],
    [/other argument seed \(7, at rank 0 42\)/, { args: { ...args, seed: 7 } }],
    [/other loss/, { loss: 'cosine' }],
    [/The weights of rank 1 differ from those of rank 0 before the first step/, { model: other }],
    [/RANK is 2 where WORLD_SIZE is 2/, {}, { RANK: '2' }],
  ]
  for (const [expected, request, env] of wrong) {
    const ended = await train({ args }, 2, (rank) => (rank === 1 ? { request, env: env ?? {} } : {}))
    for (const { error, code } of ended) {
      t.regex(error ?? '', expected)
      t.regex(error ?? '', /^ERR_DISTRIBUTED: /)
      t.is(code, 1)
    }
  }
})

test('sentence-torch train --nproc 2', async (t) => {
  const data = join(root, 'pairs.jsonl')
  const rows = Array.from({ length: 64 }, (_, i) => ({ anchor: `the cat ${i}`, positive: `a cat is ${i} like` }))
  writeFileSync(data, rows.map((row) => `${JSON.stringify(row)}\n`).join(''))
  const outputDir = join(root, 'recipe')
  const config = join(root, 'recipe.json')
  const training = { maxSteps: 4, perDeviceTrainBatchSize: 8, loggingSteps: 1 }
  writeFileSync(
    config,
    JSON.stringify({
      recipe: 'finetune',
      model,
      train: data,
      loss: 'MultipleNegativesRankingLoss',
      outputDir,
      training,
    }),
  )
  const program = join(packageRoot, 'dist/bundle/cli.js')
  const run = (args: string[]) =>
    new Promise<{ status: unknown; stdout: string; stderr: string }>((resolve) => {
      const env = { ...process.env, SENTENCE_TORCH_THREADS: '1' }
      execFile(process.execPath, [program, ...args], { env }, (error, stdout, stderr) => {
        resolve({ status: error?.code ?? 0, stdout, stderr })
      })
    })
  const { status, stdout, stderr } = await run(['train', config, '--nproc', '2'])
  t.is(status, 0, stderr)
  t.regex(stdout, /The model is in .*recipe/)
  t.true(existsSync(join(outputDir, 'model', 'model.safetensors')))
  // What one of them cannot do ends both.
  const wrong = await run(['train', config, '--nproc', '2', '--set', 'training.learningRate=-1'])
  t.is(wrong.status, 1, wrong.stderr)
})

test('who comes alone says whom it waited for', async (t) => {
  const env = { RANK: '0', WORLD_SIZE: '2', MASTER_ADDR: '127.0.0.1', SENTENCE_TORCH_JOIN_SECONDS: '1' }
  const args = { ...steps }
  const alone = await start({ model, args }, { ...env, MASTER_PORT: `${await freePort()}` })
  t.regex(alone.error!, /^ERR_DISTRIBUTED: Rank 0 of 2 waited 1 s at 127\.0\.0\.1:\d+ for rank 1\./)
  const port = `${await freePort()}`
  const client = await start({ model, args }, { ...env, RANK: '1', MASTER_PORT: port })
  t.regex(client.error!, /^ERR_DISTRIBUTED: Rank 1 of 2 cannot reach the store that rank 0 serves/)
  const lost = await start(
    { model, args },
    { ...env, RANK: '1', MASTER_ADDR: 'no-such-host.invalid', MASTER_PORT: '29501' },
  )
  t.regex(lost.error ?? `${lost.code} ${lost.signal} ${lost.stderr}`, /^ERR_DISTRIBUTED: .*no-such-host\.invalid/)
  for (const { stderr } of [alone, client, lost]) t.notRegex(stderr, /c10d/)
  const aloud = { TORCH_CPP_LOG_LEVEL: 'WARNING', SENTENCE_TORCH_JOIN_SECONDS: '3' }
  const asked = await start({ model, args }, { ...env, RANK: '1', MASTER_PORT: port, ...aloud })
  t.regex(asked.error!, /^ERR_DISTRIBUTED: Rank 1 of 2 cannot reach the store that rank 0 serves/)
  t.regex(asked.stderr, /\[c10d\]/)
})
