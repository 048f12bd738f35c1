/** Vectors of tokens for routes, by a MultiVectorEncoder. */
import { firstNotFinite } from '../models/embeddings.js'
import type { Task } from '../models/modules/multi-vector-mask.js'
import { maxSimMatrix } from '../models/multi-vector/scores.js'
import type { MultiVectorEncoder } from '../models/multi-vector-encoder.js'
import type { TokenEmbeddings } from '../models/token-embeddings.js'
import type { Call } from './call.js'
import { promptText } from './embed.js'
import { invalid, ServeError } from './errors.js'
import { notCutThere } from './predict.js'
import { type Cutting, countCharacters, measure } from './prepare.js'
import type { Lease } from './served-model.js'

export interface VectorRequest {
  readonly texts: readonly string[]
  /** What the body calls them. */
  readonly name: string
  readonly cutting: Cutting
  /** What the texts are, and the prompt before them. */
  readonly task: Task | undefined
  readonly promptName: string | undefined
}

type Leased = Lease & { model: MultiVectorEncoder }

/** The texts of a request: this model computes no token ids, since its masks and expansions belong to texts. @throws ServeError */
export function textsOf(items: readonly (string | readonly number[])[], name: string): readonly string[] {
  return items.map((item) => {
    if (typeof item === 'string') return item
    throw invalid(`\`${name}\`: a model with an embedding for each token takes texts, no token ids`, name)
  })
}

/** Which texts a prompt is for: `query` and `document` are also what such a model tells apart. */
export function taskOfPrompt(promptName: string | undefined): Task | undefined {
  return promptName === 'query' || promptName === 'document' ? promptName : undefined
}

/** A matrix for each text. */
export async function embedVectors(call: Call, leased: Leased, request: VectorRequest): Promise<TokenEmbeddings> {
  const { texts, options } = await prepared(call, leased.model, request)
  return call.work('embed', leased, async () => checked(await leased.model.encode(texts, options)))
}

/**
 * MaxSim of a query with each text.
 * @param isRaw as the model's `similarity` gives it; otherwise divided by the number of the query's vectors, so that scores of
 * several queries are alike
 */
export async function scoreVectors(
  call: Call,
  leased: Leased,
  { query, isRaw, ...request }: Omit<VectorRequest, 'task' | 'promptName'> & { query: string; isRaw: boolean },
): Promise<number[]> {
  const { model } = leased
  const side = (texts: readonly string[], task: Task, name: string) =>
    prepared(call, model, { ...request, texts, name, task, promptName: undefined })
  const [asked, given] = [await side([query], 'query', 'query'), await side(request.texts, 'document', request.name)]
  return call.work('predict', leased, async () => {
    const queries = await model.encodeQuery(asked.texts, asked.options)
    const documents = await model.encodeDocument(given.texts, given.options)
    const { data } = isRaw
      ? await model.similarity(queries, documents)
      : await maxSimMatrix('meanmaxsim', queries, documents)
    if (firstNotFinite(data) !== -1) throw new ServeError('Backend', 'Backend error: score is NaN')
    return [...data]
  })
}

/** Checked and counted texts, and how `encode` is asked for them. */
async function prepared(
  call: Call,
  model: MultiVectorEncoder,
  { texts, name, cutting, task, promptName }: VectorRequest,
) {
  const { service, facts } = call
  const chosen = promptName ?? service.settings.defaultPromptName ?? undefined
  const prompt = task !== undefined && promptName === undefined ? model.promptFor(task) : promptText(model, chosen)
  facts.characters += countCharacters(texts)
  const { truncate = service.settings.autoTruncate, direction } = cutting
  const measured = await measure(model.tokenizer, texts, {
    ...{ prompt, cutting: { truncate, direction }, name, call, most: model.tokenPlan().most(task) },
  })
  if (measured.isCutThere) throw notCutThere(name)
  return { texts: measured.texts, options: { prompt, ...(task && { task }), ...call.engineOptions } }
}

function checked(vectors: TokenEmbeddings): TokenEmbeddings {
  if (firstNotFinite(vectors.data) === -1) return vectors
  throw new ServeError('Backend', 'Backend error: the embedding has values that are not finite')
}
