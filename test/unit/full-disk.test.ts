// Logs outlive a disk that is full or gone; a checkpoint that cannot be saved is an error that leaves the others whole.
// Warnings are heard of the whole process: the tests run one after the other.
import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import * as fs from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { appendCsv } from '../../lib/evaluation/csv.js'
import type { FileOperations } from '../../lib/io/files.js'
import { resolveArguments } from '../../lib/training/arguments/arguments.js'
import { type CallbackContext, type LogRecord, newControl, newState } from '../../lib/training/callbacks/callbacks.js'
import { AppendFile } from '../../lib/training/reporting/append-file.js'
import { CsvReporter } from '../../lib/training/reporting/csv.js'
import { JsonLinesReporter } from '../../lib/training/reporting/json-lines.js'
import { Reporting } from '../../lib/training/reporting/reporting.js'
import { TensorBoardReporter } from '../../lib/training/reporting/tensorboard.js'
import { prepare } from '../helpers/fake-trainer.js'
import { temporaryFolder } from '../helpers/model-folders.js'

const context = (globalStep: number): CallbackContext => {
  return { args: resolveArguments(), state: { ...newState(), globalStep }, control: newControl() }
}

/** The warnings of the process from now on. */
function warningsOf(t: ExecutionContext): () => Promise<string[]> {
  const messages: string[] = []
  const hear = ({ message }: Error) => void messages.push(message)
  process.on('warning', hear)
  t.teardown(() => process.off('warning', hear))
  return async () => {
    await new Promise(setImmediate)
    return messages
  }
}

/** File operations of a disk with room for so many bytes more. */
function disk(room: number, code = 'ENOSPC') {
  const state = { room, code }
  const fail = () => Object.assign(new Error(`${state.code}: write`), { code: state.code, syscall: 'write' })
  const open: FileOperations['open'] = async (path, ...rest) => {
    const file = await fs.open(path, ...rest)
    const write = async (bytes: Uint8Array, start = 0) => {
      // As systems do: what fits is written, and the next call fails.
      const length = Math.min(bytes.length - start, state.room)
      if (length === 0) throw fail()
      state.room -= length
      await fs.appendFile(path, bytes.subarray(start, start + length))
      return { bytesWritten: length, buffer: bytes }
    }
    return Object.assign(file, { write }) as typeof file
  }
  return { state, operations: { ...fs, open } as FileOperations }
}

const LINES = ['one', 'two', 'three', 'four', 'five', 'six'].map((word) => `${word}\n`)

for (const code of ['ENOSPC', 'EIO']) {
  test.serial(
    `a log on a full disk: one warning, and no line is torn or lost when there is room again (${code})`,
    async (t) => {
      const warnings = warningsOf(t)
      for (let room = 0; room < LINES.join('').length; room++) {
        const path = join(await temporaryFolder(t), 'deep', 'log')
        const { state, operations } = disk(room, code)
        const file = new AppendFile(path, { lines: true, operations })
        await file.open()
        for (const line of LINES.slice(0, 4)) {
          await file.append(line)
          await file.flush()
        }
        state.room = 1000
        for (const line of LINES.slice(4)) await file.append(line)
        await file.close()
        t.is(readFileSync(path, 'utf8'), LINES.join(''), `room ${room}`)
      }
      const heard = await warnings()
      // With room for four lines all went well.
      t.is(heard.length, LINES.slice(0, 4).join('').length)
      t.regex(heard[0]!, new RegExp(`Cannot write .*log: the disk .*\\(${code}\\)\\. The work goes on`))
    },
  )
}

test.serial('what a disk never takes is counted in the end, and memory does not grow for ever', async (t) => {
  const warnings = warningsOf(t)
  const path = join(await temporaryFolder(t), 'log')
  const { operations } = disk(10)
  const file = new AppendFile(path, { operations })
  await file.open()
  const line = `${'x'.repeat(999)}\n`
  for (let i = 0; i < 3000; i++) await file.append(line)
  t.false(await file.flush())
  await file.close()
  await file.close()
  const heard = await warnings()
  t.is(heard.length, 2)
  t.regex(heard[1]!, /3000 records of the log .*log could not be written/)
})

