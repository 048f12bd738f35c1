import { join } from 'node:path'
import { describe, SentenceTorchError } from '../../errors.js'
import { number, object, optional, recordOf, text } from '../../io/schema.js'
import type { ConfigObject } from '../../native/types.js'
import { isTrue, jsonObject, readJson } from '../json.js'

export const ADAPTER_CONFIG = 'adapter_config.json'
export const ADAPTER_WEIGHTS = ['adapter_model.safetensors', 'adapter_model.bin'] as const

/** An adapter as it is saved. */
export interface SavedAdapter {
  /** adapter_config.json. */
  config: ConfigObject
  /** `tensor`: the engine's name. */
  tensors: { name: string; tensor: string; shape: readonly number[] }[]
}

/** What an adapter_config.json says that counts. */
export interface AdapterConfig {
  alpha: number
  dropout: number
  useRslora: boolean
  alphaPattern: Record<string, number>
  /** Path or hub id of the model that it belongs to. */
  base: string | undefined
  revision: string | undefined
  /** All members as read, to be written back. */
  members: ConfigObject
}

const patterns = recordOf(number(), { max: 100_000 })

const schema = object({
  peft_type: text(100),
  base_model_name_or_path: optional(text(10_000)),
  revision: optional(text(1000)),
  lora_alpha: optional(number()),
  lora_dropout: optional(number(0, 0.9999)),
  alpha_pattern: optional(patterns),
})

/** Members that change numbers, and values of theirs with which they do not. Null, false and what is empty are fine. */
const REFUSED: Readonly<Record<string, readonly unknown[]>> = {
  use_dora: [],
  use_qalora: [],
  bias: ['none'],
  lora_bias: [],
  modules_to_save: [],
  layer_replication: [],
  trainable_token_indices: [],
  target_parameters: [],
}

/** Members that say how an adapter was made, or what its tensors say, too. */
const HARMLESS = new Set([
  ...[
    'peft_type',
    'base_model_name_or_path',
    'revision',
    'task_type',
    'inference_mode',
    'auto_mapping',
    'peft_version',
  ],
  ...['r', 'lora_alpha', 'lora_dropout', 'target_modules', 'exclude_modules', 'fan_in_fan_out', 'use_rslora'],
  ...['layers_to_transform', 'layers_pattern', 'rank_pattern', 'alpha_pattern', 'init_lora_weights'],
  ...['qalora_group_size', 'megatron_core', 'runtime_config', 'eva_config', 'velora_config', 'monteclora_config'],
])

/** Ways to begin that leave the base as it was; the others (pissa, olora, loftq, corda, …) change it when PEFT loads them. */
const INITIAL: readonly unknown[] = [undefined, null, true, false, 'gaussian', 'eva', 'orthogonal']

/**
 * Reads the adapter_config.json of a folder; undefined without one.
 * @throws SentenceTorchError ERR_INVALID_MODEL, ERR_NOT_IMPLEMENTED naming file and key
 */
export async function readAdapterConfig(folder: string): Promise<AdapterConfig | undefined> {
  const file = join(folder, ADAPTER_CONFIG)
  const members = await readJson(file, jsonObject)
  if (members === undefined) return undefined
  const found = schema(members, { file, key: '', code: 'ERR_INVALID_MODEL' })
  const refuse = (key: string, expected: string) => {
    const message = `${file} has ${key} ${describe(members[key])}, which is not built: expected ${expected}`
    throw new SentenceTorchError('ERR_NOT_IMPLEMENTED', message)
  }
  if (found.peft_type !== 'LORA') refuse('peft_type', '"LORA"')
  if (!INITIAL.includes(members.init_lora_weights))
    refuse('init_lora_weights', 'true, "gaussian", "eva" or "orthogonal"')
  for (const [key, value] of Object.entries(members)) {
    if (HARMLESS.has(key) || !isTrue(value) || REFUSED[key]?.includes(value)) continue
    refuse(key, 'none')
  }
  const alphaPattern = found.alpha_pattern ?? {}
  for (const pattern of Object.keys(alphaPattern)) {
    // Names, of which a point is any character: a foreign expression could take for ever.
    if (/^\^?[\w.-]+\$?$/.test(pattern)) continue
    const message = `${file} has ${describe(pattern)} in alpha_pattern, which is not built: expected names of modules`
    throw new SentenceTorchError('ERR_NOT_IMPLEMENTED', message)
  }
  return {
    alpha: found.lora_alpha ?? 8,
    dropout: found.lora_dropout ?? 0,
    useRslora: isTrue(members.use_rslora),
    alphaPattern,
    base: found.base_model_name_or_path || undefined,
    revision: found.revision || undefined,
    members,
  }
}
