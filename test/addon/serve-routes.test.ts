// Every route over HTTP, beside what the models themselves compute.
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { type MultiVectorEncoder, maxSimMatrix, type SparseEncoder } from '../../lib/index.js'
import { loadModel, type RunningServer, serve } from '../../lib/serve/index.js'
import { get, post, serveTiny, type TinyModels, tinyModels } from '../helpers/served-models.js'

let models: TinyModels
let server: RunningServer
test.before(async () => {
  models = await tinyModels()
  server = await serveTiny(models)
})
test.after.always(async () => {
  await server.close()
  await models.dispose()
})

const TEXTS = ['the red cat', 'a blue dog is very like snow', 'bread and milk']

async function ask(path: string, body: unknown) {
  const answer = await post(server.url + path, body)
  if (answer.status !== 200) throw new Error(`${path}: ${answer.status} ${JSON.stringify(answer.json)}`)
  return answer
}

type Truth = { true(value: boolean, message?: string): void; is(a: unknown, b: unknown): void }
function near(t: Truth, found: readonly number[], wanted: ArrayLike<number>): void {
  t.is(found.length, wanted.length)
  t.true(
    found.every((value, i) => Math.abs(value - wanted[i]!) <= 1e-6),
    `${found.slice(0, 4)} and ${Array.from(wanted).slice(0, 4)}`,
  )
}

type Options = { normalizeEmbeddings?: boolean; promptName?: string; truncateDim?: number }

/** Bodies of /embed, and how `encode` is asked for the same. */
const EMBEDDINGS: [what: string, body: object, texts: readonly string[], options: Options][] = [
  ['a text', { inputs: TEXTS[0] }, [TEXTS[0]!], { normalizeEmbeddings: true }],
  ['a batch', { inputs: TEXTS }, TEXTS, { normalizeEmbeddings: true }],
  ['without normalisation', { inputs: TEXTS, normalize: false }, TEXTS, {}],
  ['a prompt', { inputs: TEXTS, prompt_name: 'query' }, TEXTS, { promptName: 'query', normalizeEmbeddings: true }],
  ['dimensions', { inputs: TEXTS, dimensions: 8 }, TEXTS, { truncateDim: 8, normalizeEmbeddings: true }],
  ['a long text', { inputs: 'cat '.repeat(500) }, ['cat '.repeat(500)], { normalizeEmbeddings: true }],
  ['nulls', { inputs: TEXTS, truncate: null, dimensions: null }, TEXTS, { normalizeEmbeddings: true }],
  ['members that are not known', { inputs: TEXTS, priority: 9 }, TEXTS, { normalizeEmbeddings: true }],
]

for (const [what, body, texts, options] of EMBEDDINGS) {
  test(`/embed: ${what}`, async (t) => {
    const { json, header } = await ask('/embed', body)
    const expected = await models.embedder.encode(texts, options)
    t.is(json.length, texts.length)
    for (const [i, row] of json.entries()) near(t, row, expected.row(i))
    t.is(header('x-model-name'), 'tiny')
    t.is(header('x-model-version'), '1')
    t.true(Number(header('x-compute-tokens')) >= 3)
  })
}

test('/embed: token ids, alone and beside texts, are what the tokenizer makes of the texts', async (t) => {
  const { inputIds } = await models.embedder.tokenize([TEXTS[0]!])
  const ids = [...inputIds.data]
  const expected = await models.embedder.encode(TEXTS, { normalizeEmbeddings: true })
  near(t, (await ask('/embed', { inputs: ids })).json[0], expected.row(0))
  const { json } = await ask('/embed', { inputs: [TEXTS[1], ids, TEXTS[2]] })
  for (const [i, row] of [1, 0, 2].entries()) near(t, json[i], expected.row(row))
  const prompted = await models.embedder.encode([TEXTS[0]!], { promptName: 'query', normalizeEmbeddings: true })
  near(t, (await ask('/embed', { inputs: ids, prompt_name: 'query' })).json[0], prompted.row(0))
})