test.serial('a place that can never be written is refused when the log is opened', async (t) => {
  const folder = await temporaryFolder(t)
  writeFileSync(join(folder, 'file'), '')
  for (const path of ['file/log', 'file/deep/log', '']) {
    const file = new AppendFile(join(folder, path))
    await t.throwsAsync(file.open(), { code: 'ERR_FILE_SYSTEM', message: /Cannot write the log/ }, path)
    await file.close()
  }
})

const RECORDS: LogRecord[] = [{ loss: 1 }, { loss: 2 }, { eval_loss: 3 }, { loss: 4, eval_loss: 5 }, { more: 6 }]

test.serial('a log whose folder has vanished begins anew: with its header', async (t) => {
  const warnings = warningsOf(t)
  const folder = join(await temporaryFolder(t), 'log')
  const reporters = [
    new CsvReporter(folder),
    new JsonLinesReporter(folder, () => 5000),
    new TensorBoardReporter(folder, () => 5000),
  ]
  const each = async (work: (reporter: (typeof reporters)[number]) => Promise<void>) => {
    for (const reporter of reporters) await work(reporter)
  }
  await each((reporter) => reporter.onTrainBegin(context(0)))
  await each((reporter) => reporter.onLog(RECORDS[0]!, context(1)))
  // What was written is written.
  await new Promise((resolve) => setTimeout(resolve, 50))
  rmSync(folder, { recursive: true })
  await each((reporter) => reporter.onLog(RECORDS[1]!, context(2)))
  await each((reporter) => reporter.close())
  t.is(readFileSync(join(folder, 'log.csv'), 'utf8'), 'step,loss\n2,2\n')
  t.is(readFileSync(join(folder, 'log.jsonl'), 'utf8'), '{"time":5,"loss":2,"step":2}\n')
  const events = readdirSync(folder).find((name) => name.startsWith('events'))!
  t.true(readFileSync(join(folder, events)).includes('brain.Event:2'))
  t.is((await warnings()).filter((text) => /was removed; a new one is begun/.test(text)).length, 3)
})

test.serial('the folder of a log that becomes a file, and one again', async (t) => {
  const warnings = warningsOf(t)
  const folder = join(await temporaryFolder(t), 'log')
  const reporter = new CsvReporter(folder)
  await reporter.onTrainBegin()
  await reporter.onLog(RECORDS[0]!, context(1))
  await new Promise((resolve) => setTimeout(resolve, 50))
  renameSync(folder, `${folder}-moved`)
  writeFileSync(folder, '')
  // A new column needs a new file.
  await reporter.onLog(RECORDS[2]!, context(2))
  await reporter.onLog(RECORDS[3]!, context(3))
  rmSync(folder)
  await reporter.onLog(RECORDS[4]!, context(4))
  await reporter.onLog(RECORDS[1]!, context(5))
  await reporter.close()
  t.is(readFileSync(join(folder, 'log.csv'), 'utf8'), 'step,loss,eval_loss,more\n2,,3,\n3,4,5,\n4,,,6\n5,2,,\n')
  const heard = await warnings()
  t.is(heard.length, 1, heard.join('\n'))
  t.regex(heard[0]!, /log\.csv.*ENOTDIR/)
})

test.serial("an evaluator's file: a warning, and whole lines when it can be written again", async (t) => {
  const warnings = warningsOf(t)
  const folder = join(await temporaryFolder(t), 'eval')
  const append = (value: string) => appendCsv(folder, 'x.csv', ['epoch', 'steps', 'a'], ['1', '2', value])
  writeFileSync(folder, 'a file')
  await append('first')
  await append('second')
  rmSync(folder)
  await append('third')
  writeFileSync(join(folder, 'x.csv'), `${readFileSync(join(folder, 'x.csv'), 'utf8')}1,2,cut o`)
  await append('fourth')
  t.is(readFileSync(join(folder, 'x.csv'), 'utf8'), 'epoch,steps,a\r\n1,2,third\r\n1,2,cut o\r\n1,2,fourth\r\n')
  const heard = await warnings()
  t.is(heard.length, 1)
  t.regex(heard[0]!, /Cannot write .*x\.csv: .*\(EEXIST\)/)
})

