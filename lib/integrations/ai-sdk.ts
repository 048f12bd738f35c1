/**
 * sentence-torch/ai-sdk: models for `embed`, `embedMany` and `rerank` of the AI SDK (npm `ai`). It imports nothing of it: its
 * specification is made of types. See docs/integrations.md.
 */
import { signalOf } from '../io/abort.js'
import type { CrossEncoder } from '../models/cross-encoder.js'
import type { SentenceTransformer } from '../models/sentence-transformer.js'
import { checkInteger, checkOneOf, checkOptions, checkType } from '../options.js'
import {
  arraysOf,
  checkEmbedder,
  checkReranker,
  EMBED_OPTIONS,
  type EmbedOptions,
  type RerankOptions,
  rerank,
} from './shared.js'

export type { EmbedOptions, RerankOptions } from './shared.js'

/** Of @ai-sdk/provider: 4 (`ai` 7) has v4, 3 (`ai` 6) has v3. `ai` 7 takes both. */
export type SpecificationVersion = 'v4' | 'v3'
/** Which of the model's prompts stands before the texts. */
export type InputType = 'query' | 'document'

interface ModelNames {
  /** The version of the specification. Default `v4`. */
  specificationVersion?: SpecificationVersion
  /** The name that logs and traces show. Default: the hub id, or `local`. */
  modelId?: string
}

export interface EmbeddingModelOptions extends EmbedOptions, ModelNames {
  /**
   * Default `document`. A call says otherwise by `providerOptions: { sentenceTorch: { inputType: 'query' } }`: the AI SDK itself has no
   * word for it.
   */
  inputType?: InputType
}

export interface RerankingModelOptions extends Omit<RerankOptions, 'topN'>, ModelNames {}

/** Options of a model for `ai` 6. */
interface V3 {
  specificationVersion: 'v3'
}
/** Options of a model for `ai` 7. */
interface V4 {
  specificationVersion?: 'v4'
}

/** `EmbeddingModelV4`, or `EmbeddingModelV3`, of @ai-sdk/provider. */
export interface EmbeddingModel<V extends SpecificationVersion = 'v4'> {
  readonly specificationVersion: V
  readonly provider: string
  readonly modelId: string
  readonly maxEmbeddingsPerCall: number
  readonly supportsParallelCalls: boolean
  doEmbed(options: EmbedCall): Promise<{ embeddings: number[][]; usage: { tokens: number }; warnings: Warning[] }>
}

/** `RerankingModelV4`, or `RerankingModelV3`, of @ai-sdk/provider. */
export interface RerankingModel<V extends SpecificationVersion = 'v4'> {
  readonly specificationVersion: V
  readonly provider: string
  readonly modelId: string
  doRerank(
    options: RerankCall,
  ): Promise<{ ranking: { index: number; relevanceScore: number }[]; warnings: Warning[]; response: RerankResponse }>
}

interface RerankResponse {
  modelId: string
}
type ProviderOptions = Record<string, Record<string, unknown>>
/** What a call asks for that happens otherwise. */
export interface Warning {
  type: 'compatibility'
  feature: string
  details: string
}

/** A call of `doEmbed`. `headers` are for services. */
export interface EmbedCall {
  values: string[]
  /** Of `ai` 7: the first dimensions of each embedding. */
  dimensions?: number
  abortSignal?: AbortSignal
  providerOptions?: ProviderOptions
  headers?: Record<string, string | undefined>
}

/** A call of `doRerank`. `headers` are for services. */
export interface RerankCall {
  documents: { type: 'text'; values: string[] } | { type: 'object'; values: object[] }
  query: string
  topN?: number
  abortSignal?: AbortSignal
  providerOptions?: ProviderOptions
  headers?: Record<string, string | undefined>
}

const PROVIDER = 'sentence-torch'
/** The AI SDK writes keys of providerOptions in camel case. */
const OPTIONS_KEY = 'sentenceTorch'
const VERSIONS: readonly SpecificationVersion[] = ['v4', 'v3']

/**
 * An embedding model of the AI SDK.
 *
 * ```ts
 * const { embeddings } = await embedMany({ model: embeddingModel(model), values: texts })
 * ```
 * @throws SentenceTorchError ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION
 */
