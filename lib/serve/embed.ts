/** Embeddings for routes. */
import { concatTokenized, type Tokenized } from '../data/pack.js'
import { type Embeddings, firstNotFinite } from '../models/embeddings.js'
import { SentenceTransformer } from '../models/sentence-transformer.js'
import type { EncodeOptions } from '../models/types.js'
import type { Call } from './call.js'
import { invalid, noSuchTask, ServeError } from './errors.js'
import type { Input, Inputs } from './inputs.js'
import { type Cutting, checkBatch, checkLength, countCharacters, measure } from './prepare.js'
import { type AnyModel, type Lease, transformerOf } from './served-model.js'

export interface EmbedRequest {
  readonly inputs: Inputs
  /** What the body calls the inputs. */
  readonly name: string
  readonly model: string | undefined
  /** Of that model, where the route has one already. */
  readonly lease?: Lease
  readonly cutting: Cutting
  readonly promptName: string | undefined
  readonly normalize: boolean
  readonly dimensions?: number | undefined
}

/** One row for each input. */
export async function embed(call: Call, request: EmbedRequest): Promise<Embeddings> {
  const { lease, model, parts } = await begin(call, request)
  const { normalize } = request
  const dim = checkDimensions(request.dimensions, model)
  const options = { truncateDim: dim, normalizeEmbeddings: normalize, ...parts.prompt, ...call.engineOptions }
  const result = await call.work('embed', lease, () => model.encodeTokens(parts.tokens, options))
  checkFinite(result.data)
  return result
}

/** The embeddings of all tokens of each input. */
export async function embedTokens(call: Call, request: EmbedRequest): Promise<Embeddings[]> {
  const { lease, model, parts } = await begin(call, request)
  const options = { outputValue: 'token_embeddings' as const, ...parts.prompt, ...call.engineOptions }
  const results = await call.work('embed', lease, () => model.encodeTokens(parts.tokens, options))
  for (const { data } of results) checkFinite(data)
  return results
}

/** The inputs of a request as the model reads them, and how it is asked. */
interface Parts {
  readonly tokens: Tokenized
  readonly prompt: Pick<EncodeOptions, 'promptName'>
}

function begin(call: Call, request: EmbedRequest) {
  return beginWith(call, request, 'embedding', (model) => {
    if (model instanceof SentenceTransformer) return model
    throw noSuchTask('model is not an embedding model')
  })
}

/** What a request asks for, and of which model. @param checked throws for another kind of model */
export async function beginWith<M extends Tokenizing>(
  call: Call,
  request: EmbedRequest,
  task: 'embedding' | 'sparse',
  checked: (model: AnyModel) => M,
): Promise<{ lease: Lease; model: M; parts: Parts }> {
  const { inputs, name } = request
  checkBatch<Input>(inputs, name, call)
  const lease = request.lease ?? call.lease([task], request.model)
  const model = checked(transformerOf(lease.model))
  call.takeTexts(inputs.items.length)
  return { lease, model, parts: await partsOf(call, model, request) }
}

type Tokenizing = Pick<SentenceTransformer, 'prompts' | 'defaultPromptName' | 'route'>

async function partsOf(call: Call, model: Tokenizing, request: EmbedRequest): Promise<Parts> {
  const { inputs, name } = request
  const { facts, service } = call
  const { truncate = service.settings.autoTruncate, direction } = request.cutting
  const cutting = { truncate, direction }
  const promptName = request.promptName ?? service.settings.defaultPromptName ?? undefined
  const prompt = promptText(model, promptName)
  const { tokenizer } = model.route()
  const { maxSeqLength } = tokenizer
  const rows = new Array<Int32Array>(inputs.items.length)
  const texts: string[] = []
  const places: number[] = []
  for (const [i, item] of inputs.items.entries()) {
    if (typeof item !== 'string') checkIds(item, tokenizer.vocabSize, `${name}[${i}]`)
    if (typeof item === 'string' || prompt !== '') {
      // Behind a prompt ids become a text again, as in TEI.
      texts.push(typeof item === 'string' ? item : tokenizer.decode(item, { skipSpecialTokens: true }))
      places.push(i)
    } else {
      checkLength(item.length, maxSeqLength, cutting, name)
      rows[i] = Int32Array.from(direction === 'left' ? item.slice(-maxSeqLength) : item.slice(0, maxSeqLength))
      facts.tokens += rows[i].length
    }
  }
  facts.characters += countCharacters(texts)
  const measured = await measure(tokenizer, texts, { prompt, cutting, name, call })
  for (const [i, place] of places.entries()) rows[place] = measured.rows[i]!
  return { tokens: concatTokenized(rows.map(asTokenized)), prompt: promptName === undefined ? {} : { promptName } }
}

function asTokenized(row: Int32Array): Tokenized {
  return { ids: row, offsets: Int32Array.of(0, row.length) }
}

/** The prompt that stands before texts. @throws ServeError for a name that the model does not have */
export function promptText(
  { prompts, defaultPromptName }: Pick<SentenceTransformer, 'prompts' | 'defaultPromptName'>,
  promptName: string | undefined,
): string {
  const name = promptName ?? defaultPromptName
  if (name === null || name === undefined) return ''
  if (Object.hasOwn(prompts, name)) return prompts[name]!
  const known = Object.keys(prompts).join(', ') || 'none'
  throw invalid(`the prompt ${JSON.stringify(name)} was not found. Available prompts: ${known}`, 'prompt_name')
}

/** @throws ServeError */
function checkDimensions(dimensions: number | undefined, model: SentenceTransformer): number {
  const full = model.encoder.embeddingDimension
  if (dimensions === undefined) return model.embeddingDimension
  if (dimensions === 0) throw invalid('`dimensions` should be positive', 'dimensions')
  if (dimensions <= full) return dimensions
  throw invalid(`\`dimensions\` should be smaller than the maximum embedding dimension, ${full}`, 'dimensions')
}

function checkIds(ids: readonly number[], vocabulary: number, name: string): void {
  const wrong = ids.findIndex((id) => id >= vocabulary)
  if (wrong !== -1)
    throw invalid(`\`${name}[${wrong}]\` is ${ids[wrong]}, but the model has ${vocabulary} tokens`, name)
}

/** JSON has no number for what is not finite. */
function checkFinite(data: Float32Array): void {
  if (firstNotFinite(data) === -1) return
  throw new ServeError('Backend', 'Backend error: the embedding has values that are not finite')
}
