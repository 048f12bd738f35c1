// What goes on beside a training, or inside it, has the weights of one step and leaves the training as it is.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import test from 'ava'
import {
  CrossEncoder,
  CrossEncoderTrainer,
  Dataset,
  evaluation,
  losses,
  SentenceTransformer,
  SentenceTransformerTrainer,
  type TrainerCallback,
  type TrainingArguments,
} from '../../lib/index.js'
import { temporaryFolder } from '../helpers/model-folders.js'
import { tinyFolder, tinyWords } from '../helpers/tiny-folder.js'

const folder = await tinyFolder(mkdtempSync(join(tmpdir(), 'sentence-torch-')))
test.after.always(() => rmSync(folder, { recursive: true, force: true }))

/** Milliseconds in which what does not stand still ends even on a machine that does other things. */
const STILL = 240_000

const anchor = tinyWords.slice(0, 24).map((word) => `the ${word}`)
const positive = tinyWords.slice(0, 24).map((word) => `a ${word} is ${word}`)
const data = Dataset.fromColumns({ anchor, positive })
const label = anchor.map((_, i) => i % 2)

const quiet: Partial<TrainingArguments> = {
  ...{ perDeviceTrainBatchSize: 8, learningRate: 1e-3, lrSchedulerType: 'constant', loggingSteps: 100 },
  ...{ maxSteps: 16, saveStrategy: 'no' },
}

interface Given {
  args?: Partial<TrainingArguments>
  callbacks?: TrainerCallback[]
  loss?: losses.Loss
}

function trainerOf(model: SentenceTransformer, { args = {}, callbacks = [], loss }: Given = {}) {
  return new SentenceTransformerTrainer({
    model,
    trainDataset: data,
    loss: loss ?? new losses.MultipleNegativesRankingLoss(),
    progress: false,
    callbacks,
    args: { ...quiet, ...args },
  })
}

const weights = (path: string) => readFileSync(join(path, 'model.safetensors')).toString('base64')

/** The weights after every step of a training, by checkpoints, and before the first. */
async function everyStep(
  outputDir: string,
  train: (args: Partial<TrainingArguments>) => Promise<unknown>,
  start: string,
) {
  await train({ outputDir, saveStrategy: 'steps', saveSteps: 1, saveOnlyModel: true })
  const steps = Array.from({ length: quiet.maxSteps! }, (_, i) => weights(join(outputDir, `checkpoint-${i + 1}`)))
  return [start, ...steps]
}

/** Gives saves beside a training some turns, however busy the machine is. */
const slow: TrainerCallback = { onStepEnd: () => setTimeout(20) }

/** Does `work` again and again, at least once, until `training` has ended. */
async function whileRuns(training: Promise<unknown>, work: (round: number) => Promise<void>): Promise<number> {
  let ended = false
  const end = () => {
    ended = true
  }
  training.then(end, end)
  let round = 0
  do {
    await work(round++)
    // As someone who does nothing else would not: what trains has a turn.
    await setTimeout(1)
  } while (!ended)
  await training
  return round
}

// ----------------------------------------------------------------------------------------------- encoding in training

/** Half the sum of squares: the gradient is the embeddings. `inside` comes between the halves of a step. */
const squares = (inside: () => Promise<unknown> = async () => {}) =>
  new losses.Custom(async (embeddings, _labels, { training }) => {
    if (training) await inside()
    const loss = embeddings.reduce((sum, all) => sum + all.reduce((part, x) => part + (x * x) / 2, 0), 0)
    return { loss, gradients: embeddings.map((all) => all.slice()) }
  })

const ways: Record<string, Partial<TrainingArguments>> = {
  plain: {},
  checkpointing: { gradientCheckpointing: true },
  chunks: { miniBatchSize: 5 },
  'checkpointing in chunks': { gradientCheckpointing: true, miniBatchSize: 5 },
  bf16: { bf16: true },
  accumulation: { gradientAccumulationSteps: 2 },
}
for (const [name, args] of Object.entries(ways)) {
  test(`a Custom loss may encode, save and evaluate: ${name}`, async (t) => {
    const run = async (inside: (model: SentenceTransformer, done: number) => Promise<unknown>, after = inside) => {
      await using model = await SentenceTransformer.load(folder)
      let done = 0
      const loss = squares(() => inside(model, done))
      const onStepEnd: TrainerCallback['onStepEnd'] = async ({ state }) => {
        done = state.globalStep
        await after(model, done)
      }
      await trainerOf(model, { loss, args: { maxSteps: 5, ...args }, callbacks: [{ onStepEnd }] }).train()
      return String((await model.encode(positive)).data)
    }
    // A step with a loss of this kind runs alone: at its end the weights are those after it.
    const after = new Map<number, string>()
    const plain = await run(
      async () => {},
      async (model, done) => {
        after.set(done, String((await model.encode(positive)).data))
      },
    )
    const place = await temporaryFolder(t)
    const inside = new Map<number, string>()
    const found = await run(
      async (model, done) => {
        const { data } = await model.encode(positive)
        if (done > 0) inside.set(done, String(data))
        if (done !== 3) return
        await model.save(place)
        await using saved = await SentenceTransformer.load(place)
        if (!args.bf16) t.is(String((await saved.encode(positive)).data), String(data))
      },
      async () => {},
    )
    t.true(found === plain)
    for (let step = 1; step < 5; step++) t.true(inside.get(step) === after.get(step), `step ${step}`)
    t.is(new Set(inside.values()).size, 4)
  })
}

