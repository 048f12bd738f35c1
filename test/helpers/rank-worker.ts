// One of several processes that train a tiny model: `node rank-worker.js '<RankRequest as JSON>'`. The launcher's variables say which. It
// prints a line of JSON for what the training ended with.
import { createHash } from 'node:crypto'
import {
  Dataset,
  evaluation,
  losses,
  SentenceTransformer,
  SentenceTransformerTrainer,
  type TrainingArguments,
} from '../../lib/index.js'
import { tinyWords } from './tiny-folder.js'

export interface RankRequest {
  model: string
  loss?: 'ranking' | 'gathered' | 'cosine'
  /** Of the training data. Default 64. */
  rows?: number
  args: Partial<TrainingArguments>
  resume?: boolean | string
  /** The step after which rank 1 asks for the end, kills itself, or fails. */
  stopAt?: number
  killAt?: number
  failAt?: number
  /** After it, rank 1 does nothing more. */
  hangAt?: number
}

export interface RankAnswer {
  rank: number
  losses?: number[]
  steps?: number
  weights?: string
  saved?: string[]
  evaluated?: number
  metrics?: number[]
  /** Keys of the first record. */
  keys?: string[]
  error?: string
}

export function pairsOf(rows: number): Dataset {
  const word = (i: number) => tinyWords[i % 36]!
  return Dataset.fromRows(
    Array.from({ length: rows }, (_, i) => ({
      anchor: `the ${word(i)} ${word(i * 7 + 1)}`,
      positive: `a ${word(i)} ${word(i * 5 + 2)} is ${word(i * 3)}`,
    })),
  )
}

function dataOf({ loss, rows = 64 }: RankRequest): Dataset {
  const pairs = pairsOf(rows)
  if (loss !== 'cosine') return pairs
  return Dataset.fromColumns({
    anchor: [...pairs.texts('anchor')],
    positive: [...pairs.texts('positive')],
    score: Array.from({ length: rows }, (_, i) => (i % 5) / 4),
  })
}

async function run(request: RankRequest): Promise<RankAnswer> {
  const rank = Number(process.env.RANK ?? 0)
  const { stopAt, killAt, failAt, hangAt } = request
  const found: number[] = []
  const metrics: number[] = []
  const saved: string[] = []
  let keys: string[] | undefined
  let evaluated = 0
  await using model = await SentenceTransformer.load(request.model)
  const pairs = pairsOf(8)
  const evaluator = new evaluation.EmbeddingSimilarityEvaluator({
    ...{ sentences1: pairs.texts('anchor'), sentences2: pairs.texts('positive'), scores: [0, 1, 2, 3, 4, 5, 6, 7] },
  })
  const evaluate = evaluator.evaluate.bind(evaluator)
  evaluator.evaluate = (...given) => {
    evaluated++
    return evaluate(...given)
  }
  const trainer = new SentenceTransformerTrainer({
    model,
    trainDataset: dataOf(request),
    loss:
      request.loss === 'cosine'
        ? new losses.CosineSimilarityLoss()
        : new losses.MultipleNegativesRankingLoss({ gatherAcrossDevices: request.loss === 'gathered' }),
    evaluator,
    progress: false,
    callbacks: [
      {
        onLog: (record) => {
          keys ??= Object.keys(record)
          if (record.loss !== undefined) found.push(record.loss)
        },
        onEvaluate: ({ eval_spearman_cosine }) => void metrics.push(eval_spearman_cosine!),
        onSave: (folder) => void saved.push(folder),
        onStepEnd: ({ state, control }) => {
          if (rank !== 1) return
          if (state.globalStep === stopAt) control.shouldTrainingStop = true
          if (state.globalStep === killAt) process.kill(process.pid, 'SIGKILL')
          if (state.globalStep === hangAt) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
          if (state.globalStep === failAt) throw new Error('the disk of rank 1 is full')
        },
      },
    ],
    args: { loggingSteps: 1, saveStrategy: 'no', lrSchedulerType: 'constant', learningRate: 1e-3, ...request.args },
  })
  try {
    const result = await trainer.train({
      ...(request.resume !== undefined && { resumeFromCheckpoint: request.resume }),
    })
    const hash = createHash('sha256')
    for (const { name, shape } of model.encoder.tensors()) {
      const data = new Float32Array(shape.reduce((product, n) => product * n, 1))
      await model.encoder.dump([{ name, start: 0, dtype: 'F32', data: new Uint8Array(data.buffer) }])
      hash.update(data)
    }
    const { globalStep: steps } = result
    return { rank, losses: found, steps, weights: hash.digest('hex'), saved, evaluated, metrics, keys: keys ?? [] }
  } catch (error) {
    process.exitCode = 1
    return { rank, error: `${(error as { code?: string }).code}: ${(error as Error).message}` }
  }
}

if (process.argv[2] !== undefined) {
  const answer = await run(JSON.parse(process.argv[2]) as RankRequest)
  process.stdout.write(`${JSON.stringify(answer)}\n`)
}
