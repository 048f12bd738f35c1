/** Whether a folder holds a model of embeddings or a cross-encoder. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { jsonObject, readJson } from './json.js'

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
