import { runInSlices } from '../../data/time-slice.js'
import { fromNative, invalidArgument } from '../../errors.js'
import { throwIfAborted } from '../../io/abort.js'
import { type Embeddings, embeddings } from '../embeddings.js'
import type { Parts } from '../start-engine.js'
import type { DistillationOptions } from './options.js'
import { principalComponents } from './principal-components.js'
import { type StaticVocabulary, staticVocabulary } from './word-piece-vocabulary.js'

/** The parts of a model that are read. */
export type TeacherParts = Pick<Parts, 'encoder' | 'folder' | 'tokenizer'>

/** Tokens that are computed together. */
const BATCH = 256

/**
 * The table of a static model and its tokenizer: what the transformer makes of each token alone, between its special tokens, less its
 * mean, along its principal components, weighted. Source: model2vec `distill_from_model`.
 */
export async function distil(
  teacher: TeacherParts,
  { pcaDims = 256, sifCoefficient = 1e-4, tokenRemovePattern = /\[unused\d+\]/, signal }: DistillationOptions,
): Promise<{ table: Embeddings; vocabulary: StaticVocabulary }> {
  checkNumbers(pcaDims, sifCoefficient)
  const { folder, tokenizer } = teacher
  if (folder.first !== 'Transformer') throw invalidArgument('model', 'a model with a transformer', folder.first)
  const file = folder.tokenizerFiles.get('tokenizer.json')!
  const vocabulary = staticVocabulary(file, 'tokenizer.json', tokenRemovePattern ?? undefined)
  const { ids } = await tokenizer.encodeAll([''], tokenizer.maxSeqLength, { allowEmpty: true })
  const rows = await tokenEmbeddings(teacher, vocabulary.teacherIds, ids, signal)
  const [count, width] = rows.shape
  const dims = pcaDims === null ? null : pcaDims < 1 ? pcaDims : Math.min(pcaDims, width)
  // As there: of fewer tokens than components there is no PCA.
  const reduced =
    dims === null || dims >= count
      ? { scores: rows.data, columns: width }
      : await runInSlices(principalComponents(rows.data, width, dims))
  throwIfAborted(signal, 'Distillation')
  const weights = zipfWeights(count, sifCoefficient)
  const table = Float32Array.from(reduced.scores, (value, i) => value * weights[Math.floor(i / reduced.columns)]!)
  return { table: embeddings(table, count, reduced.columns), vocabulary }
}

function checkNumbers(pcaDims: number | null, sifCoefficient: number | null): void {
  const isShare = (value: unknown) => typeof value === 'number' && value > 0 && value < 1
  if (pcaDims !== null && !(isShare(pcaDims) || (Number.isSafeInteger(pcaDims) && pcaDims >= 1))) {
    throw invalidArgument('pcaDims', 'a positive integer, a number between 0 and 1, or null', pcaDims)
  }
  if (sifCoefficient !== null && !isShare(sifCoefficient)) {
    throw invalidArgument('sifCoefficient', 'a number between 0 and 1, or null', sifCoefficient)
  }
}

/** The mean over the last layer's tokens for each id between the tokens that the tokenizer puts around every text. */
async function tokenEmbeddings(
  { encoder }: TeacherParts,
  teacherIds: Int32Array,
  around: ArrayLike<number>,
  signal: AbortSignal | undefined,
): Promise<Embeddings> {
  const width = encoder.tokenDimension
  const before = Math.ceil(around.length / 2)
  const length = around.length + 1
  const out = new Float32Array(teacherIds.length * width)
  for (let start = 0; start < teacherIds.length; start += BATCH) {
    throwIfAborted(signal, 'Distillation')
    const own = teacherIds.subarray(start, start + BATCH)
    const ids = new Int32Array(own.length * length)
    for (let row = 0; row < own.length; row++) {
      for (let i = 0; i < around.length; i++) ids[row * length + i + Number(i >= before)] = around[i]!
      ids[row * length + before] = own[row]!
    }
    const offsets = Int32Array.from({ length: own.length + 1 }, (_, i) => i * length)
    const hidden = new Float32Array(ids.length * width)
    try {
      await encoder.encode({ ids, offsets, columns: 1 }, hidden, 'token_embeddings')
    } catch (error) {
      throw fromNative(error, 'Encoder.encode')
    }
    for (let row = 0; row < own.length; row++) {
      for (let i = 0; i < width; i++) {
        let sum = 0
        for (let token = 0; token < length; token++) sum += hidden[(row * length + token) * width + i]!
        out[(start + row) * width + i] = sum / length
      }
    }
  }
  return embeddings(out, teacherIds.length, width)
}

/** Source: model2vec `compute_weights`. */
function zipfWeights(count: number, coefficient: number | null): Float64Array {
  const ranks = Float64Array.from({ length: count }, (_, i) => 1 / (i + 2))
  if (coefficient === null) return ranks.fill(1)
  const sum = ranks.reduce((total, value) => total + value, 0)
  return ranks.map((rank) => coefficient / (coefficient + rank / sum))
}
