import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { HEAD_FILES } from '../classification/logistic-head.js'
import { TextClassifier } from '../classification/text-classifier.js'
import { CrossEncoder } from '../models/cross-encoder.js'
import { resolveModel } from '../models/hub.js'
import { modelTypeOf, textClassOf } from '../models/model-type.js'
import { MultiVectorEncoder } from '../models/multi-vector-encoder.js'
import { SentenceTransformer } from '../models/sentence-transformer.js'
import { SparseEncoder } from '../models/sparse-encoder.js'
import { type LoadOptions, SOURCE_OPTIONS } from '../models/types.js'
import type { AnyModel } from './served-model.js'

/**
 * Loads a model of whichever kind its folder is: a classifier of texts that `TextClassifier.save` or the recipe `fewShot` wrote, a
 * cross-encoder, a sparse or a multi-vector encoder, or a model of embeddings.
 *
 * ```ts
 * const model = await loadModel('cross-encoder/ms-marco-MiniLM-L6-v2')
 * ```
 * @param idOrPath a folder, or a hub id
 * @throws as `SentenceTransformer.load`
 */
export async function loadModel(idOrPath: string, options: LoadOptions = {}): Promise<AnyModel> {
  const source = Object.fromEntries(Object.entries(options).filter(([name]) => SOURCE_OPTIONS.includes(name)))
  const { path } = await resolveModel(idOrPath, { ...source, files: HEAD_FILES })
  if (HEAD_FILES.every((name) => existsSync(join(path, name)))) return TextClassifier.load(idOrPath, options)
  const kind = await textClassOf(path)
  if (kind === 'SparseEncoder') {
    const { truncateDim: _, pooling: __, ...rest } = options
    return SparseEncoder.load(idOrPath, rest)
  }
  if (kind === 'MultiVectorEncoder') {
    const { truncateDim: _, pooling: __, similarityFnName: ___, ...rest } = options
    return MultiVectorEncoder.load(idOrPath, rest)
  }
  if ((await modelTypeOf(path)) === 'embedding') return SentenceTransformer.load(idOrPath, options)
  const { maxSeqLength, truncateDim: _, similarityFnName: __, pooling: ___, ...rest } = options
  return CrossEncoder.load(idOrPath, { ...rest, ...(maxSeqLength !== undefined && { maxLength: maxSeqLength }) })
}
