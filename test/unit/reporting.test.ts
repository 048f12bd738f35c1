import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { resolveArguments, type TrainingArguments } from '../../lib/training/arguments/arguments.js'
import { type CallbackContext, type LogRecord, newControl, newState } from '../../lib/training/callbacks/callbacks.js'
import { AppendFile } from '../../lib/training/reporting/append-file.js'
import { crc32c, maskedCrc32c } from '../../lib/training/reporting/crc32c.js'
import { CsvReporter } from '../../lib/training/reporting/csv.js'
import { scalarEvent, textEvent, tfRecord, versionEvent } from '../../lib/training/reporting/event-file.js'
import { fourDigits, pythonLine, withCommas } from '../../lib/training/reporting/format.js'
import { JsonLinesReporter } from '../../lib/training/reporting/json-lines.js'
import { logFolder } from '../../lib/training/reporting/reporter.js'
import { Reporting } from '../../lib/training/reporting/reporting.js'
import { TensorBoardReporter, tensorBoardTag } from '../../lib/training/reporting/tensorboard.js'
import { temporaryFolder } from '../helpers/model-folders.js'

interface Golden {
  wallTime: number
  text: string
  scalars: [number, string, number][]
  file: string
  crc: { input: string; crc: number; masked: number }[]
}
const golden: Golden = JSON.parse(
  readFileSync(new URL('../../../test/unit/golden/tensorboard.json', import.meta.url), 'utf8'),
)

function context(globalStep: number, args: Partial<TrainingArguments> = {}): CallbackContext {
  return { args: resolveArguments(args), state: { ...newState(), globalStep }, control: newControl() }
}

const RECORDS: [number, LogRecord][] = [
  [2, { loss: 2.5, grad_norm: Number.NaN, learning_rate: 5e-5, epoch: 0.5 }],
  [2, { eval_loss: 1.25, 'eval_sts-dev_pearson_cosine': -0.75, epoch: 0.5 }],
  [4, { loss: 2, grad_norm: 3, learning_rate: 4e-5, epoch: 1 }],
]

test('CRC-32C: the vectors of RFC 3720 and of tensorboard', (t) => {
  t.is(crc32c(new Uint8Array(32)), 0x8a9136aa)
  t.is(crc32c(new Uint8Array(32).fill(0xff)), 0x62a8ab43)
  t.is(crc32c(Uint8Array.from({ length: 32 }, (_, i) => i)), 0x46dd794e)
  t.is(crc32c(Buffer.from('123456789')), 0xe3069283)
  for (const { input, crc, masked } of golden.crc) {
    const bytes = Buffer.from(input, 'base64')
    t.is(crc32c(bytes), crc)
    t.is(maskedCrc32c(bytes), masked)
  }
})

test('an event file has the bytes that tensorboard writes', (t) => {
  const { wallTime, text, scalars } = golden
  const events = [
    versionEvent(wallTime),
    textEvent(wallTime, 0, 'args', text),
    ...scalars.map(([step, tag, value]) => scalarEvent(wallTime, step, tag, value)),
  ]
  t.is(Buffer.concat(events.map(tfRecord)).toString('base64'), golden.file)
})

test('tags are those of transformers', (t) => {
  t.is(tensorBoardTag('loss'), 'train/loss')
  t.is(tensorBoardTag('eval_sts-dev_pearson_cosine'), 'eval/sts-dev_pearson_cosine')
  t.is(tensorBoardTag('test_loss'), 'test/loss')
  t.is(tensorBoardTag('train_runtime'), 'train/train_runtime')
  t.is(tensorBoardTag('evaluations'), 'train/evaluations')
})

const python = process.env.SENTENCE_TORCH_TEST_TENSORBOARD
const READ = `
import json, sys
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
events = EventAccumulator(sys.argv[1]); events.Reload()
text = events.Tensors("args/text_summary")[0].tensor_proto.string_val[0].decode()
scalars = {tag: [[e.step, e.value] for e in events.Scalars(tag)] for tag in events.Tags()["scalars"]}
print(json.dumps({"text": text, "scalars": scalars, "times": events.Scalars("train/loss")[0].wall_time}))
`
;(python === undefined ? test.skip : test)(
  'tensorboard reads the event files (SENTENCE_TORCH_TEST_TENSORBOARD)',
  async (t) => {
    const folder = await temporaryFolder(t)
    const reporter = new TensorBoardReporter(folder, () => 1700000000250)
    await reporter.onTrainBegin(context(0, { learningRate: 3e-5 }))
    for (const [step, record] of RECORDS) await reporter.onLog(record, context(step))
    await reporter.close()
    const { stdout, stderr, status } = spawnSync(python!, ['-c', READ, folder], { encoding: 'utf8' })
    t.is(status, 0, stderr)
    const found = JSON.parse(stdout.replaceAll('NaN', 'null'))
    t.is(found.times, 1700000000.25)
    t.like(JSON.parse(found.text), { learning_rate: 3e-5, per_device_train_batch_size: 8, adam_beta1: 0.9 })
    t.deepEqual(found.scalars, {
      'train/loss': [
        [2, 2.5],
        [4, 2],
      ],
      'train/grad_norm': [
        [2, null],
        [4, 3],
      ],
      'train/learning_rate': [
        [2, Math.fround(5e-5)],
        [4, Math.fround(4e-5)],
      ],
      'train/epoch': [
        [2, 0.5],
        [2, 0.5],
        [4, 1],
      ],
      'eval/loss': [[2, 1.25]],
      'eval/sts-dev_pearson_cosine': [[2, -0.75]],
    })
  },
)

