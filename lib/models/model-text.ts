import type { ConfigValue } from '../native/types.js'
import type { CrossEncoderFolder } from './cross-encoder-folder.js'
import { CLASSIFICATION, FILL_MASK, NEXT_TOKEN } from './folder-config.js'
import { logitScoreConfig } from './logit-score.js'
import type { ModelFolder } from './model-folder.js'
import type { MultiVectorFolder } from './multi-vector/folder.js'
import type { SparseFolder } from './sparse-folder.js'

/** What Python says of the way a transformer is used. */
const TRANSFORMER: { [key: string]: ConfigValue } = {
  transformer_task: 'feature-extraction',
  modality_config: { text: { method: 'forward', method_output_name: 'last_hidden_state' } },
  module_output_name: 'token_embeddings',
}

type Modules = Pick<ModelFolder, 'first' | 'architecture' | 'config' | 'description' | 'modules'>

/** The modules of a model as Python prints them. */
export function modelText(folder: Modules): string {
  return textOf('SentenceTransformer', folder, {})
}

/** The modules of a model with a vector for each token as Python prints them. */
export function multiVectorText(folder: MultiVectorFolder): string {
  const { queryLength: query_length, documentLength: document_length, queryExpansion } = folder
  return textOf('MultiVectorEncoder', folder, {
    ...(query_length !== null && { query_length }),
    ...(document_length !== null && { document_length }),
    ...(queryExpansion !== null && { query_expansion: { ...queryExpansion } }),
  })
}

function textOf(
  name: string,
  { first, architecture, config, description, modules }: Modules,
  more: { [key: string]: ConfigValue },
): string {
  const { classifier, languageModel } = description
  const named = Array.isArray(config.architectures) ? config.architectures[0] : undefined
  const className = (classifier ?? languageModel)?.className ?? named
  const model = typeof className === 'string' ? className.replace(/For\w+$/, 'Model') : architecture
  const settings = first === 'StaticEmbedding' ? {} : { ...TRANSFORMER, ...more, architecture: model }
  const start = `${first}(${pythonText(settings)})`
  const others = modules.map(({ type, shown }) => `${type}(${pythonText(shown, type === 'Pooling')})`)
  return `${name}(\n${[start, ...others].map((text, i) => `  (${i}): ${text}\n`).join('')})`
}

/** The modules of a sparse encoder as Python prints them. */
export function sparseText({ first, description, modules }: SparseFolder): string {
  const settings = {
    transformer_task: FILL_MASK.task,
    modality_config: { text: { method: 'forward', method_output_name: 'logits' } },
    module_output_name: FILL_MASK.output,
    architecture: description.languageModel.className,
  }
  const others = modules.map(({ type, shown }) => `${type}(${pythonText(shown)})`)
  const all = [`${first}(${pythonText(settings)})`, ...others]
  return `SparseEncoder(\n${all.map((text, i) => `  (${i}): ${text}\n`).join('')})`
}

/** The modules of a cross-encoder as Python prints them. */
export function crossEncoderText({ classifier, logitScore, chat }: CrossEncoderFolder): string {
  const usage = logitScore ? NEXT_TOKEN : CLASSIFICATION
  const logits = { method: 'forward', method_output_name: 'logits' }
  const settings = {
    transformer_task: usage.task,
    modality_config: { text: logits, ...(chat && { message: { ...logits, format: chat.format } }) },
    module_output_name: usage.output,
    architecture: classifier.className,
  }
  const score = logitScore ? `  (1): LogitScore(${pythonText(logitScoreConfig(logitScore) as ConfigValue)})\n` : ''
  return `CrossEncoder(\n  (0): Transformer(${pythonText(settings)})\n${score})`
}

/** Settings that are floats in Python, whatever their value. */
const FLOATS = new Set(['pool_factor'])

/** A value of JSON as Python's repr; an array is a tuple, or a list. */
export function pythonText(value: ConfigValue, tuples = true): string {
  if (value === null) return 'None'
  if (typeof value === 'boolean') return value ? 'True' : 'False'
  if (typeof value === 'string' && value.includes("'") && !value.includes('"'))
    return `"${value.replace(/\\/g, '\\$&')}"`
  if (typeof value === 'string') return `'${value.replace(/[\\']/g, '\\$&')}'`
  if (typeof value === 'number') return String(value)
  if (Array.isArray(value)) {
    const list = value.map((entry) => pythonText(entry, tuples)).join(', ')
    return tuples ? `(${list}${value.length === 1 ? ',' : ''})` : `[${list}]`
  }
  const text = (key: string, member: ConfigValue) =>
    FLOATS.has(key) && Number.isInteger(member) ? `${member}.0` : pythonText(member, tuples)
  return `{${Object.entries(value)
    .map(([key, member]) => `${pythonText(key)}: ${text(key, member)}`)
    .join(', ')}}`
}
