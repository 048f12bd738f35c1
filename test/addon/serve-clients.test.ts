// Real clients, unchanged: `openai` and `@huggingface/inference`. Each is skipped with a message where it is not installed.
import test, { type ExecutionContext } from 'ava'
import type { RunningServer } from '../../lib/serve/index.js'
import { serveTiny, type TinyModels, tinyModels } from '../helpers/served-models.js'

let models: TinyModels
let server: RunningServer
test.before(async () => {
  models = await tinyModels()
  server = await serveTiny(models, { apiKeys: ['secret'] })
})
test.after.always(async () => {
  await server.close()
  await models.dispose()
})

const TEXTS = ['the red cat', 'a blue dog is very like snow']

/** A package, as far as the test uses it; undefined where it is not installed. */
async function packageOf<T>(t: ExecutionContext, name: string): Promise<T | undefined> {
  try {
    return (await import(name)) as T
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw error
    t.log(`skipped: ${name} is not installed`)
    t.pass()
    return undefined
  }
}

const nearly = (t: ExecutionContext, found: readonly number[], wanted: Float32Array) => {
  t.is(found.length, wanted.length)
  t.true(found.every((value, i) => Math.abs(value - wanted[i]!) <= 1e-6))
}

interface OpenAiPackage {
  default: new (options: {
    baseURL: string
    apiKey: string
    maxRetries: number
  }) => {
    embeddings: {
      create(body: object): Promise<{
        data: { embedding: number[]; index: number }[]
        usage: { prompt_tokens: number }
      }>
    }
    models: { list(): AsyncIterable<{ id: string }>; retrieve(id: string): Promise<{ id: string }> }
  }
}

test('openai: embeddings (which it asks for in base64), models, errors', async (t) => {
  const found = await packageOf<OpenAiPackage>(t, 'openai')
  if (!found) return
  const client = new found.default({ baseURL: `${server.url}/v1`, apiKey: 'secret', maxRetries: 0 })
  const expected = await models.embedder.encode(TEXTS, { normalizeEmbeddings: true })
  for (const encoding_format of [undefined, 'float']) {
    const { data, usage } = await client.embeddings.create({ model: 'tiny', input: TEXTS, encoding_format })
    for (const { embedding, index } of data) nearly(t, embedding, expected.row(index))
    t.true(usage.prompt_tokens > 6)
  }
  const cut = await client.embeddings.create({ model: 'tiny', input: TEXTS[0], dimensions: 8 })
  t.is(cut.data[0]!.embedding.length, 8)
  const ids: string[] = []
  for await (const { id } of client.models.list()) ids.push(id)
  t.deepEqual(ids, ['tiny', 'reranker', 'three', 'classifier'])
  t.is((await client.models.retrieve('tiny')).id, 'tiny')
  const unknown = await t.throwsAsync(client.embeddings.create({ model: 'gpt', input: 'cat' }))
  t.like(unknown, { status: 404, code: 'model_not_found', param: 'model' })
  const stranger = new found.default({ baseURL: `${server.url}/v1`, apiKey: 'wrong', maxRetries: 0 })
  const refused = await t.throwsAsync(stranger.embeddings.create({ model: 'tiny', input: 'cat' }))
  t.like(refused, { status: 401, code: 'invalid_api_key' })
})

interface HuggingFacePackage {
  InferenceClient: new (
    token: string,
    options?: { endpointUrl: string },
  ) => {
    featureExtraction(args: object): Promise<number[] | number[][]>
    sentenceSimilarity(args: object): Promise<number[]>
  }
}

test('@huggingface/inference: features and similarities, also at the address of a model', async (t) => {
  const found = await packageOf<HuggingFacePackage>(t, '@huggingface/inference')
  if (!found) return
  const client = new found.InferenceClient('secret', { endpointUrl: server.url })
  const expected = await models.embedder.encode(TEXTS, { normalizeEmbeddings: true })
  const rows = (await client.featureExtraction({ inputs: TEXTS })) as number[][]
  for (const [i, row] of rows.entries()) nearly(t, row, expected.row(i))
  const inputs = { source_sentence: TEXTS[0], sentences: [TEXTS[1]] }
  const [similarity] = await client.sentenceSimilarity({ inputs })
  t.true(Math.abs(similarity! - models.embedder.similarity(expected.row(0), expected.row(1)).data[0]!) <= 1e-6)
  const named = new found.InferenceClient('secret', { endpointUrl: `${server.url}/models/tiny` })
  nearly(t, ((await named.featureExtraction({ inputs: TEXTS[0], normalize: true })) as number[][])[0]!, expected.row(0))
})
