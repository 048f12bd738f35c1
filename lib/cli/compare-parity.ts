/** `sentence-torch parity`: the vectors of a model beside those of Python. */

import { inGroups, readAllTexts } from '../data/input-texts.js'
import { SentenceTorchError } from '../errors.js'
import type { Embeddings } from '../models/embeddings.js'
import { resolveModel } from '../models/hub.js'
import { SentenceTransformer } from '../models/sentence-transformer.js'
import { numberOf, textOf, UsageError, type Values } from './command.js'
import type { Io } from './io.js'
import { loadOptions } from './model-options.js'
import { PARITY_TEXTS } from './parity-texts.js'
import { pythonVectors, savedVectors } from './python-vectors.js'

const TOLERANCE = 1e-4
/** Whole sets of vectors are compared in memory. */
const MOST_TEXTS = 100_000

export async function compareParity(values: Values, io: Io): Promise<number> {
  const [name] = values.words as [string]
  const [saved, program] = [textOf(values, 'vectors'), textOf(values, 'python')]
  if (saved !== undefined && program !== undefined) throw misuse('parity takes --vectors or --python, not both')
  if (saved !== undefined && textOf(values, 'texts') === undefined)
    throw misuse('--vectors needs the texts that they are of: --texts <file>')
  const texts = await textsOf(textOf(values, 'texts'), io)
  const options = loadOptions(values, io)
  const { path } = await resolveModel(name, options)
  const maxLength = numberOf(values, 'max-length')
  // What Python says is known before our own model is loaded: both need memory.
  const theirs =
    saved === undefined
      ? await pythonVectors(program ?? 'python3', { model: path, texts, maxLength }, io.signal)
      : { vectors: await savedVectors(saved), versions: undefined }
  const model = await SentenceTransformer.load(path, options)
  try {
    const ours = await model.encode(texts, { signal: io.signal })
    const found = difference(ours, theirs.vectors)
    const tolerance = numberOf(values, 'tolerance') ?? TOLERANCE
    const isEqual = found.largest <= tolerance * found.longest
    const facts = {
      model: name,
      texts: texts.length,
      dimensions: ours.shape[1],
      ...(theirs.versions && { python: theirs.versions }),
    }
    if (values.options.json) io.out(`${JSON.stringify({ ...facts, ...found, tolerance, isEqual })}\n`)
    else io.out(shown({ ...facts, ...found, tolerance, isEqual }, texts))
    return isEqual ? 0 : 1
  } finally {
    await model.dispose()
  }
}

async function textsOf(file: string | undefined, io: Io): Promise<readonly string[]> {
  if (file === undefined) return PARITY_TEXTS
  const source = readAllTexts({ inputs: [file], stdin: io.stdin })
  for await (const texts of inGroups(source, MOST_TEXTS + 1)) {
    if (texts.length <= MOST_TEXTS) return texts
    throw new SentenceTorchError('ERR_INVALID_DATA', `Expected at most ${MOST_TEXTS} texts in ${file}, found more`)
  }
  throw new SentenceTorchError('ERR_INVALID_DATA', `Expected texts in ${file}, found none`)
}

interface Difference {
  /** Of two values, and where. */
  largest: number
  text: number
  dimension: number
  smallestCosine: number
  /** Length of the longest vector of Python; 1 if all are shorter. */
  longest: number
}

function difference(ours: Embeddings, theirs: Embeddings): Difference {
  const [rows, width] = ours.shape
  if (theirs.shape[0] !== rows || theirs.shape[1] !== width) {
    const message = `Expected ${rows} × ${width} values from Python, as here, found ${theirs.shape.join(' × ')}`
    throw new SentenceTorchError('ERR_INVALID_DATA', message)
  }
  const found: Difference = { largest: -1, text: 0, dimension: 0, smallestCosine: 1, longest: 1 }
  for (let row = 0; row < rows; row++) {
    const [one, other] = [ours.row(row), theirs.row(row)]
    let [product, own, python] = [0, 0, 0]
    for (let i = 0; i < width; i++) {
      const [a, b] = [one[i]!, other[i]!]
      product += a * b
      own += a * a
      python += b * b
      // What is not a number differs from everything.
      const distance = Number.isFinite(a) && Number.isFinite(b) ? Math.abs(a - b) : Number.MAX_VALUE
      if (distance > found.largest) Object.assign(found, { largest: distance, text: row, dimension: i })
    }
    const lengths = Math.sqrt(own * python)
    const cosine = lengths > 0 ? product / lengths : own === python ? 1 : 0
    found.smallestCosine = Math.min(found.smallestCosine, Number.isFinite(cosine) ? cosine : -1)
    if (Number.isFinite(python)) found.longest = Math.max(found.longest, Math.sqrt(python))
  }
  return found
}

interface Result extends Difference {
  model: string
  texts: number
  dimensions: number
  python?: Readonly<Record<string, string>>
  tolerance: number
  isEqual: boolean
}

function shown(result: Result, texts: readonly string[]): string {
  const { model, dimensions, python, largest, text, dimension, smallestCosine, longest, tolerance, isEqual } = result
  const versions =
    python === undefined
      ? ''
      : `; ${Object.entries(python)
          .map((entry) => entry.join(' '))
          .join(', ')}`
  const where = `${JSON.stringify(texts[text]!.slice(0, 60))}, dimension ${dimension}`
  return [
    `${model}: ${texts.length} texts, ${dimensions} dimensions${versions}`,
    `largest difference  ${largest === Number.MAX_VALUE ? 'not a number' : largest.toPrecision(3)}  (${where})`,
    `smallest cosine     ${smallestCosine.toFixed(8)}`,
    `${isEqual ? 'equal' : 'NOT equal'} within ${tolerance}${longest > 1.001 ? ` of ${longest.toPrecision(3)}, the longest vector` : ''}`,
    '',
  ].join('\n')
}

function misuse(message: string): UsageError {
  return new UsageError('ERR_INVALID_ARGUMENT', message, 'parity')
}
