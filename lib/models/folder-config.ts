import { join } from 'node:path'
import { describe, SentenceTorchError } from '../errors.js'
import { object, optional, recordOf, type Schema, type TypeOf, text } from '../io/schema.js'
import type { ConfigObject, ConfigValue, Metric } from '../native/types.js'
import { isObject, isTrue, jsonObject, readJson } from './json.js'
import { checkModelClass } from './model-type.js'

/** Where sentence-transformers has kept the transformer module's settings over the years. */
export const SENTENCE_CONFIG_FILES: readonly string[] = [
  'sentence_bert_config.json',
  ...['roberta', 'distilbert', 'camembert', 'albert', 'xlm-roberta', 'xlnet'].map((n) => `sentence_${n}_config.json`),
]

/** What a transformer is used for, as its settings call it, and whether texts may pass the chat template. */
export interface Usage {
  task: string
  output: string
  messages: boolean
  /** Whether queries and documents may have lengths of their own, and queries an expansion. */
  lengths?: boolean
}
export const FEATURES: Usage = { task: 'feature-extraction', output: 'token_embeddings', messages: false }
export const VECTORS: Usage = { ...FEATURES, lengths: true }
export const CLASSIFICATION: Usage = { task: 'sequence-classification', output: 'scores', messages: true }
export const FILL_MASK: Usage = { task: 'fill-mask', output: 'token_embeddings', messages: false }
export const NEXT_TOKEN: Usage = { task: 'text-generation', output: 'causal_logits', messages: true }

/** A transformer's settings. */
export interface SentenceConfig {
  maxSeqLength: number | undefined
  doLowerCase: boolean
  /** Members that this package does not know. */
  extra: ConfigObject
  /** Of `modality_config`: how messages are written, where texts pass the chat template. */
  message: ConfigObject | undefined
  /** `processing_kwargs`. */
  processing: ConfigValue | undefined
  /** `query_length`, `document_length` and `query_expansion`, where these are read. */
  lengths?: ConfigObject
  /** The file; undefined without one. */
  file: string | undefined
}

/** sentence_bert_config.json (or a name of old) of the transformer's folder. @throws SentenceTorchError naming the file. */
export async function readSentenceConfig(
  folder: string,
  { task, output, messages, lengths = false }: Usage = FEATURES,
): Promise<SentenceConfig> {
  for (const name of SENTENCE_CONFIG_FILES) {
    const file = join(folder, name)
    const found = await readJson(file, jsonObject)
    if (!found) continue
    const { max_seq_length, do_lower_case, transformer_task, modality_config, module_output_name, ...rest } = found
    const { unpad_inputs, query_length, document_length, query_expansion, processing_kwargs, ...extra } = rest
    const refused: [string, unknown, unknown][] = [
      ['transformer_task', transformer_task, task],
      ['module_output_name', module_output_name, output],
      ...(lengths ? [] : Object.entries({ query_length, document_length, query_expansion })).map(
        ([key, value]): [string, unknown, unknown] => [key, value, undefined],
      ),
    ]
    for (const [key, value, built] of refused) {
      if (value === undefined || value === null || value === built) continue
      throw new SentenceTorchError('ERR_NOT_IMPLEMENTED', `${file} has ${key} ${describe(value)}: not built yet`)
    }
    const message = isObject(modality_config) ? modality_config.message : undefined
    if (message !== undefined && !messages) {
      const found = `${file} has modality_config with message, so that texts pass the chat template: not built yet`
      throw new SentenceTorchError('ERR_NOT_IMPLEMENTED', found)
    }
    // Keyword arguments for the tokenizer beat max_seq_length, as in Python.
    const args = [extra.processor_kwargs, extra.tokenizer_args].find(isObject)
    const length = args?.model_max_length ?? max_seq_length
    return {
      // 0 and false are no limit, as there.
      maxSeqLength: isTrue(length) ? positiveInteger(length, 'max_seq_length', file) : undefined,
      doLowerCase: isTrue(do_lower_case),
      extra,
      message: isObject(message) ? message : undefined,
      processing: processing_kwargs,
      ...(lengths && { lengths: present({ query_length, document_length, query_expansion }) }),
      file,
    }
  }
  return NO_SENTENCE_CONFIG
}