test('who encodes beside a training has the vectors of one of its steps, and the training goes its way', async (t) => {
  for (const [loss, args] of [
    [new losses.MultipleNegativesRankingLoss(), {}],
    [squares(() => setTimeout(1)), { gradientCheckpointing: true }],
  ] as const) {
    const train = async (
      beside: (model: SentenceTransformer, training: Promise<unknown>) => Promise<unknown>,
      given = {},
    ) => {
      await using model = await SentenceTransformer.load(folder)
      await beside(model, trainerOf(model, { loss, args: { ...args, ...given } }).train())
      return [...(await model.encode(anchor)).data]
    }
    const outputDir = await temporaryFolder(t)
    const plain = await train((_, training) => training, { outputDir, saveStrategy: 'steps', saveSteps: 1 })
    const known = new Set<string>()
    for (const path of [folder, ...Array.from({ length: 16 }, (_, i) => join(outputDir, `checkpoint-${i + 1}`))]) {
      await using model = await SentenceTransformer.load(path)
      known.add(String(await model.encode('the cat is red')))
    }
    t.is(known.size, 17)
    const seen = new Set<string>()
    const found = await train((model, training) =>
      whileRuns(training, async () => void seen.add(String(await model.encode('the cat is red')))),
    )
    t.deepEqual(found, plain)
    t.true(seen.size > 3, `${seen.size}`)
    t.deepEqual(
      [...seen].filter((vector) => !known.has(vector)),
      [],
    )
  }
})

// -------------------------------------------------------------------------------------------------------- snapshots

test('a save beside a training has the weights of one step', async (t) => {
  const outputDir = await temporaryFolder(t)
  const place = await temporaryFolder(t)
  const train = async (args: Partial<TrainingArguments>, beside?: (model: SentenceTransformer) => Promise<void>) => {
    await using model = await SentenceTransformer.load(folder)
    const training = trainerOf(model, { args, callbacks: beside ? [slow] : [] }).train()
    if (beside) await whileRuns(training, () => beside(model))
    await training
    await model.save(join(place, 'end'))
  }
  await using untrained = await SentenceTransformer.load(folder)
  await untrained.save(join(place, 'start'))
  const known = await everyStep(outputDir, train, weights(join(place, 'start')))
  t.is(new Set(known).size, 17)
  const seen: number[] = []
  await train({}, async (model) => {
    await model.save(join(place, 'saved'))
    seen.push(known.indexOf(weights(join(place, 'saved'))))
  })
  t.true(new Set(seen).size > 1, seen.join())
  t.false(seen.includes(-1), seen.join())
  t.deepEqual(
    seen,
    [...seen].sort((a, b) => a - b),
  )
  t.is(weights(join(place, 'end')), known.at(-1)!)
})

test('so has that of a cross-encoder', async (t) => {
  const place = await temporaryFolder(t)
  const outputDir = await temporaryFolder(t)
  await using first = await CrossEncoder.load(folder, { numLabels: 1 })
  await first.save(join(place, 'start'))
  const train = async (args: Partial<TrainingArguments>, beside?: (model: CrossEncoder) => Promise<void>) => {
    await using model = await CrossEncoder.load(join(place, 'start'))
    const trainDataset = Dataset.fromColumns({ anchor, positive, label })
    const training = new CrossEncoderTrainer({
      model,
      trainDataset,
      progress: false,
      callbacks: beside ? [slow] : [],
      args: { ...quiet, ...args },
    }).train()
    if (beside) await whileRuns(training, () => beside(model))
    await training
  }
  const known = await everyStep(outputDir, train, weights(join(place, 'start')))
  const seen: number[] = []
  await train({}, async (model) => {
    await model.save(join(place, 'saved'))
    seen.push(known.indexOf(weights(join(place, 'saved'))))
  })
  t.true(new Set(seen).size > 1, seen.join())
  t.false(seen.includes(-1), seen.join())
})

