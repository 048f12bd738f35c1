/** Whether a folder holds a model of embeddings or a cross-encoder. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { describe, type ErrorCode, SentenceTorchError } from '../errors.js'
import { jsonObject, readJson } from './json.js'

/** The classes of models, as config_sentence_transformers.json calls them (`model_type`). */
export const MODEL_CLASSES = ['SentenceTransformer', 'CrossEncoder', 'SparseEncoder', 'MultiVectorEncoder'] as const
export type ModelClass = (typeof MODEL_CLASSES)[number]

/** A folder of one class that another class was to open. @param reason `…/modules.json lists SpladePooling` */
export function wrongClass(
  reason: string,
  right: ModelClass,
  code: ErrorCode = 'ERR_INVALID_MODEL',
): SentenceTorchError {
  return new SentenceTorchError(code, `${reason}: it is the folder of a ${right}, use ${right}.load`)
}

/**
 * @param found model_type of config_sentence_transformers.json
 * @throws SentenceTorchError ERR_INVALID_MODEL that says which class to use; ERR_NOT_IMPLEMENTED for a class that there is not
 */
export function checkModelClass(found: string | undefined, wanted: ModelClass, file: string): void {
  if ((found ?? wanted) === wanted) return
  // PyLate's name.
  const right = found === 'ColBERT' ? 'MultiVectorEncoder' : MODEL_CLASSES.find((name) => name === found)
  const reason = `${file} says model_type ${describe(found)}`
  if (right) throw wrongClass(reason, right)
  throw new SentenceTorchError('ERR_NOT_IMPLEMENTED', `${reason}: not built`)
}

/** The classes whose models embed texts. */
export type TextClass = Exclude<ModelClass, 'CrossEncoder'>

/** The class that a folder names; a SentenceTransformer unless it is another one. */
export async function textClassOf(path: string): Promise<TextClass> {
  const named = (await readJson(join(path, 'config_sentence_transformers.json'), jsonObject))?.model_type
  if (named === 'SparseEncoder') return named
  return named === 'MultiVectorEncoder' || named === 'ColBERT' ? 'MultiVectorEncoder' : 'SentenceTransformer'
}

export const MODEL_TYPES = ['embedding', 'cross-encoder'] as const
export type ModelType = (typeof MODEL_TYPES)[number]

/**
 * What a folder says that it holds: a cross-encoder by its settings, or by a classifier without modules of an embedding. A bare
 * transformer may become either, and counts as a model of embeddings.
 * @param path a folder, as `resolveModel` gives it
 * @throws ERR_INVALID_MODEL for files that are no JSON
 */
export async function modelTypeOf(path: string): Promise<ModelType> {
  const own = await readJson(join(path, 'config_sentence_transformers.json'), jsonObject)
  if (own?.model_type === 'CrossEncoder') return 'cross-encoder'
  if (existsSync(join(path, 'modules.json'))) return 'embedding'
  const config = await readJson(join(path, 'config.json'), jsonObject)
  const architectures = Array.isArray(config?.architectures) ? config.architectures : []
  const isClassifier = architectures.some(
    (name) => typeof name === 'string' && name.endsWith('ForSequenceClassification'),
  )
  return isClassifier ? 'cross-encoder' : 'embedding'
}
