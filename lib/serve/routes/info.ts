import { MultiVectorEncoder } from '../../models/multi-vector-encoder.js'
import type { SentenceTransformer } from '../../models/sentence-transformer.js'
import { SparseEncoder } from '../../models/sparse-encoder.js'
import type { Service } from '../call.js'
import { labelsOf } from '../predict.js'
import { get, json } from '../route.js'
import { type AnyModel, type ModelTask, type ServedModel, transformerOf } from '../served-model.js'
import { packageVersion } from '../version.js'

/** Tokens of a job of the engine at most, unless the server says otherwise. */
const BATCH_TOKENS = 16 * 1024

/** Source: text-embeddings-inference `Info`, of the first model; `models` has all of them. */
export const infoRoute = get({
  path: '/info',
  tag: 'Text Embeddings Inference',
  summary: 'What is served, and the limits',
  isPublic: false,
  answer: {
    description: 'The first model, the limits, and all models',
    schema: {
      type: 'object',
      properties: {
        model_id: { type: 'string' },
        model_dtype: { type: 'string' },
        model_type: { type: 'object' },
        models: { type: 'array', items: { type: 'object' } },
      },
    },
  },
  async handle(call) {
    const { service } = call
    const models = service.models.entries().map(([name, model]) => described(name, model))
    const { settings } = service
    const asked =
      call.pathModel === undefined ? models[0]! : models.find((each) => each.served_model_name === call.pathModel)!
    return json({
      ...asked,
      max_concurrent_requests: settings.maxConcurrentRequests,
      max_batch_tokens: settings.maxBatchTokens ?? BATCH_TOKENS,
      max_batch_requests: null,
      max_client_batch_size: settings.maxClientBatchSize,
      auto_truncate: settings.autoTruncate,
      tokenization_workers: 1,
      version: await packageVersion(),
      sha: null,
      docker_label: null,
      models,
    })
  },
})

function described(name: string, served: ServedModel) {
  const { model, version, task } = served
  const transformer = transformerOf(model)
  return {
    model_id: transformer.hubId ?? name,
    model_sha: null,
    model_dtype: transformer.dtype,
    served_model_name: name,
    model_version: version,
    model_type: typeOf(task, model),
    max_input_length:
      transformer instanceof MultiVectorEncoder
        ? transformer.tokenPlan().most('document')
        : transformer.tokenizer.maxSeqLength,
    prompts: Object.keys(transformer.prompts),
  }
}

/** TEI tells of a sparse model by its pooling. One with an embedding for each token has none. */
function typeOf(task: ModelTask, model: AnyModel): object {
  const isEmbedding = task !== 'reranker' && task !== 'classifier'
  return isEmbedding ? { embedding: embeddingOf(model) } : { [task]: labels(model) }
}

function embeddingOf(model: AnyModel): object {
  if (!('modules' in model)) return {}
  return {
    pooling: poolingOf(model),
    dimensions: model.embeddingDimension,
    similarity: model.similarityFnName,
  }
}

function poolingOf(model: SentenceTransformer | SparseEncoder | MultiVectorEncoder): string {
  if (model instanceof MultiVectorEncoder) return 'none'
  const modes = model.modules.find(({ type }) => type === 'Pooling')?.modes
  return Array.isArray(modes) ? modes.join('+') : model instanceof SparseEncoder ? 'splade' : 'mean'
}

function labels(model: AnyModel): object {
  const names = labelsOf(model)
  return {
    id2label: Object.fromEntries(names.map((name, i) => [i, name])),
    label2id: Object.fromEntries(names.map((name, i) => [name, i])),
  }
}

/** Whether every model still answers. */
export function isHealthy({ models }: Service): boolean {
  return models.entries().every(([, { model }]) => {
    try {
      return transformerOf(model).tokenizer !== undefined
    } catch {
      return false
    }
  })
}
