/** Embeddings for routes. */
import { type Embeddings, embeddings, firstNotFinite, normalizeRows, truncateRows } from '../models/embeddings.js'
import type { TokenMatrix } from '../models/features.js'
import { SentenceTransformer } from '../models/sentence-transformer.js'
import type { EncodeOptions } from '../models/types.js'
import type { Call } from './call.js'
import { invalid, noSuchTask, ServeError } from './errors.js'
import type { Input, Inputs } from './inputs.js'
import { type Cutting, checkBatch, checkLength, countCharacters, measure } from './prepare.js'
import { type Lease, transformerOf } from './served-model.js'

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
  const result = await call.work('embed', lease, async () => {
    const { texts, rows } = parts
    if (rows.size === 0) return model.encode([...texts.values()], options)
    const [ofTexts, { sentenceEmbedding: whole }] = await Promise.all([
      model.encode([...texts.values()], options),
      model.forward(features([...rows.values()], model)),
    ])
    const { data } = truncateRows(whole.data, whole.shape[1], dim)
    const ofRows = embeddings(normalize ? normalizeRows(data, dim) : data, rows.size, dim)
    const all = embeddings(new Float32Array((texts.size + rows.size) * dim), texts.size + rows.size, dim)
    for (const [i, place] of [...texts.keys()].entries()) all.row(place).set(ofTexts.row(i))
    for (const [i, place] of [...rows.keys()].entries()) all.row(place).set(ofRows.row(i))
    return all
  })
  checkFinite(result.data)
  return result
}

/** The embeddings of all tokens of each input. */
export async function embedTokens(call: Call, request: EmbedRequest): Promise<Embeddings[]> {
  const { lease, model, parts } = await begin(call, request)
  const options = { outputValue: 'token_embeddings' as const, ...parts.prompt, ...call.engineOptions }
  const results = await call.work('embed', lease, async () => {
    const { texts, rows } = parts
    if (rows.size === 0) return model.encode([...texts.values()], options)
    const [ofTexts, { tokenEmbeddings }] = await Promise.all([
      model.encode([...texts.values()], options),
      model.forward(features([...rows.values()], model)),
    ])
    const [, longest, width] = tokenEmbeddings.shape
    const all = new Array<Embeddings>(texts.size + rows.size)
    for (const [i, place] of [...texts.keys()].entries()) all[place] = ofTexts[i]!
    for (const [i, [place, { length }]] of [...rows].entries()) {
      const start = i * longest * width
      all[place] = embeddings(tokenEmbeddings.data.slice(start, start + length * width), length, width)
    }
    return all
  })
  for (const { data } of results) checkFinite(data)
  return results
}

/** The inputs of a request by their places: texts, and those that are computed from token ids. */
interface Parts {
  readonly texts: ReadonlyMap<number, string>
  readonly rows: ReadonlyMap<number, Int32Array>
  readonly prompt: Pick<EncodeOptions, 'promptName'>
}

async function begin(call: Call, request: EmbedRequest) {
  const { lease, model, parts } = await beginWith(call, request, 'embedding')
  if (!(model instanceof SentenceTransformer)) throw noSuchTask('model is not an embedding model')
  return { lease, model, parts }
}

/** What a request asks for, and of which model. */
export async function beginWith(call: Call, request: EmbedRequest, task: 'embedding' | 'sparse') {
  const { inputs, name } = request
  checkBatch<Input>(inputs, name, call)
  const lease = request.lease ?? call.lease([task], request.model)
  const model = transformerOf(lease.model)
  call.takeTexts(inputs.items.length)
  return { lease, model, parts: await partsOf(call, model, request) }
}

type Tokenizing = Pick<SentenceTransformer, 'prompts' | 'defaultPromptName' | 'tokenizer'>

async function partsOf(call: Call, model: Tokenizing, request: EmbedRequest): Promise<Parts> {
  const { inputs, name } = request
  const { facts, service } = call
  const { truncate = service.settings.autoTruncate, direction } = request.cutting
  const cutting = { truncate, direction }
  const promptName = request.promptName ?? service.settings.defaultPromptName ?? undefined
  const prompt = promptText(model, promptName)
  const { tokenizer } = model
  const { maxSeqLength } = tokenizer
  const [texts, rows] = [new Map<number, string>(), new Map<number, Int32Array>()]
  for (const [i, item] of inputs.items.entries()) {
    if (typeof item === 'string') texts.set(i, item)
    else {
      checkIds(item, tokenizer.vocabSize, `${name}[${i}]`)
      // Behind a prompt ids become a text again, as in TEI.
      if (prompt !== '') texts.set(i, tokenizer.decode(item, { skipSpecialTokens: true }))
      else {
        checkLength(item.length, maxSeqLength, cutting, name)
        rows.set(i, Int32Array.from(direction === 'left' ? item.slice(-maxSeqLength) : item.slice(0, maxSeqLength)))
      }
    }
  }
  for (const { length } of rows.values()) facts.tokens += length
  const given = [...texts]
  const own = given.map(([, text]) => text)
  facts.characters += countCharacters(own)
  const measured = await measure(tokenizer, own, { prompt, cutting, name, call })
  for (const [i, [place]] of given.entries()) {
    facts.tokens += measured.lengths[i]!
    const cut = measured.cutRows.get(i)
    if (cut === undefined) texts.set(place, measured.texts[i]!)
    else {
      texts.delete(place)
      rows.set(place, cut)
    }
  }
  return { texts, rows, prompt: promptName === undefined ? {} : { promptName } }
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

/** @returns the rows as a model's `forward` takes them */
export function features(rows: readonly Int32Array[], { tokenizer }: Pick<Tokenizing, 'tokenizer'>) {
  const longest = Math.max(...rows.map(({ length }) => length))
  const matrix = (fill: number): TokenMatrix => ({
    data: new Int32Array(rows.length * longest).fill(fill),
    shape: [rows.length, longest],
  })
  const [inputIds, attentionMask] = [matrix(tokenizer.padTokenId ?? 0), matrix(0)]
  for (const [i, row] of rows.entries()) {
    inputIds.data.set(row, i * longest)
    attentionMask.data.fill(1, i * longest, i * longest + row.length)
  }
  return { inputIds, attentionMask }
}

/** JSON has no number for what is not finite. */
function checkFinite(data: Float32Array): void {
  if (firstNotFinite(data) === -1) return
  throw new ServeError('Backend', 'Backend error: the embedding has values that are not finite')
}
