import { join } from 'node:path'
import { SentenceTorchError } from '../errors.js'
import type { ConfigObject, Metric } from '../native/types.js'
import { isObject, isTrue, readJsonObject } from './json.js'
import type { ModelFolder } from './model-folder.js'

/** Where sentence-transformers has kept the transformer module's settings over the years. */
export const SENTENCE_CONFIG_FILES: readonly string[] = [
  'sentence_bert_config.json',
  ...['roberta', 'distilbert', 'camembert', 'albert', 'xlm-roberta', 'xlnet'].map((n) => `sentence_${n}_config.json`),
]

/** What a transformer is used for, as its settings call it. */
export const FEATURES = { task: 'feature-extraction', output: 'token_embeddings' }
export const CLASSIFICATION = { task: 'sequence-classification', output: 'scores' }

/** sentence_bert_config.json (or a name of old) of the transformer's folder. @throws SentenceTorchError naming the file. */
export async function readSentenceConfig(
  folder: string,
  { task, output } = FEATURES,
): Promise<{ maxSeqLength: number | undefined; doLowerCase: boolean; extra: ConfigObject }> {
  for (const name of SENTENCE_CONFIG_FILES) {
    const file = join(folder, name)
    const found = await readJsonObject(file)
    if (!found) continue
    const { max_seq_length, do_lower_case, transformer_task, modality_config, module_output_name, ...rest } = found
    const { unpad_inputs, query_length, document_length, query_expansion, processing_kwargs, ...extra } = rest
    const refused: [string, unknown, unknown][] = [
      ['transformer_task', transformer_task, task],
      ['module_output_name', module_output_name, output],
      ['query_length', query_length, undefined],
      ['document_length', document_length, undefined],
      ['query_expansion', query_expansion, undefined],
    ]
    for (const [key, value, built] of refused) {
      if (value === undefined || value === null || value === built) continue
      throw new SentenceTorchError('ERR_NOT_IMPLEMENTED', `${file} has ${key} ${JSON.stringify(value)}: not built yet`)
    }
    // Keyword arguments for the tokenizer beat max_seq_length, as in Python.
    const args = [extra.processor_kwargs, extra.tokenizer_args].find(isObject)
    const length = args?.model_max_length ?? max_seq_length
    return {
      // 0 and false are no limit, as there.
      maxSeqLength: isTrue(length) ? positiveInteger(length, 'max_seq_length', file) : undefined,
      doLowerCase: isTrue(do_lower_case),
      extra,
    }
  }
  return { maxSeqLength: undefined, doLowerCase: false, extra: {} }
}

type ModelConfig = Pick<
  ModelFolder,
  'prompts' | 'defaultPromptName' | 'similarityFnName' | 'truncateDim' | 'extraModelConfig'
>

/** config_sentence_transformers.json; defaults when there is none. @throws SentenceTorchError naming the file. */
export async function readModelConfig(file: string): Promise<ModelConfig> {
  const { prompts, default_prompt_name, similarity_fn_name, truncate_dim, model_type, __version__, ...extra } =
    (await readJsonObject(file)) ?? {}
  if ((model_type ?? 'SentenceTransformer') !== 'SentenceTransformer') {
    throw new SentenceTorchError(
      'ERR_NOT_IMPLEMENTED',
      `${file} says model_type ${JSON.stringify(model_type)}: not built`,
    )
  }
  const similarities: unknown[] = ['cosine', 'dot', 'euclidean', 'manhattan']
  const filled: Record<string, string> = { query: '', document: '' }
  for (const [name, text] of Object.entries(isObject(prompts) ? prompts : {})) {
    if (typeof text === 'string') filled[name] = text
    else if (text !== null)
      throw new SentenceTorchError(
        'ERR_INVALID_MODEL',
        `Expected a string as prompt ${JSON.stringify(name)} in ${file}`,
      )
  }
  const defaultPromptName = (default_prompt_name ?? null) as string | null
  if (defaultPromptName !== null && !Object.hasOwn(filled, defaultPromptName)) {
    throw new SentenceTorchError(
      'ERR_INVALID_MODEL',
      `${file} has no prompt named ${JSON.stringify(defaultPromptName)}, its default_prompt_name`,
    )
  }
  return {
    prompts: filled,
    defaultPromptName,
    similarityFnName: similarities.includes(similarity_fn_name) ? (similarity_fn_name as Metric) : 'cosine',
    truncateDim: truncate_dim == null ? null : positiveInteger(truncate_dim, 'truncate_dim', file),
    extraModelConfig: extra,
  }
}

/** @throws SentenceTorchError ERR_INVALID_MODEL that names key and file. */
export function positiveInteger(value: unknown, key: string, file: string): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= 1) return value
  throw new SentenceTorchError(
    'ERR_INVALID_MODEL',
    `Expected a positive integer as ${key} in ${file}, found ${JSON.stringify(value)}`,
  )
}