test.serial('progress on a disk that is full, or for a reader that is gone, is a warning', async (t) => {
  const warnings = warningsOf(t)
  const file = await fs.open('/dev/full', 'w')
  const output = file.createWriteStream()
  const reporting = new Reporting(resolveArguments(), output)
  const throwing = new Reporting(resolveArguments({ logLevel: 'info' }), false, {
    write: () => {
      throw Object.assign(new Error('EPIPE: write'), { code: 'EPIPE', syscall: 'write' })
    },
  })
  for (let i = 1; i < 4; i++) {
    for (const { onLog } of reporting.callbacks.map((callback) => ({ onLog: callback.onLog?.bind(callback) }))) {
      await onLog?.({ loss: i }, context(i))
    }
    throwing.say('text')
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  await reporting.close()
  await throwing.close()
  const heard = await warnings()
  t.is(heard.length, 2, heard.join('\n'))
  t.true(heard.some((text) => /output of the progress: the disk is full \(ENOSPC\)/.test(text)))
  t.true(heard.some((text) => /output of the messages: .*EPIPE/.test(text)))
})

test.serial(
  'a checkpoint on a full disk: an error, the one before it is whole, nothing half-written is left',
  async (t) => {
    const outputDir = await temporaryFolder(t)
    const temporary = await temporaryFolder(t)
    const { TMPDIR } = process.env
    process.env.TMPDIR = temporary
    t.teardown(() => {
      if (TMPDIR === undefined) delete process.env.TMPDIR
      else process.env.TMPDIR = TMPDIR
    })
    let saves = 0
    const save = async (folder: string) => {
      writeFileSync(join(folder, 'model.safetensors'), 'whole')
      if (++saves < 2) return
      throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC', syscall: 'write' })
    }
    const { train } = prepare({ outputDir, saveStrategy: 'steps', saveSteps: 2 }, { parts: { save } })
    await t.throwsAsync(train(), {
      code: 'ERR_NOT_SAVED',
      message: /checkpoint-4: Cannot write it: the disk is full \(ENOSPC\)\. Nor could it be saved in /,
    })
    t.deepEqual(readdirSync(outputDir), ['checkpoint-2'])
    t.deepEqual(readdirSync(join(outputDir, 'checkpoint-2')).sort(), [
      ...['model.safetensors', 'optimizer.safetensors', 'trainer_state.json'],
    ])
    t.deepEqual(readdirSync(temporary), [])
  },
)

test.serial('a disk that is really full', async (t) => {
  const folder = await temporaryFolder(t)
  const run = (...command: string[]) => {
    const args = ['-m', 'sh', '-c', 'mount -t tmpfs -o size=512k none "$0" && "$@"', folder, ...command]
    return spawnSync('unshare', args, { encoding: 'utf8' })
  }
  if (run('true').status !== 0) {
    t.log('not permitted to mount here: left out')
    return t.pass()
  }
  const url = (path: string) => JSON.stringify(new URL(`../../${path}`, import.meta.url).href)
  const train = (emptiedAt: number) => {
    const script = `
      import { readFileSync, rmSync, writeFileSync } from 'node:fs'
      import { JsonLinesReporter } from ${url('lib/training/reporting/json-lines.js')}
      import { prepare } from ${url('test/helpers/fake-trainer.js')}
      const folder = process.argv[1]
      const log = new JsonLinesReporter(folder)
      const onStepEnd = ({ state }) => {
        if (state.globalStep === 50) try { writeFileSync(folder + '/big', Buffer.alloc(1 << 20)) } catch {}
        if (state.globalStep === ${emptiedAt}) rmSync(folder + '/big')
      }
      const { train } = prepare({ maxSteps: 1000, loggingSteps: 1 }, { callbacks: [log, { onStepEnd }] })
      await train()
      await log.close()
      const lines = readFileSync(folder + '/log.jsonl', 'utf8').trimEnd().split('\\n')
      process.stdout.write(lines.map((line) => JSON.parse(line).step).join())`
    const { status, stdout, stderr } = run(process.execPath, '--input-type=module', '-e', script, folder)
    t.is(status, 0, stderr)
    t.is(stderr.match(/log\.jsonl: the disk is full \(ENOSPC\)/g)?.length, 1)
    return { steps: stdout.split(',').map(Number), errors: stderr }
  }
  const all = Array.from({ length: 1000 }, (_, i) => i + 1)
  // The last record has the step of the one before it.
  t.deepEqual(train(700).steps, [...all, 1000])
  const { steps, errors } = train(-1)
  t.true(steps.length >= 40 && steps.length < 900)
  t.deepEqual(steps, all.slice(0, steps.length))
  t.regex(errors, new RegExp(`${1001 - steps.length} records of the log`))
})