/** The members that there are. */
function present(members: Record<string, ConfigValue | undefined>): ConfigObject {
  return Object.fromEntries(
    Object.entries(members).filter((entry): entry is [string, ConfigValue] => entry[1] !== undefined),
  )
}

/** Of a folder without the file. */
export const NO_SENTENCE_CONFIG: SentenceConfig = {
  maxSeqLength: undefined,
  doLowerCase: false,
  extra: {},
  message: undefined,
  processing: undefined,
  file: undefined,
}

/** The settings of config_sentence_transformers.json. */
interface ModelConfig extends PromptSettings {
  similarityFnName: Metric
  truncateDim: number | null
  /** Keys that this package does not read, to be written back. */
  extraModelConfig: ConfigObject
}

interface PromptSettings {
  prompts: Record<string, string>
  defaultPromptName: string | null
}

/** A prompt is put in front of every text. */
const prompts = recordOf(optional(text(10_000)), { max: 10_000 })

/** What kinds of models have in common in config_sentence_transformers.json. */
export const modelConfigSchema = object({
  model_type: optional(text(1000)),
  // As Python reads them: null, false, [] and {} are none.
  prompts: ((value, place) => (isTrue(value) ? prompts(value, place) : {})) satisfies Schema<unknown>,
  default_prompt_name: optional(text(1000)),
})
type ModelConfigFile = TypeOf<typeof modelConfigSchema>

const EMPTY: ModelConfigFile = { model_type: undefined, prompts: {}, default_prompt_name: undefined }

/**
 * The prompts of a config_sentence_transformers.json over `first`, and the one that is used when none is asked for.
 * @throws SentenceTorchError ERR_INVALID_MODEL for a default that is none of them
 */
export function promptsOf(
  { prompts, default_prompt_name }: Pick<ModelConfigFile, 'prompts' | 'default_prompt_name'>,
  first: Record<string, string>,
  file: string,
): PromptSettings {
  const chosen = default_prompt_name ?? null
  const own = Object.entries(prompts).filter((entry): entry is [string, string] => entry[1] !== undefined)
  const all = Object.fromEntries([...Object.entries(first), ...own])
  if (chosen === null || Object.hasOwn(all, chosen)) return { prompts: all, defaultPromptName: chosen }
  const message = `${file} has no prompt named ${describe(chosen)}, its default_prompt_name`
  throw new SentenceTorchError('ERR_INVALID_MODEL', message)
}

/** config_sentence_transformers.json; defaults when there is none. @throws SentenceTorchError naming the file. */
export async function readModelConfig(file: string): Promise<ModelConfig> {
  const found: ModelConfigFile = (await readJson(file, modelConfigSchema)) ?? EMPTY
  const { prompts, default_prompt_name, similarity_fn_name, truncate_dim, model_type, __version__, ...extra } = found
  checkModelClass(model_type, 'SentenceTransformer', file)
  const similarities: unknown[] = ['cosine', 'dot', 'euclidean', 'manhattan']
  return {
    ...promptsOf(found, { query: '', document: '' }, file),
    similarityFnName: similarities.includes(similarity_fn_name) ? (similarity_fn_name as Metric) : 'cosine',
    truncateDim: truncate_dim == null ? null : positiveInteger(truncate_dim, 'truncate_dim', file),
    extraModelConfig: extra as ConfigObject,
  }
}

/** @throws SentenceTorchError ERR_INVALID_MODEL that names key and file. */
export function positiveInteger(value: unknown, key: string, file: string): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= 1) return value
  throw new SentenceTorchError(
    'ERR_INVALID_MODEL',
    `Expected a positive integer as ${key} in ${file}, found ${describe(value)}`,
  )
}