test('every callback may save, and need not wait for it', async (t) => {
  const place = await temporaryFolder(t)
  await using model = await SentenceTransformer.load(folder)
  const saved: string[] = []
  const unawaited: Promise<void>[] = []
  const save = (name: string) => async () => {
    const path = join(place, name)
    await model.save(path)
    saved.push(name)
    unawaited.push(model.save(join(place, `${name}, later`)))
  }
  const events = [
    'onTrainBegin',
    'onEpochBegin',
    'onStepBegin',
    'onSubstepEnd',
    'onStepEnd',
    'onLog',
    'onPredictionStep',
  ]
  const more = ['onEvaluate', 'onSave', 'onEpochEnd', 'onTrainEnd']
  const callback = Object.fromEntries([...events, ...more].map((event) => [event, save(event)])) as TrainerCallback
  const trainer = new SentenceTransformerTrainer({
    ...{
      model,
      trainDataset: data,
      evalDataset: data,
      loss: new losses.MultipleNegativesRankingLoss(),
      progress: false,
    },
    callbacks: [callback],
    evaluator: {
      evaluate: async () => {
        await save('evaluator')()
        return { metrics: { x: 1 }, primaryMetric: 'x' }
      },
    },
    args: {
      ...{ ...quiet, outputDir: join(place, 'out'), maxSteps: 4, gradientAccumulationSteps: 2, loggingSteps: 2 },
      ...{ saveStrategy: 'steps', saveSteps: 2, evalStrategy: 'steps', evalSteps: 2, loadBestModelAtEnd: true },
      ...{ metricForBestModel: 'x' },
    },
  })
  t.is((await trainer.train()).globalStep, 4)
  await Promise.all(unawaited)
  t.deepEqual([...new Set(saved)].sort(), [...events, ...more, 'evaluator'].sort())
  for (const name of saved) await (await SentenceTransformer.load(join(place, name))).dispose()
})

test('an evaluator beside a training sees one step, and so does whoever holds the model', async (t) => {
  await using model = await SentenceTransformer.load(folder)
  const twice = async () => {
    const first = String(await model.encode('the cat'))
    await setTimeout(20)
    return { first, same: first === String(await model.encode('the cat')) }
  }
  class Twice extends evaluation.SentenceEvaluator {
    async evaluate(_: evaluation.EvaluatedModel) {
      const { first, same } = await twice()
      seen.add(first)
      return { metrics: { same: Number(same) }, primaryMetric: 'same' }
    }
  }
  const seen = new Set<string>()
  const evaluator = new Twice()
  const found: number[] = []
  const training = trainerOf(model, { args: { maxSteps: 150 } }).train()
  await whileRuns(training, async (round) => {
    const ways = [
      async () => (await evaluator.evaluate(model)).metrics.same!,
      async () => (await evaluator(model)).same!,
      async () => (await model.evaluate({ evaluate: () => evaluator.evaluate(model) })).same!,
      async () => Number((await model.hold(twice)).same),
    ]
    if (round < 12) found.push(await ways[round % 4]!())
  })
  t.true(seen.size > 1)
  t.deepEqual(new Set(found), new Set([1]))
  // Who does not hold it sees the training go on.
  const other = trainerOf(model, { args: { maxSteps: 150 } }).train()
  let same = true
  await whileRuns(other, async () => {
    if (!(await twice()).same) same = false
  })
  t.false(same)
  await t.throwsAsync(model.hold(3 as never), { code: 'ERR_INVALID_ARGUMENT', message: /a function for work/ })
})

test('an evaluation in bf16 may be called by who holds the model, and the model computes as before after it', async (t) => {
  await using model = await SentenceTransformer.load(folder)
  const trainer = new SentenceTransformerTrainer({
    ...{ model, trainDataset: data, evalDataset: data, progress: false },
    loss: new losses.MultipleNegativesRankingLoss(),
    args: { ...quiet, bf16: true },
  })
  const before = String(await model.encode('the cat'))
  const plain = (await trainer.evaluate()).eval_loss
  const ways = {
    hold: async () => (await model.hold(() => trainer.evaluate())).eval_loss,
    evaluator: async () => {
      const evaluate = async () => ({ metrics: { loss: (await trainer.evaluate()).eval_loss as number } })
      return (await model.evaluate({ evaluate: async () => ({ ...(await evaluate()), primaryMetric: 'loss' }) })).loss
    },
  }
  for (const [name, evaluate] of Object.entries(ways)) {
    t.is(await Promise.race([evaluate(), setTimeout(STILL, 'stands still')]), plain, name)
    t.is(String(await model.encode('the cat')), before, name)
  }
})

test('a training goes on beside holders that always overlap', async (t) => {
  await using model = await SentenceTransformer.load(folder)
  let ended = false
  const serve = async () => {
    while (!ended) {
      await model.hold(async () => {
        await model.encode('the cat')
        await setTimeout(10)
      })
    }
  }
  const first = serve()
  await setTimeout(5)
  const services = [first, serve()]
  const training = trainerOf(model).train()
  const found = await Promise.race([training.then(({ globalStep }) => globalStep), setTimeout(STILL, 'stands still')])
  ended = true
  await Promise.all([...services, training])
  t.is(found, 16)
})