test('/embed: truncation_direction left keeps the end of a text', async (t) => {
  const most = models.embedder.maxSeqLength - 2
  const long = `${'cat '.repeat(40)}${'red '.repeat(most)}`.trim()
  const [left, right] = await Promise.all(
    ['left', 'Right'].map((truncation_direction) => ask('/embed', { inputs: [long, 'cow'], truncation_direction })),
  )
  const expected = await models.embedder.encode(['red '.repeat(most).trim(), long, 'cow'], {
    normalizeEmbeddings: true,
  })
  near(t, left!.json[0], expected.row(0))
  near(t, right!.json[0], expected.row(1))
  for (const { json } of [left!, right!]) near(t, json[1], expected.row(2))
})

test('/embed_all: embeddings of all tokens, of texts and of ids', async (t) => {
  const { inputIds } = await models.embedder.tokenize([TEXTS[0]!])
  const { json } = await ask('/embed_all', { inputs: [...TEXTS, [...inputIds.data]] })
  const expected = await models.embedder.encode([...TEXTS, TEXTS[0]!], { outputValue: 'token_embeddings' })
  t.is(json.length, 4)
  for (const [i, rows] of expected.entries()) {
    t.is(json[i].length, rows.shape[0])
    for (const [token, row] of json[i].entries()) near(t, row, rows.row(token))
  }
})

test('/embed_sparse says that no model is sparse', async (t) => {
  const { status, json } = await post(`${server.url}/embed_sparse`, { inputs: 'cat' })
  t.is(status, 424)
  t.is(json.error_type, 'Backend')
})

test('a sparse encoder answers /embed_sparse, and / , with the values that are not zero', async (t) => {
  const folder = fileURLToPath(new URL('../../../test/parity/golden/sparse/bert/', import.meta.url))
  await using sparse = (await loadModel(folder)) as SparseEncoder
  const own = await serve({ models: { sparse, tiny: models.embedder }, port: 0 })
  const expected = await sparse.encode(TEXTS)
  const near = (found: { index: number; value: number }[], i: number) => {
    const { indices, values } = expected.row(i)
    t.deepEqual(
      found.map(({ index }) => index),
      [...indices],
    )
    for (const [k, { value }] of found.entries()) t.true(Math.abs(value - values[k]!) <= 1e-6)
  }
  try {
    for (const path of ['/embed_sparse', '/']) {
      const { status, json } = await post(own.url + path, { inputs: TEXTS })
      t.is(status, 200)
      t.is(json.length, TEXTS.length)
      for (const i of TEXTS.keys()) near(json[i], i)
    }
    const { inputIds } = await sparse.tokenize([TEXTS[1]!])
    near((await post(`${own.url}/embed_sparse`, { inputs: [[...inputIds.data]] })).json[0], 1)
    t.like((await get(`${own.url}/info`)).json.model_type, { embedding: { pooling: 'splade' } })
    t.is((await post(`${own.url}/models/tiny/embed_sparse`, { inputs: 'cat' })).status, 424)
    t.is((await post(`${own.url}/models/sparse/embed`, { inputs: 'cat' })).status, 424)
    t.is((await post(`${own.url}/embed_sparse`, { inputs: 'cat', prompt_name: 'none' })).status, 422)
  } finally {
    await own.close()
  }
})

