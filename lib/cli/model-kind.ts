import { join } from 'node:path'
import { resolveModel } from '../models/hub.js'
import { jsonObject, readJson } from '../models/json.js'

/** Whether a folder, or a model of the hub, is a cross-encoder, by its settings. */
export async function isCrossEncoder(name: string, source: Parameters<typeof resolveModel>[1]): Promise<boolean> {
  const { path } = await resolveModel(name, source)
  const file = 'config_sentence_transformers.json'
  const [own, config] = await Promise.all([file, 'config.json'].map((one) => readJson(join(path, one), jsonObject)))
  if (own?.model_type !== undefined) return own.model_type === 'CrossEncoder'
  const { architectures } = config ?? {}
  return Array.isArray(architectures) && String(architectures[0]).endsWith('ForSequenceClassification')
}
