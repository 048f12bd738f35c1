import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { writeSafetensors } from '../io/safetensors.js'
import type { SavedAdapter } from './adapters/config.js'
import { newGenerationConfig } from './generation-config.js'
import { toJson } from './json.js'
import { configWithDType, type SavedWeights, tensors, tokenizerConfig, writeAdapter } from './save-folder.js'
import type { Seq2SeqFolder } from './seq2seq-load.js'

/**
 * Writes a model's files into an empty folder as transformers does: config.json, generation_config.json, the tokenizer, and
 * model.safetensors, in which nothing repeats the table of words.
 */
export async function writeSeq2SeqFolder(
  folder: string,
  model: Seq2SeqFolder,
  weights: SavedWeights,
  adapter?: SavedAdapter,
): Promise<void> {
  const { generation, generationConfig } = model
  const { generator } = model.description
  const json = (path: string, value: unknown) => writeFile(join(folder, path), toJson(value))
  if (adapter === undefined)
    await json('config.json', { ...configWithDType(model.config), architectures: [generator.className] })
  await json('generation_config.json', generationConfig ?? newGenerationConfig(generation, generator.padding))
  for (const [name, bytes] of model.tokenizerFiles) await writeFile(join(folder, name), bytes)
  await json('tokenizer_config.json', tokenizerConfig(model))
  if (adapter !== undefined) return writeAdapter(folder, adapter, weights.encoder)
  await writeSafetensors(join(folder, 'model.safetensors'), tensors(weights, 0), { format: 'pt' })
}