test('a multi-vector encoder answers /embed_all, /v1/multi-vector and the re-rankings', async (t) => {
  const folder = fileURLToPath(new URL('../../../test/parity/golden/multi-vector/classic/', import.meta.url))
  await using colbert = (await loadModel(folder)) as MultiVectorEncoder
  const own = await serve({ models: { colbert, tiny: models.embedder }, port: 0 })
  const texts = ['a cat sat', 'the dog runs on a mat', 'not fast']
  const ask = (path: string, body: object) => post(own.url + path, body)
  const refused = async (path: string, body: object, status: number, message: RegExp) => {
    const { status: found, json } = await ask(path, body)
    t.is(found, status, path)
    t.regex(JSON.stringify(json), message)
  }
  try {
    const sides = {
      none: await colbert.encode(texts),
      query: await colbert.encodeQuery(texts),
      document: await colbert.encodeDocument(texts),
    }
    for (const [side, expected] of Object.entries(sides)) {
      const more = side === 'none' ? {} : { prompt_name: side }
      const { json, status, header } = await ask('/models/colbert/embed_all', { inputs: texts, ...more })
      t.deepEqual([status, json.length, header('x-model-name')], [200, 3, 'colbert'])
      for (const [i, rows] of json.entries()) near(t, rows.flat(), expected.row(i).data)
      if (side === 'none') continue
      const jina = await ask('/v1/multi-vector', { input: texts, input_type: side, dimensions: 4 })
      t.like(jina.json, { object: 'list', model: 'colbert' })
      t.true(jina.json.usage.total_tokens > 6)
      for (const { index, embeddings } of jina.json.data) near(t, embeddings.flat(), expected.row(index).data)
    }
    const query = 'a cat'
    const asked = await colbert.encodeQuery([query])
    const ranked = async (data: Float32Array) =>
      [...data].map((score, index) => ({ index, score })).sort((a, b) => b.score - a.score)
    const raw = await ranked((await colbert.similarity(asked, sides.document)).data)
    const mean = await ranked((await maxSimMatrix('meanmaxsim', asked, sides.document)).data)
    for (const [body, expected] of [
      [{ raw_scores: true }, raw],
      [{}, mean],
    ] as const) {
      const { json } = await ask('/rerank', { query, texts, ...body })
      t.deepEqual(
        json.map(({ index }: { index: number }) => index),
        expected.map(({ index }) => index),
      )
      near(
        t,
        json.map(({ score }: { score: number }) => score),
        expected.map(({ score }) => score),
      )
    }
    const { json } = await ask('/v1/rerank', { query, documents: texts, top_n: 1, return_documents: true })
    t.like(json.results[0], { index: mean[0]!.index, document: { text: texts[mean[0]!.index]! } })
    near(t, [json.results[0].relevance_score], [mean[0]!.score])
    const { model_type, max_input_length } = (await get(`${own.url}/models/colbert/info`)).json
    t.deepEqual(model_type, { embedding: { pooling: 'none', dimensions: 4, similarity: 'maxsim' } })
    t.is(max_input_length, 12)
    t.is((await ask('/models/colbert/', { inputs: texts })).json.length, 3)
    t.is((await ask('/models/colbert/tokenize', { inputs: texts })).json.length, 3)
    // What it does not do is refused by name.
    for (const path of ['/embed', '/v1/embeddings', '/predict', '/embed_sparse']) {
      await refused(`/models/colbert${path}`, { inputs: 'a', input: 'a' }, 424, /colbert is not an? /)
    }
    const similarity = { inputs: { source_sentence: 'a', sentences: ['b'] } }
    await refused('/models/colbert/similarity', similarity, 424, /colbert is not an embedding model/)
    await refused(
      '/models/tiny/v1/multi-vector',
      { input: 'a' },
      424,
      /tiny is not a model with an embedding for each token/,
    )
    await refused('/models/colbert/embed_all', { inputs: [[1, 2]] }, 422, /takes texts, no token ids/)
    await refused('/v1/multi-vector', { input: 'a', dimensions: 3 }, 422, /have 4 numbers/)
    const long = 'cat '.repeat(30)
    const document = { inputs: long, prompt_name: 'document' }
    await refused('/models/colbert/embed_all', { ...document, truncate: false }, 422, /less than 12 tokens. Given: 33/)
    await refused(
      '/models/colbert/embed_all',
      { ...document, truncation_direction: 'left' },
      422,
      /truncation_direction/,
    )
    await refused('/models/colbert/embed_all', { inputs: '' }, 400, /empty/)
    t.is((await ask('/models/colbert/embed_all', document)).status, 200)
  } finally {
    await own.close()
  }
})

test('/similarity: cosines', async (t) => {
  const [source_sentence, ...sentences] = TEXTS
  const { json } = await ask('/similarity', { inputs: { source_sentence, sentences } })
  const all = await models.embedder.encode(TEXTS)
  near(t, json, models.embedder.similarity(all.row(0), { data: all.data.subarray(32), shape: [2, 32] }).data)
  const prompted = await ask('/similarity', {
    inputs: { source_sentence, sentences },
    parameters: { prompt_name: 'query' },
  })
  t.notDeepEqual(prompted.json, json)
})

