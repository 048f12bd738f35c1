// One of several processes that train a tiny model: `node rank-worker.js '<RankRequest as JSON>'`. The launcher's variables say which. It
// prints a line of JSON for what the training ended with.
import { createHash } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import {
  DataStream,
  Dataset,
  evaluation,
  losses,
  SentenceTransformer,
  SentenceTransformerTrainer,
  type TrainingArguments,
} from '../../lib/index.js'
import { loadAddon } from '../../lib/native/load.js'
import { tinyWords } from './tiny-folder.js'

export interface RankRequest {
  model: string
  loss?: 'ranking' | 'gathered' | 'cosine'
  /** Of the training data. Default 64. */
  rows?: number
  args: Partial<TrainingArguments>
  /** `newest`: the newest checkpoint, if there is one. */
  resume?: boolean | 'newest' | (string & {})
  /** The step after which rank 1 asks for the end, kills itself, or fails. */
  stopAt?: number
  killAt?: number
  failAt?: number
  /** After it, rank 1 does nothing more. */
  hangAt?: number
  /** Rows come from a stream: one that all read, one by rank of an iterable, or one by rank of these files. */
  stream?: 'all' | 'byRank' | string[]
  /** With a stream: rows of the last rank that are missing. */
  missing?: number
  /** Pairs of the evaluator. Default 8. */
  evaluatorRows?: number
  /** Rows of an evaluation dataset. */
  evalRows?: number
  /** The version that this process says it has. */
  version?: string
  /** What happens to rank 1 when it encodes for the evaluator. */
  whileEncoding?: 'fail' | 'kill'
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
  /** All numbers of the last evaluation. */
  evaluation?: Record<string, number>
  /** Anchors of the rows of a stream that this process has read. */
  read?: string[]
  /** Texts that this process has encoded. */
  encoded?: number
  error?: string
  /** From the beginning of the training to its error. */
  seconds?: number
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

/** @param onRow called with every row that is read */
function streamOf(request: RankRequest, onRow: (text: string) => void): DataStream {
  const { stream, missing = 0 } = request
  const length = request.rows ?? 64
  const noted = (row: Readonly<Record<string, unknown>>) => {
    onRow(row.anchor as string)
    return row
  }
  if (Array.isArray(stream)) return DataStream.fromFile(stream, { byRank: true, shuffleBuffer: 8 }).map(noted)
  const rows = dataOf(request)
  const open = (_epoch: number, part: { rank: number; size: number }) => {
    const own = [...rows].filter((_row, i) => i % part.size === part.rank)
    return part.rank === 1 ? own.slice(0, own.length - missing) : own
  }
  return DataStream.from(open, { length, shuffleBuffer: 8, byRank: stream === 'byRank' }).map(noted)
}

async function run(request: RankRequest): Promise<RankAnswer> {
  const rank = Number(process.env.RANK ?? 0)
  const { stopAt, killAt, failAt, hangAt, whileEncoding } = request
  const found: number[] = []
  const metrics: number[] = []
  const saved: string[] = []
  let keys: string[] | undefined
  let evaluated = 0
  let last: Record<string, number> = {}
  await using model = await SentenceTransformer.load(request.model)
  if (request.version !== undefined) {
    const addon = loadAddon()
    const runtime = { ...addon.runtime(), addonVersion: request.version }
    Object.assign(addon, { runtime: () => runtime })
  }
  let encoded = 0
  const encode = model.encode.bind(model) as (...given: unknown[]) => Promise<unknown>
  Object.assign(model, {
    encode: async (texts: string[], options?: object) => {
      if (rank === 1 && whileEncoding === 'fail') throw new Error('no memory at rank 1')
      if (rank === 1 && whileEncoding === 'kill') process.kill(process.pid, 'SIGKILL')
      encoded += texts.length
      return encode(texts, options)
    },
  })
  const pairs = pairsOf(request.evaluatorRows ?? 8)
  const evaluator = new evaluation.EmbeddingSimilarityEvaluator({
    ...{ sentences1: pairs.texts('anchor'), sentences2: pairs.texts('positive') },
    scores: Array.from({ length: pairs.length }, (_, i) => (i * 5) % pairs.length),
  })
  const evaluate = evaluator.evaluate.bind(evaluator)
  evaluator.evaluate = (...given) => {
    evaluated++
    return evaluate(...given)
  }
  const read: string[] = []
  const trainer = new SentenceTransformerTrainer({
    model,
    trainDataset: request.stream === undefined ? dataOf(request) : streamOf(request, (text) => void read.push(text)),
    loss:
      request.loss === 'cosine'
        ? new losses.CosineSimilarityLoss()
        : new losses.MultipleNegativesRankingLoss({ gatherAcrossDevices: request.loss === 'gathered' }),
    ...(request.evalRows !== undefined && { evalDataset: dataOf({ ...request, rows: request.evalRows }) }),
    evaluator,
    progress: false,
    callbacks: [
      {
        onLog: (record) => {
          keys ??= Object.keys(record)
          if (record.loss !== undefined) found.push(record.loss)
        },
        onEvaluate: (numbers) => {
          metrics.push(numbers.eval_spearman_cosine!)
          last = Object.fromEntries(Object.entries(numbers).filter(([name]) => !/runtime|per_second/.test(name)))
        },
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
  const { outputDir } = request.args
  const resume =
    request.resume === 'newest'
      ? (await readdir(outputDir!).catch(() => [])).some((name) => /^checkpoint-\d+$/.test(name))
      : request.resume
  const begun = performance.now()
  try {
    const result = await trainer.train({ ...(resume !== undefined && { resumeFromCheckpoint: resume }) })
    const hash = createHash('sha256')
    for (const { name, shape } of model.encoder.tensors()) {
      const data = new Float32Array(shape.reduce((product, n) => product * n, 1))
      await model.encoder.dump([{ name, start: 0, dtype: 'F32', data: new Uint8Array(data.buffer) }])
      hash.update(data)
    }
    return {
      rank,
      losses: found,
      steps: result.globalStep,
      weights: hash.digest('hex'),
      saved,
      ...{ evaluated, metrics, encoded, evaluation: last, read, keys: keys ?? [] },
    }
  } catch (error) {
    process.exitCode = 1
    const seconds = (performance.now() - begun) / 1000
    return { rank, seconds, error: `${(error as { code?: string }).code}: ${(error as Error).message}` }
  }
}

if (process.argv[2] !== undefined) {
  const answer = await run(JSON.parse(process.argv[2]) as RankRequest)
  process.stdout.write(`${JSON.stringify(answer)}\n`)
}
