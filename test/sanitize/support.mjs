// What the programs share: tiny models, data, short trainings. Each program is a process of its own that ends with 0 when all is well.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  CrossEncoder,
  CrossEncoderTrainer,
  Dataset,
  SentenceTransformer,
  SentenceTransformerTrainer,
} from 'sentence-torch'
import { tinyFolder, tinyWords } from '../../dist/test/helpers/tiny-folder.js'
import { mulberry32 } from '../../dist/test/helpers/tiny-model.js'

export { loadAddon } from '../../dist/lib/native/load.js'
export * from '../../dist/test/helpers/tiny-model.js'
export { assert }

/** Removed when the process ends. */
export const work = mkdtempSync(join(tmpdir(), 'sentence-torch-sanitize-'))
process.on('exit', () => rmSync(work, { recursive: true, force: true }))

/** @param {number} count @param {number} [seed] @param {number} [longest] texts of 1 to so many words */
export function texts(count, seed = 1, longest = 12) {
  const random = mulberry32(seed)
  const below = (n) => Math.floor(random() * n)
  return Array.from({ length: count }, () =>
    Array.from({ length: 1 + below(longest) }, () => tinyWords[below(tinyWords.length)]).join(' '),
  )
}

const ROWS = 24
const label = (of) => Array.from({ length: ROWS }, (_, i) => of(i))
const [anchor, positive, negative] = [1, 2, 3].map((seed) => texts(ROWS, seed))
export const datasets = {
  texts: Dataset.fromColumns({ anchor }),
  pairs: Dataset.fromColumns({ anchor, positive }),
  triplets: Dataset.fromColumns({ anchor, positive, negative }),
  scores: Dataset.fromColumns({ anchor, positive, label: label((i) => (i % 5) / 4) }),
  binary: Dataset.fromColumns({ anchor, positive, label: label((i) => i % 2) }),
  classes: Dataset.fromColumns({ anchor, positive, label: label((i) => i % 3) }),
  classedTexts: Dataset.fromColumns({ anchor, label: label((i) => i % 4) }),
  margins: Dataset.fromColumns({ anchor, positive, negative, label: label((i) => (i % 7) - 3) }),
  vectors: Dataset.fromColumns({
    anchor,
    label: label((i) => Array.from({ length: 32 }, (_, d) => Math.sin(i * 32 + d))),
  }),
}

let folders = 0
/** @param {import('sentence-torch').LoadOptions} [options] @param {number} [seed] of the weights */
export const loadTiny = async (options, seed = 1) =>
  SentenceTransformer.load(await tinyFolder(join(work, `model-${folders++}`), seed), options)

/** A cross-encoder with one label. */
export const loadCrossEncoder = (options) =>
  CrossEncoder.load(new URL('../parity/golden/cross-encoder/one/', import.meta.url).pathname, options)

/**
 * Trains a few steps with a finite loss each. Resolves to the logged losses and what train() resolves to.
 * @param {SentenceTransformer | CrossEncoder} model
 * @param {object} loss
 * @param {Dataset} trainDataset
 * @param {object} [args]
 * @param {object} [options] of the trainer and of train()
 */
export async function train(model, loss, trainDataset, args = {}, { trainer: more = {}, ...options } = {}) {
  const losses = []
  const Trainer = model instanceof CrossEncoder ? CrossEncoderTrainer : SentenceTransformerTrainer
  const trainer = new Trainer({
    ...{ model, loss, trainDataset, progress: false },
    ...more,
    args: {
      ...{ perDeviceTrainBatchSize: 8, maxSteps: 3, learningRate: 1e-3, loggingSteps: 1, saveStrategy: 'no', seed: 3 },
      ...{ outputDir: join(work, `out-${folders++}`), ...args },
    },
    callbacks: [{ onLog: (record) => void ('loss' in record && losses.push(record.loss)) }, ...(more.callbacks ?? [])],
  })
  const result = await trainer.train(options)
  assert.ok(losses.length > 0 && losses.every(Number.isFinite), `losses ${losses}`)
  return { losses, ...result }
}

/** That every number is finite, and some are not 0. */
export function assertFinite(values, what) {
  assert.ok(values.length > 0 && values.every(Number.isFinite), `${what}: all are finite`)
  assert.ok(
    values.some((value) => value !== 0),
    `${what}: some are not 0`,
  )
}

/** The largest difference is at most `most`. */
export function assertClose(a, b, most, what) {
  assert.equal(a.length, b.length, what)
  const worst = a.reduce((worst, value, i) => Math.max(worst, Math.abs(value - b[i])), 0)
  assert.ok(worst <= most, `${what}: they differ by ${worst}, at most by ${most}`)
}