test('/rerank: texts by falling score', async (t) => {
  const query = 'a dog in the field'
  const texts = ['the house', 'a dog', 'the flute and the guitar', 'a dog']
  const ranked = await models.reranker.rank(query, texts, { activation: 'sigmoid' })
  const { json } = await ask('/rerank', { query, texts })
  t.deepEqual(
    json.map(({ index }: { index: number }) => index),
    ranked.map(({ corpusId }) => corpusId),
  )
  near(
    t,
    json.map(({ score }: { score: number }) => score),
    ranked.map(({ score }) => score),
  )
  const raw = await ask('/rerank', { query, texts, raw_scores: true, return_text: true })
  const logits = await models.reranker.rank(query, texts, { activation: 'identity' })
  near(
    t,
    raw.json.map(({ score }: { score: number }) => score),
    logits.map(({ score }) => score),
  )
  t.is(raw.json[0].text, texts[raw.json[0].index])
})

test('/predict: labels of a pair, of texts, of a batch, and of a classifier of texts', async (t) => {
  const pair: [string, string] = ['a dog', 'the house']
  const logits = await models.three.predict(pair, { activation: 'identity' })
  const { json } = await ask('/predict', { inputs: pair, raw_scores: true })
  near(
    t,
    json.map(({ score }: { score: number }) => score),
    [...logits].sort((a, b) => b - a),
  )
  const soft = await ask('/predict', { inputs: [pair, ['the dog']] })
  t.is(soft.json.length, 2)
  for (const labels of soft.json) {
    const sum = labels.reduce((total: number, { score }: { score: number }) => total + score, 0)
    t.true(Math.abs(sum - 1) < 1e-6)
    t.is(new Set(labels.map(({ label }: { label: string }) => label)).size, 3)
  }
  const classes = await ask('/predict', { inputs: 'cow', model: 'classifier' })
  const expected = await models.classifier.predictProba('cow')
  near(
    t,
    classes.json.map(({ score }: { score: number }) => score),
    [...expected].sort((a, b) => b - a),
  )
  t.is(classes.json[0].label, await models.classifier.predict('cow'))
})

test('/tokenize and /decode', async (t) => {
  const { json } = await ask('/tokenize', { inputs: TEXTS })
  const { tokenizer } = models.embedder
  t.deepEqual(
    json.map((row: { id: number }[]) => row.map(({ id }) => id)),
    TEXTS.map((text) => [...tokenizer.encode([text]).ids]),
  )
  t.deepEqual(json[0][0], { id: json[0][0].id, text: '[CLS]', special: true, start: null, stop: null })
  t.deepEqual(json[0][2], { id: json[0][2].id, text: 'red', special: false, start: 4, stop: 7 })
  const bare = await ask('/tokenize', { inputs: TEXTS[0], add_special_tokens: false })
  t.deepEqual(
    bare.json[0].map(({ text }: { text: string }) => text),
    ['the', 'red', 'cat'],
  )
  const ids = json.map((row: { id: number }[]) => row.map(({ id }) => id))
  t.deepEqual((await ask('/decode', { ids })).json, TEXTS)
  t.deepEqual((await ask('/decode', { ids: ids[0], skip_special_tokens: false })).json, ['[CLS] the red cat [SEP]'])
})

test('/v1/embeddings: float and base64, token ids, dimensions, usage', async (t) => {
  const expected = await models.embedder.encode(TEXTS, { normalizeEmbeddings: true })
  const { json } = await ask('/v1/embeddings', { input: TEXTS, model: 'tiny', user: 'me' })
  t.is(json.object, 'list')
  t.is(json.model, 'tiny')
  const tokens = TEXTS.reduce((sum, text) => sum + models.embedder.tokenizer.encode([text]).ids.length, 0)
  t.deepEqual(json.usage, { prompt_tokens: tokens, total_tokens: tokens })
  for (const { embedding, index, object } of json.data) {
    t.is(object, 'embedding')
    near(t, embedding, expected.row(index))
  }
  const packed = await ask('/v1/embeddings', { input: TEXTS[0], encoding_format: 'base64', dimensions: 8 })
  const bytes = Buffer.from(packed.json.data[0].embedding, 'base64')
  const cut = await models.embedder.encode(TEXTS[0]!, { truncateDim: 8, normalizeEmbeddings: true })
  t.deepEqual(new Float32Array(new Uint8Array(bytes).buffer), cut)
})