export function embeddingModel(model: SentenceTransformer, options: EmbeddingModelOptions & V3): EmbeddingModel<'v3'>
export function embeddingModel(model: SentenceTransformer, options?: EmbeddingModelOptions & V4): EmbeddingModel<'v4'>
export function embeddingModel(
  model: SentenceTransformer,
  options: EmbeddingModelOptions = {},
): EmbeddingModel<SpecificationVersion> {
  checkEmbedder(model)
  checkOptions('embeddingModel', options, [...EMBED_OPTIONS, 'inputType', ...NAMES])
  checkInputType('inputType', options.inputType)
  const { inputType, specificationVersion, modelId, ...embed } = options
  return {
    ...namesOf(options, model.source.id),
    // One call is one job for the engine, which forms batches by itself.
    maxEmbeddingsPerCall: Number.POSITIVE_INFINITY,
    supportsParallelCalls: true,
    async doEmbed({ values, dimensions, abortSignal: signal, providerOptions }) {
      const asked = callOptions(providerOptions, ['inputType'])
      checkInputType(`providerOptions.${OPTIONS_KEY}.inputType`, asked.inputType)
      const prompt = model.promptFor((asked.inputType as InputType | undefined) ?? inputType ?? 'document')
      checkInteger('dimensions', dimensions, 1, model.embeddingDimension)
      const own = { ...embed, ...(dimensions !== undefined && { truncateDim: dimensions }) }
      const [rows, tokens] = await aborting(signal, async () => {
        const found = await model.encode(values, { ...own, prompt, ...signalOf({ signal }) })
        return [found, await tokensOf(model, values, prompt, signal)] as const
      })
      return { embeddings: arraysOf(rows), usage: { tokens }, warnings: [] }
    },
  }
}

/**
 * A reranking model of the AI SDK. Documents that are objects are ranked by their JSON.
 *
 * ```ts
 * const { rerankedDocuments } = await rerank({ model: rerankingModel(model), query, documents, topN: 3 })
 * ```
 * @throws SentenceTorchError ERR_INVALID_ARGUMENT (a model with several labels among others), ERR_UNKNOWN_OPTION
 */
export function rerankingModel(model: CrossEncoder, options: RerankingModelOptions & V3): RerankingModel<'v3'>
export function rerankingModel(model: CrossEncoder, options?: RerankingModelOptions & V4): RerankingModel<'v4'>
export function rerankingModel(
  model: CrossEncoder,
  options: RerankingModelOptions = {},
): RerankingModel<SpecificationVersion> {
  checkOptions('rerankingModel', options, ['batchSize', 'activationFn', ...NAMES])
  const { specificationVersion, modelId, ...predict } = options
  checkReranker('rerankingModel', model, predict)
  const names = namesOf(options, undefined)
  return {
    ...names,
    async doRerank({ documents, query, topN, abortSignal: signal, providerOptions }) {
      callOptions(providerOptions, [])
      const texts =
        documents.type === 'text' ? documents.values : documents.values.map((value) => JSON.stringify(value))
      const call = { ...predict, ...(topN !== undefined && { topN }), ...(signal && { signal }) }
      const ranked = await aborting(signal, () => rerank(model, query, texts, call))
      return {
        ranking: ranked.map(({ corpusId, score }) => ({ index: corpusId, relevanceScore: score })),
        warnings: documents.type === 'text' ? [] : [JSON_WARNING],
        response: { modelId: names.modelId },
      }
    },
  }
}

const NAMES = ['specificationVersion', 'modelId']
const JSON_WARNING: Warning = {
  type: 'compatibility',
  feature: 'object documents',
  details: 'Object documents are ranked by their JSON.',
}

function namesOf({ specificationVersion = 'v4', modelId }: ModelNames, id: string | undefined) {
  checkOneOf('specificationVersion', specificationVersion, VERSIONS)
  checkType('modelId', modelId, 'string')
  return { specificationVersion, provider: PROVIDER, modelId: modelId ?? id ?? 'local' }
}

/** What a call says for this provider alone. */
function callOptions(given: ProviderOptions | undefined, names: readonly string[]): Record<string, unknown> {
  const own = given?.[OPTIONS_KEY] ?? {}
  checkOptions(`providerOptions.${OPTIONS_KEY}`, own, names)
  return own
}

function checkInputType(name: string, value: unknown): void {
  checkOneOf(name, value, ['query', 'document'])
}

/** An aborted call rejects with the signal's own reason, as the AI SDK expects. */
async function aborting<T>(signal: AbortSignal | undefined, run: () => Promise<T>): Promise<T> {
  try {
    return await run()
  } catch (error) {
    signal?.throwIfAborted()
    throw error
  }
}

/** Tokens that the model reads, special tokens included, after truncation. */
async function tokensOf(
  model: SentenceTransformer,
  texts: readonly string[],
  prompt: string,
  signal: AbortSignal | undefined,
): Promise<number> {
  const prompted = texts.map((text) => prompt + text)
  const { offsets } = await model.tokenizer.encodeAll(prompted, model.maxSeqLength, {
    allowEmpty: true,
    ...signalOf({ signal }),
  })
  return offsets.at(-1)!
}
