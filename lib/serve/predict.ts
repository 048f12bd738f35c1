/** Scores of texts and pairs for routes. */
import { TextClassifier } from '../classification/text-classifier.js'
import { CrossEncoder } from '../models/cross-encoder.js'
import { encodeTexts } from '../models/encode.js'
import type { Pair } from '../models/scores.js'
import type { Call } from './call.js'
import { invalid, noSuchTask, ServeError } from './errors.js'
import { type Cutting, checkLength, countCharacters, measure, withinCharacters } from './prepare.js'
import { type AnyModel, type Lease, transformerOf } from './served-model.js'

export interface PredictRequest {
  readonly items: readonly (string | Pair)[]
  /** What the body calls them. */
  readonly name: string
  readonly cutting: Cutting
  /** Logits in place of probabilities. */
  readonly rawScores: boolean
}

/** More tokens than any pair has. */
const UNCUT = 2 ** 31 - 1

/**
 * A row of scores for each item: over several labels their probabilities (softmax), of a single one its sigmoid, or the logits.
 * Source: text-embeddings-inference `Infer::predict`.
 */
export async function predict(call: Call, lease: Lease, request: PredictRequest): Promise<number[][]> {
  const { model } = lease
  const { autoTruncate } = call.service.settings
  const asked = { ...request, cutting: { ...request.cutting, truncate: request.cutting.truncate ?? autoTruncate } }
  if (model instanceof TextClassifier) return ofClassifier(call, lease, model, asked)
  if (model instanceof CrossEncoder) return ofCrossEncoder(call, lease, model, asked)
  throw noSuchTask('model is not a classifier model')
}

/** The labels of a model, in the order of its scores. */
export function labelsOf(model: AnyModel): string[] {
  if (model instanceof TextClassifier) return model.labels.map(String)
  if (!(model instanceof CrossEncoder)) return []
  const names = model.config.id2label
  const known = typeof names === 'object' && names !== null ? (names as Readonly<Record<string, unknown>>) : {}
  return Array.from({ length: model.numLabels }, (_, i) => {
    const name = Object.hasOwn(known, i) ? known[i] : undefined
    return typeof name === 'string' ? name : `LABEL_${i}`
  })
}

async function ofClassifier(
  call: Call,
  lease: Lease,
  model: TextClassifier,
  { items, name, cutting, rawScores }: PredictRequest,
): Promise<number[][]> {
  if (rawScores) throw invalid('`raw_scores`: this classifier gives probabilities alone', 'raw_scores')
  const texts = items.map((item) => {
    if (typeof item === 'string') return item
    throw invalid(`\`${name}\`: this classifier takes single texts, no pairs`, name)
  })
  const short = await shortTexts(call, model, texts, cutting, name)
  const found = await call.work('predict', lease, () => model.predictProba(short, { signal: call.signal }))
  return checked(short.map((_, i) => [...found.row(i)]))
}

async function ofCrossEncoder(
  call: Call,
  lease: Lease,
  model: CrossEncoder,
  { items, name, cutting, rawScores }: PredictRequest,
): Promise<number[][]> {
  const texts = items.filter((item) => typeof item === 'string')
  const given = items.filter((item) => typeof item !== 'string')
  const short = await shortTexts(call, model, texts, cutting, name)
  const pairs = await shortPairs(call, model, given, cutting, name)
  const [ofTexts, ofPairs] = await call.work('predict', lease, () =>
    Promise.all([
      textLogits(model, short, call),
      pairs.length === 0 ? undefined : model.predict(pairs, { activation: 'identity', ...call.engineOptions }),
    ]),
  )
  let [text, pair] = [0, 0]
  const rows = items.map((item) => [...(typeof item === 'string' ? ofTexts[text++]! : ofPairs!.row(pair++))])
  return checked(rawScores ? rows : rows.map(probabilities))
}

/** Logits of single texts, which `CrossEncoder.predict` does not take. */
async function textLogits(
  { encoder, tokenizer }: CrossEncoder,
  texts: readonly string[],
  call: Call,
): Promise<Float32Array[]> {
  const rows: Float32Array[] = []
  const put = (i: number, values: Float32Array) => {
    rows[i] = values.slice()
  }
  const settings = { prompt: '', output: 'sentence_embedding' as const, batchSize: 32, ...call.engineOptions }
  const request = { encoder, tokenizer, texts, ...settings, put }
  if (texts.length > 0) await encodeTexts(request)
  return rows
}

async function shortTexts(
  call: Call,
  model: AnyModel,
  texts: readonly string[],
  cutting: Cutting,
  name: string,
): Promise<readonly string[]> {
  const { tokenizer } = transformerOf(model)
  call.facts.characters += countCharacters(texts)
  const measured = await measure(tokenizer, texts, { prompt: '', cutting, name, call })
  if (measured.isCutThere) throw notCutThere(name)
  return measured.texts
}

async function shortPairs(
  call: Call,
  model: CrossEncoder,
  given: readonly Pair[],
  cutting: Cutting,
  name: string,
): Promise<Pair[]> {
  if (given.length === 0) return []
  const { maxLength, tokenizer } = model
  const pairs = given.map(
    ([a, b]): Pair => [withinCharacters(a, maxLength, cutting, name), withinCharacters(b, maxLength, cutting, name)],
  )
  const own = tokenizer.truncatesLeft ? 'left' : 'right'
  const cutsOwnWay = cutting.truncate === true && (cutting.direction ?? own) === own
  const start = performance.now()
  const { offsets } = await model.pairTokenizer.encode(
    pairs.map(([first]) => first),
    pairs.map(([, second]) => second),
    cutsOwnWay ? maxLength : UNCUT,
    { signal: call.signal },
  )
  call.facts.tokenization += performance.now() - start
  call.facts.characters += countCharacters(given.flat())
  for (let i = 0; i < pairs.length; i++) {
    const length = offsets[i + 1]! - offsets[i]!
    checkLength(length, maxLength, cutting, name)
    if (length > maxLength) throw notCutThere(name)
    call.facts.tokens += length
    call.service.metrics.inputLength.record(length)
  }
  return pairs
}

/** @internal */
export function notCutThere(name: string): ServeError {
  return invalid(`\`truncation_direction\`: \`${name}\` is too long, and this model cuts on its tokenizer's side alone`)
}

/** Source: text-embeddings-inference `Infer::predict`, which subtracts the largest logit by its size; the quotients are the same. */
function probabilities(logits: readonly number[]): number[] {
  if (logits.length === 1) return [1 / (1 + Math.exp(-logits[0]!))]
  const most = Math.max(...logits)
  const powers = logits.map((logit) => Math.exp(logit - most))
  const sum = powers.reduce((total, power) => total + power, 0)
  return powers.map((power) => power / sum)
}

function checked(rows: number[][]): number[][] {
  if (rows.flat().every(Number.isFinite)) return rows
  throw new ServeError('Backend', 'Backend error: score is NaN')
}