test('/v1/models', async (t) => {
  const { data, object } = (await get(`${server.url}/v1/models`)).json
  t.is(object, 'list')
  t.deepEqual(
    data.map(({ id }: { id: string }) => id),
    ['tiny', 'reranker', 'three', 'classifier'],
  )
  t.is((await get(`${server.url}/v1/models/three`)).json.object, 'model')
  t.is((await fetch(`${server.url}/v1/models/four`)).status, 404)
})

for (const path of ['/v1/rerank', '/v2/rerank']) {
  test(path, async (t) => {
    const query = 'a dog'
    const documents = ['the house', { text: 'a dog' }, 'the flute']
    const { json } = await ask(path, { query, documents, top_n: 2, return_documents: true, model: 'reranker' })
    const ranked = await models.reranker.rank(query, ['the house', 'a dog', 'the flute'], {
      activation: 'sigmoid',
      topK: 2,
    })
    t.deepEqual(
      json.results.map(({ index }: { index: number }) => index),
      ranked.map(({ corpusId }) => corpusId),
    )
    near(
      t,
      json.results.map((hit: { relevance_score: number }) => hit.relevance_score),
      ranked.map(({ score }) => score),
    )
    t.is(typeof json.results[0].document.text, 'string')
    t.is(json.model, 'reranker')
  })
}

test('/ is the route that the body is for; /models/NAME names the model', async (t) => {
  const expected = await models.embedder.encode('cat', { normalizeEmbeddings: true })
  near(t, (await ask('/', { inputs: 'cat' })).json[0], expected)
  near(t, (await ask('/models/tiny', { inputs: 'cat' })).json[0], expected)
  near(t, (await ask('/models/tiny/embed', { inputs: 'cat' })).json[0], expected)
  t.is((await ask('/', { inputs: { source_sentence: 'cat', sentences: ['dog'] } })).json.length, 1)
  t.is((await ask('/', { query: 'cat', texts: ['dog', 'cow'] })).json.length, 2)
  t.is((await ask('/models/classifier', { inputs: 'cat' })).json[0].label, 'animal')
  t.is((await post(`${server.url}/models/none/embed`, { inputs: 'cat' })).status, 404)
  t.is((await post(`${server.url}/models/reranker/embed`, { inputs: 'cat' })).status, 424)
  t.is((await get(server.url)).header('content-type'), 'text/html; charset=utf-8')
})

test('/info, /health, /ping, /ready, /metrics', async (t) => {
  const info = (await get(`${server.url}/info`)).json
  t.is(info.served_model_name, 'tiny')
  t.deepEqual(Object.keys(info.model_type), ['embedding'])
  t.is(info.model_type.embedding.pooling, 'mean')
  t.is(info.max_input_length, 24)
  t.is(info.max_client_batch_size, 32)
  t.is(info.models.length, 4)
  t.deepEqual(Object.keys(info.models[2].model_type.classifier.id2label), ['0', '1', '2'])
  for (const path of ['/health', '/ping', '/ready']) t.is((await fetch(server.url + path)).status, 200)
  await ask('/embed', { inputs: 'cat' })
  const metrics = await (await fetch(`${server.url}/metrics`)).text()
  for (const line of [
    /^te_request_count\{method="single"\} \d+$/m,
    /^te_request_duration_bucket\{le="\+Inf"\} \d+$/m,
    /^te_queue_size \d+$/m,
    /^te_embed_success [1-9]/m,
  ])
    t.regex(metrics, line)
})

test('/docs loads nothing, and /openapi.json has every route', async (t) => {
  const page = await (await fetch(`${server.url}/docs`)).text()
  t.notRegex(page, /<(script|link|img)|https?:/)
  const document = (await get(`${server.url}/openapi.json`)).json
  for (const path of ['/embed', '/v1/embeddings', '/rerank', '/v1/rerank', '/health']) {
    t.true(path in document.paths)
    t.true(page.includes(path))
  }
  const { responses } = document.paths['/embed'].post
  t.deepEqual(Object.keys(responses).map(Number), [200, 400, 401, 404, 405, 408, 412, 413, 415, 422, 424, 429])
  t.deepEqual(Object.keys(document.paths['/v1/models'].get.responses), ['200', '401'])
  t.deepEqual(Object.keys(document.paths['/health'].get.responses), ['200'])
})
