import { join } from 'node:path'
import { SentenceTorchError } from '../errors.js'
import type { ClassificationData, ClassLabel } from '../evaluation/class-labels.js'
import { classesOf, classNumbers } from '../evaluation/class-labels.js'
import { runExperiments } from '../evaluation/mteb/experiments.js'
import { logisticProbabilities } from '../evaluation/mteb/logistic-regression.js'
import { writeFileAtomic } from '../io/atomic.js'
import { bytesOf, floatsOf } from '../io/floats.js'
import { openSafetensors, writeSafetensors } from '../io/safetensors.js'
import { arrayOf, boolean, either, number, object, text } from '../io/schema.js'
import type { Embeddings } from '../models/embeddings.js'
import { readJson, toJson } from '../models/json.js'

/** The labels, under SetFit's name and keys. */
const SETTINGS = 'config_setfit.json'
/** scikit-learn's `coef_` and `intercept_`. */
const WEIGHTS = 'model_head.safetensors'
export const HEAD_FILES = [SETTINGS, WEIGHTS]

const MOST_LABELS = 1_000_000

/** How a head is fitted. */
export interface LogisticHeadOptions {
  /** Inverse strength of the L2 penalty. Default 1. */
  c?: number
  /** Steps of L-BFGS at most. Default 100. */
  maxIterations?: number
}

export interface LogisticHead {
  /** In the order of the probabilities. */
  labels: readonly ClassLabel[]
  /** Whether embeddings are divided by their lengths first. */
  normalizeEmbeddings: boolean
  /** See `LogisticModel`. */
  parameters: Float64Array
}

/**
 * Fits a logistic regression on embeddings, in a thread. Source: scikit-learn `LogisticRegression`.
 * @throws ERR_INVALID_DATA for fewer than two classes; ERR_ABORTED
 */
export async function fitHead(
  { labels }: Pick<ClassificationData, 'labels'>,
  x: Embeddings,
  {
    normalizeEmbeddings,
    signal,
    ...options
  }: LogisticHeadOptions & { normalizeEmbeddings: boolean; signal?: AbortSignal },
): Promise<LogisticHead> {
  const classes = classesOf(labels, 'The training of a classifier')
  const y = classNumbers(labels, classes, 'labels')
  const test = new Float32Array(0)
  const [reply] = await runExperiments([{ x: x.data, y, options }], { test, classes: classes.length }, signal)
  return { labels: classes, normalizeEmbeddings, parameters: reply!.parameters }
}

/** The probability of each label for each row: [rows, labels]. @throws ERR_INVALID_TENSORS for rows of another width */
export function probabilitiesOf({ labels, parameters }: LogisticHead, x: Embeddings): Float64Array {
  const width = parameters.length / rowsOf(labels) - 1
  if (x.shape[1] === width || x.shape[0] === 0)
    return logisticProbabilities({ classes: labels.length, parameters }, x.data)
  const message = `Expected embeddings of width ${width}, for which the head was fitted, but the model gives ${x.shape[1]}`
  throw new SentenceTorchError('ERR_INVALID_TENSORS', message)
}

/** Rows of scikit-learn's `coef_`. */
function rowsOf(labels: readonly ClassLabel[]): number {
  return labels.length === 2 ? 1 : labels.length
}

/** Writes the head beside the model in `folder`, each file as a whole. */
export async function saveHead(folder: string, head: LogisticHead): Promise<void> {
  const rows = rowsOf(head.labels)
  const width = head.parameters.length / rows - 1
  const [coef, intercept] = [new Float64Array(rows * width), new Float64Array(rows)]
  for (let k = 0; k < rows; k++) {
    const own = head.parameters.subarray(k * (width + 1), (k + 1) * (width + 1))
    coef.set(own.subarray(0, width), k * width)
    intercept[k] = own[width]!
  }
  await writeSafetensors(join(folder, WEIGHTS), [
    { name: 'coef_', dtype: 'F64', shape: [rows, width], data: bytesOf(coef, 'F64') },
    { name: 'intercept_', dtype: 'F64', shape: [rows], data: bytesOf(intercept, 'F64') },
  ])
  const settings = { normalize_embeddings: head.normalizeEmbeddings, labels: head.labels }
  await writeFileAtomic(join(folder, SETTINGS), toJson(settings))
}

const settings = object({
  normalize_embeddings: boolean,
  labels: arrayOf(either(text(), number()), { min: 2, max: MOST_LABELS }),
})

/** @throws ERR_NOT_FOUND for a folder without a head; ERR_INVALID_MODEL for one that does not fit; ERR_INVALID_FILE */
export async function readHead(folder: string): Promise<LogisticHead> {
  const found = await readJson(join(folder, SETTINGS), settings)
  if (found === undefined) {
    const message = `Expected ${HEAD_FILES.join(' and ')} in ${folder}, found no classifier: TextClassifier.save or the recipe fewShot writes one`
    throw new SentenceTorchError('ERR_NOT_FOUND', message)
  }
  const { labels, normalize_embeddings: normalizeEmbeddings } = found
  const rows = rowsOf(labels)
  const file = await openSafetensors(join(folder, WEIGHTS))
  try {
    const tensor = async (name: string, rank: number) => {
      const { dtype, shape } = file.tensors.get(name) ?? { dtype: 'nothing', shape: [] }
      if ((dtype !== 'F64' && dtype !== 'F32') || shape.length !== rank || shape[0] !== rows) {
        const message = `Expected ${name} of ${rows} rows, as ${labels.length} labels need, in ${file.path}, found ${dtype} [${shape}]`
        throw new SentenceTorchError('ERR_INVALID_MODEL', message)
      }
      return floatsOf(await file.read(name), dtype)
    }
    const [coef, intercept] = [await tensor('coef_', 2), await tensor('intercept_', 1)]
    const width = coef.length / rows
    const parameters = new Float64Array(rows * (width + 1))
    for (let k = 0; k < rows; k++) {
      parameters.set(coef.subarray(k * width, (k + 1) * width), k * (width + 1))
      parameters[(k + 1) * (width + 1) - 1] = intercept[k]!
    }
    if (!parameters.every(Number.isFinite)) {
      throw new SentenceTorchError('ERR_INVALID_MODEL', `Expected finite numbers in ${file.path}, found others`)
    }
    return { labels, normalizeEmbeddings, parameters }
  } finally {
    await file.close()
  }
}
