import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { DataStream, Dataset, Seq2SeqModel, Seq2SeqTrainer, type Seq2SeqTrainerOptions } from '../../lib/index.js'

const FOLDER = fileURLToPath(new URL('../../../test/parity/golden/seq2seq-folder', import.meta.url))
const golden: { sources: string[]; targets: string[]; loss: number } = JSON.parse(
  readFileSync(join(FOLDER, 'expected.json'), 'utf8'),
)
const root = mkdtempSync(join(tmpdir(), 'seq2seq-trainer-'))
test.after.always(() => rmSync(root, { recursive: true, force: true }))

const data = () => Dataset.fromColumns({ source: golden.sources, target: golden.targets })
const base = { progress: false as const }
const steps = {
  maxSteps: 6,
  perDeviceTrainBatchSize: 4,
  learningRate: 0.01,
  saveStrategy: 'no' as const,
  loggingSteps: 1,
}

test('the loss of an evaluation is that of transformers', async (t) => {
  const model = await Seq2SeqModel.load(FOLDER)
  const evalDataset = data()
  const args = { perDeviceEvalBatchSize: 64 }
  const trainer = new Seq2SeqTrainer({ ...base, model, trainDataset: evalDataset, evalDataset, args })
  const found = await trainer.evaluate()
  t.true(Math.abs((found.eval_loss as number) - golden.loss) < 1e-5, `${found.eval_loss}`)
  const turned = Dataset.fromColumns({ id: golden.sources, b: golden.targets, a: golden.sources })
  const byName = new Seq2SeqTrainer({
    ...base,
    model,
    trainDataset: turned,
    sourceColumn: 'a',
    targetColumn: 'b',
    args,
  })
  const again = await byName.evaluate(turned)
  t.true(Math.abs((again.eval_loss as number) - golden.loss) < 1e-5)
  await model.dispose()
})

test('training lowers the loss, of datasets and of streams; texts can be written meanwhile', async (t) => {
  for (const trainDataset of [data(), DataStream.from(() => [...data()], { length: golden.sources.length })]) {
    const model = await Seq2SeqModel.load(FOLDER)
    const before = await model.generate(golden.sources)
    const losses: number[] = []
    const meanwhile: Promise<unknown>[] = []
    const trainer = new Seq2SeqTrainer({
      ...base,
      model,
      trainDataset,
      args: { ...steps, maxSteps: 30 },
      callbacks: [
        {
          onLog: ({ loss }) => {
            if (typeof loss === 'number') losses.push(loss)
            if (losses.length === 3) meanwhile.push(model.generate(golden.sources.slice(0, 2)))
          },
        },
      ],
    })
    await trainer.train()
    await Promise.all(meanwhile)
    t.is(meanwhile.length, 1)
    t.true(losses.at(-1)! < losses[0]! - 0.3, losses.join(' '))
    t.notDeepEqual(await model.generate(golden.sources), before)
    await model.dispose()
  }
})

test('columns have the roles that the trainer was told, whatever their names and order', async (t) => {
  const model = await Seq2SeqModel.load(FOLDER)
  const trainDataset = Dataset.fromColumns({ query: golden.targets, passage: golden.sources })
  const warnings: string[] = []
  const trainer = new Seq2SeqTrainer({
    ...{ ...base, model, trainDataset, evalDataset: trainDataset, sourceColumn: 'passage', targetColumn: 'query' },
    args: { ...steps, maxSteps: 1 },
    callbacks: [{ onWarning: ({ code }) => void warnings.push(code) }],
  })
  await trainer.train()
  t.true(warnings.includes('WARN_UNUSED_ARGUMENTS'), 'warnings arrive')
  t.false(warnings.includes('WARN_COLUMN_ORDER'), warnings.join())
  await model.dispose()
})

test('a run that goes on from a checkpoint gives the same weights', async (t) => {
  const run = async (name: string, resume: boolean) => {
    const model = await Seq2SeqModel.load(FOLDER)
    const args = { ...steps, saveStrategy: 'steps' as const, saveSteps: 3, outputDir: join(root, name) }
    const trainer = new Seq2SeqTrainer({ ...base, model, trainDataset: data(), args })
    await trainer.train(resume ? { resumeFromCheckpoint: join(root, 'whole', 'checkpoint-3') } : {})
    const target = join(root, `${name}-saved`)
    await model.save(target)
    await model.dispose()
    return readFileSync(join(target, 'model.safetensors'))
  }
  const whole = await run('whole', false)
  t.true(existsSync(join(root, 'whole', 'checkpoint-3', 'generation_config.json')))
  t.deepEqual(await run('resumed', true), whole)
})

test('target texts that are too long are cut and counted; one prompt is for sources', async (t) => {
  const model = await Seq2SeqModel.load(FOLDER)
  const warnings: string[] = []
  const listen = (warning: Error & { code?: string }) => {
    // Other tests of this process warn, too.
    if (/than 4 tokens/.test(warning.message)) warnings.push(warning.message)
  }
  process.on('warning', listen)
  const args = { ...steps, maxSteps: 3, maxSeqLength: { target: 4 }, prompts: 'the ' }
  await new Seq2SeqTrainer({ ...base, model, trainDataset: data(), args }).train()
  await new Promise(setImmediate)
  process.off('warning', listen)
  t.is(warnings.length, 1)
  t.regex(warnings[0]!, /^12 of 12 target texts were longer than 4 tokens/)
  await model.dispose()
})

test('what cannot be trained is named', async (t) => {
  const model = await Seq2SeqModel.load(FOLDER)
  const refused = (options: object, message: RegExp) =>
    t.throws(() => new Seq2SeqTrainer({ ...base, model, trainDataset: data(), ...options } as Seq2SeqTrainerOptions), {
      message,
    })
  refused({ model: {} }, /a Seq2SeqModel/)
  refused({ trainDataset: Dataset.fromColumns({ a: ['x'] }) }, /takes 2 text columns; trainDataset has 1/)
  refused(
    { trainDataset: Dataset.fromColumns({ a: ['x', ' '], b: ['y', 'z'] }) },
    /column "a" of trainDataset, row 1, found an empty one/,
  )
  refused({ sourceColumn: 'source' }, /targetColumn/)
  refused({ sourceColumn: 'source', targetColumn: 'targets' }, /did you mean target/)
  refused({ loss: {} }, /Seq2SeqTrainer has its own/)
  refused({ args: { tokenCacheDir: 'x' } }, /tokenCacheDir/)
  refused({ dataset: 5 }, /trainDataset/)
  t.throws(() => new Seq2SeqTrainer(undefined as never))
  await model.dispose()
})