test('each TensorBoard run has a file of its own', async (t) => {
  const folder = await temporaryFolder(t)
  for (let i = 0; i < 2; i++) {
    const reporter = new TensorBoardReporter(folder, () => 1700000000250)
    await reporter.onTrainBegin(context(0))
    await reporter.close()
  }
  const names = readdirSync(folder)
  t.is(names.length, 2)
  for (const name of names) t.regex(name, /^events\.out\.tfevents\.1700000000\..+\.\d+\.\d+$/)
})

test('JSON lines: every record with step and time, appended', async (t) => {
  const folder = await temporaryFolder(t)
  for (let i = 0; i < 2; i++) {
    const reporter = new JsonLinesReporter(join(folder, 'deep'), () => 1700000000250)
    await reporter.onTrainBegin()
    for (const [step, record] of RECORDS) await reporter.onLog(record, context(step))
    await reporter.close()
    await reporter.close()
  }
  const lines = readFileSync(join(folder, 'deep', 'log.jsonl'), 'utf8')
    .trimEnd()
    .split('\n')
  t.is(lines.length, 6)
  t.deepEqual(JSON.parse(lines[0]!), { time: 1700000000.25, ...RECORDS[0]![1], grad_norm: null, step: 2 })
  t.deepEqual(JSON.parse(lines[5]!), { time: 1700000000.25, ...RECORDS[2]![1], step: 4 })
})

test('CSV: a column for every key, also for those that come later and for a file that is there', async (t) => {
  const folder = await temporaryFolder(t)
  const path = join(folder, 'log.csv')
  const first = new CsvReporter(folder)
  await first.onTrainBegin()
  for (const [step, record] of RECORDS) await first.onLog(record, context(step))
  await first.close()
  const lines = [
    'step,loss,grad_norm,learning_rate,epoch,eval_loss,eval_sts-dev_pearson_cosine',
    '2,2.5,NaN,0.00005,0.5,,',
    '2,,,,0.5,1.25,-0.75',
    '4,2,3,0.00004,1,,',
  ]
  t.is(readFileSync(path, 'utf8'), `${lines.join('\n')}\n`)

  const second = new CsvReporter(folder)
  await second.onTrainBegin()
  await second.onLog({ epoch: 2, train_loss: 1 }, context(8))
  await second.close()
  const wider = [`${lines[0]},train_loss`, ...lines.slice(1).map((line) => `${line},`), '8,,,,2,,,1']
  t.is(readFileSync(path, 'utf8'), `${wider.join('\n')}\n`)

  writeFileSync(path, 'a,b\n1,2\n')
  const third = new CsvReporter(folder)
  await t.throwsAsync(third.onTrainBegin(), { code: 'ERR_INVALID_FILE', message: /log\.csv/ })
  await third.close()
})

test('a line that was cut off by a crash does not swallow the next', async (t) => {
  const folder = await temporaryFolder(t)
  writeFileSync(join(folder, 'log.jsonl'), '{"loss":1,"step":1}\n{"loss":')
  writeFileSync(join(folder, 'log.csv'), 'step,loss\n1,1\n2,')
  for (const reporter of [new JsonLinesReporter(folder, () => 5000), new CsvReporter(folder)]) {
    await reporter.onTrainBegin()
    await reporter.onLog({ loss: 3 }, context(3))
    await reporter.close()
  }
  t.is(readFileSync(join(folder, 'log.jsonl'), 'utf8').split('\n')[2], '{"time":5,"loss":3,"step":3}')
  t.is(readFileSync(join(folder, 'log.csv'), 'utf8'), 'step,loss\n1,1\n2,\n3,3\n')
})

test('many pieces arrive in order', async (t) => {
  const folder = await temporaryFolder(t)
  const file = new AppendFile(join(folder, 'x'))
  await file.open()
  const pieces = Array.from({ length: 500 }, (_, i) => `${i}\n`)
  for (const piece of pieces) await file.append(piece)
  await file.close()
  t.is(readFileSync(file.path, 'utf8'), pieces.join(''))
})

test('numbers as Python prints them', (t) => {
  // f"{v:.4g}"
  const expected: [number, string][] = [
    [2.96, '2.96'],
    [20.1934, '20.19'],
    [5e-5, '5e-05'],
    [3.8889e-5, '3.889e-05'],
    [0.00012345, '0.0001234'],
    [0.0001, '0.0001'],
    [1605.3, '1605'],
    [9999.5, '1e+04'],
    [9999.4, '9999'],
    [123456, '1.235e+05'],
    [1e100, '1e+100'],
    [0.1, '0.1'],
    [1, '1'],
    [0, '0'],
    [-0.8486, '-0.8486'],
    [99.995, '100'],
    [1e-10, '1e-10'],
    [Number.NaN, 'nan'],
    [Number.POSITIVE_INFINITY, 'inf'],
    [Number.NEGATIVE_INFINITY, '-inf'],
  ]
  for (const [value, text] of expected) t.is(fourDigits(value), text)
  t.is(
    pythonLine({ loss: 2.769, grad_norm: 12.85, learning_rate: 3.889e-5, epoch: 0.4 }),
    "{'loss': '2.769', 'grad_norm': '12.85', 'learning_rate': '3.889e-05', 'epoch': '0.4'}",
  )
  t.deepEqual([0, 999, 1000, 22713216].map(withCommas), ['0', '999', '1,000', '22,713,216'])
})

test('the folder of the log', (t) => {
  const args = resolveArguments({ outputDir: 'out' })
  t.is(logFolder(args, new Date(2026, 10, 2, 4, 11, 14), 'host'), join('out', 'runs', 'Nov02_04-11-14_host'))
  t.is(logFolder(resolveArguments({ loggingDir: 'logs' })), 'logs')
})

test('arguments of the log are checked', (t) => {
  t.deepEqual(resolveArguments({ reportTo: ['csv', 'jsonl'] }).reportTo, ['csv', 'jsonl'])
  t.throws(() => resolveArguments({ reportTo: 'wandb' as never }), { code: 'ERR_NOT_IMPLEMENTED', message: /wandb/ })
  t.throws(() => resolveArguments({ reportTo: ['jsonl', 'tensorbord'] as never }), {
    code: 'ERR_INVALID_ARGUMENT',
    message: /did you mean tensorboard/,
  })
  t.throws(() => resolveArguments({ logLevel: 'loud' as never }), { code: 'ERR_INVALID_ARGUMENT' })
  t.throws(() => resolveArguments({ loggingDir: '' }), { code: 'ERR_INVALID_ARGUMENT' })
})

function output(isTTY: boolean) {
  const written: string[] = []
  return { isTTY, columns: 100, written, write: (text: string) => written.push(text) }
}

test('reportTo makes the files, each kind once', async (t) => {
  const outputDir = await temporaryFolder(t)
  const args = {
    outputDir,
    loggingDir: join(outputDir, 'log'),
    reportTo: ['csv', 'tensorboard', 'jsonl', 'csv'],
  } as const
  const reporting = new Reporting(resolveArguments(args), false)
  t.is(reporting.callbacks.length, 3)
  for (const callback of reporting.callbacks) await callback.onTrainBegin!(context(0, args))
  for (const callback of reporting.callbacks) await callback.onLog!({ loss: 1 }, context(1, args))
  await reporting.close()
  const names = readdirSync(args.loggingDir).sort()
  t.deepEqual(names.slice(1), ['log.csv', 'log.jsonl'])
  t.regex(names[0]!, /^events/)
  t.is(new Reporting(resolveArguments(), false).callbacks.length, 0)
})

test('logLevel info speaks on a terminal above the bar, elsewhere beside the JSON lines', (t) => {
  const say = (isTTY: boolean, logLevel: 'info' | 'passive' | 'warning') => {
    const [out, messages] = [output(isTTY), output(false)]
    const reporting = new Reporting(resolveArguments({ logLevel }), out, messages)
    reporting.say('hello')
    return [out.written.join(''), messages.written.join('')]
  }
  t.deepEqual(say(true, 'info'), ['hello\n', ''])
  t.deepEqual(say(false, 'info'), ['', 'hello\n'])
  t.deepEqual(say(false, 'passive'), ['', ''])
  t.deepEqual(say(true, 'warning'), ['', ''])
})
