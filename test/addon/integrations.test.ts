// LangChain, the AI SDK and LlamaIndex as they are published use the models, and get what `encode` and `rank` give.
import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import test, { type ExecutionContext } from 'ava'
import { packageRoot } from '#system'
import { CrossEncoder, SentenceTransformer, util } from '../../lib/index.js'
import { embeddingModel, rerankingModel } from '../../lib/integrations/ai-sdk.js'
import { SentenceTorchEmbeddings, SentenceTorchReranker } from '../../lib/integrations/langchain.js'
import {
  type LlamaIndexHit,
  type LlamaIndexMessage,
  type LlamaIndexNode,
  SentenceTorchRerank,
  sentenceTorchEmbedding,
} from '../../lib/integrations/llamaindex.js'
import { importPeer, peersFolder, peerTest } from '../helpers/peers.js'
import { tinyFolder } from '../helpers/tiny-folder.js'

const TEXTS = ['the red cat', 'a very blue bird', 'rain and wind', 'bread and milk', 'the white horse is not black']
const QUERY = 'storm and cloud'

const folder = mkdtempSync(join(tmpdir(), 'sentence-torch-'))
let model: SentenceTransformer
let crossEncoder: CrossEncoder
/** What the prompted model gives for the texts. */
let documents: number[][]
/** And for the query. */
let query: number[]
/** Of the texts by falling score with the query. */
let ranked: { corpusId: number; score: number }[]
/** Places of the texts by falling cosine with the query. */
let nearest: number[]

test.before(async (t) => {
  await tinyFolder(folder)
  const prompts = { query: 'one ', document: 'two three ' }
  model = await SentenceTransformer.load(folder, { prompts })
  crossEncoder = await CrossEncoder.load(folder, { seed: 3 })
  const encoded = await model.encode(TEXTS, { prompt: prompts.document })
  documents = TEXTS.map((_, i) => Array.from(encoded.row(i)))
  query = Array.from(await model.encode(QUERY, { prompt: prompts.query }))
  t.notDeepEqual(documents[0], Array.from(await model.encode(TEXTS[0]!)))
  const [hits] = await util.semanticSearch(Float32Array.from(query), encoded)
  nearest = hits!.map(({ corpusId }) => corpusId)
  ranked = await crossEncoder.rank(QUERY, TEXTS)
  t.notDeepEqual(
    ranked.map(({ corpusId }) => corpusId),
    TEXTS.map((_, i) => i),
  )
})

test.after.always(async () => {
  await model?.dispose()
  await crossEncoder?.dispose()
  rmSync(folder, { recursive: true, force: true })
})

/** Rows of numbers that are equal up to the last bits, which may depend on the size of a job. */
function near(t: ExecutionContext, found: readonly number[][], expected: readonly number[][]): void {
  t.is(found.length, expected.length)
  for (const [i, row] of found.entries()) {
    t.is(row.length, expected[i]!.length)
    t.true(Array.isArray(row) && row.every((value, j) => Math.abs(value - expected[i]![j]!) < 1e-5), `row ${i}`)
  }
}

interface LangChainDocument {
  pageContent: string
  metadata: Record<string, unknown>
}
type NewDocument = new (fields: { pageContent: string; metadata?: object; id?: string }) => LangChainDocument

peerTest('LangChain: a vector store and its retriever', async (t) => {
  const { FakeVectorStore } = await importPeer<{
    FakeVectorStore: {
      fromTexts(
        texts: string[],
        metadata: object[],
        embeddings: SentenceTorchEmbeddings,
      ): Promise<{
        memoryVectors: { embedding: number[] }[]
        asRetriever(k: number): { invoke(query: string): Promise<LangChainDocument[]> }
      }>
    }
  }>('@langchain/core/utils/testing')
  const places = TEXTS.map((_, place) => ({ place }))
  const store = await FakeVectorStore.fromTexts(TEXTS, places, new SentenceTorchEmbeddings(model))
  const stored = store.memoryVectors.map(({ embedding }) => embedding)
  near(t, stored, documents)
  const found = await store.asRetriever(3).invoke(QUERY)
  t.deepEqual(
    found.map(({ metadata }) => metadata.place as number),
    nearest.slice(0, 3),
  )
  const normalized = new SentenceTorchEmbeddings(model, { normalizeEmbeddings: true, truncateDim: 8, batchSize: 2 })
  const short = await normalized.embedQuery(QUERY)
  t.is(short.length, 8)
  t.true(Math.abs(Math.hypot(...short) - 1) < 1e-6)
  t.deepEqual(await normalized.embedDocuments([]), [])
})

peerTest('LangChain: a compressor of documents', async (t) => {
  const { Document } = await importPeer<{ Document: NewDocument }>('@langchain/core/documents')
  const { BaseDocumentCompressor } = await importPeer<{
    BaseDocumentCompressor: { isBaseDocumentCompressor(value: unknown): boolean }
  }>('@langchain/core/retrievers/document_compressors')
  const given = TEXTS.map((pageContent, i) => new Document({ pageContent, id: `d${i}`, metadata: { place: i } }))
  const reranker = new SentenceTorchReranker(crossEncoder, { topN: 2 })
  t.true(BaseDocumentCompressor.isBaseDocumentCompressor(reranker))
  const kept = await reranker.compressDocuments(given, QUERY)
  t.true(kept.every((document) => document instanceof Document))
  const expected = ranked
    .slice(0, 2)
    .map(({ corpusId, score }) => ({ ...given[corpusId]!, metadata: { place: corpusId, relevanceScore: score } }))
  t.deepEqual(
    kept.map((document) => ({ ...document })),
    expected,
  )
  t.deepEqual(given[0]!.metadata, { place: 0 })
  t.deepEqual(await reranker.compressDocuments([], QUERY), [])
  await t.throwsAsync(reranker.compressDocuments([{} as never], QUERY), {
    code: 'ERR_INVALID_ARGUMENT',
    message: /documents\[0\]/,
  })
})

interface AiSdk {
  embed(call: object): Promise<{ embedding: number[]; usage: { tokens: number } }>
  embedMany(call: object): Promise<{ embeddings: number[][]; usage: { tokens: number } }>
  rerank(call: object): Promise<{ ranking: { originalIndex: number; score: number }[]; rerankedDocuments: unknown[] }>
}

for (const [name, versions] of [
  ['ai', ['v4', 'v3']],
  ['ai-6', ['v3']],
] as const)
  for (const specificationVersion of versions)
    peerTest(`the AI SDK (${name}): embed, embedMany and rerank with a model of ${specificationVersion}`, async (t) => {
      const { embed, embedMany, rerank } = await importPeer<AiSdk>(name)
      const version = { specificationVersion } as { specificationVersion: 'v4' }
      const embedder = embeddingModel(model, { ...version, modelId: 'tiny' })
      const many = await embedMany({ model: embedder, values: TEXTS })
      near(t, many.embeddings, documents)
      const { attentionMask } = await model.tokenize(TEXTS.map((text) => `two three ${text}`))
      t.is(
        many.usage.tokens,
        attentionMask.data.reduce((sum, one) => sum + one, 0),
      )
      const asQuery = { sentenceTorch: { inputType: 'query' } }
      near(t, [(await embed({ model: embedder, value: QUERY, providerOptions: asQuery })).embedding], [query])
      const questions = embeddingModel(model, { ...version, inputType: 'query' })
      near(t, [(await embed({ model: questions, value: QUERY })).embedding], [query])
      const best = await rerank({
        model: rerankingModel(crossEncoder, version),
        query: QUERY,
        documents: TEXTS,
        topN: 3,
      })
      t.deepEqual(
        best.ranking.map(({ originalIndex, score }) => ({ corpusId: originalIndex, score })),
        ranked.slice(0, 3),
      )
      t.is(best.rerankedDocuments[0], TEXTS[ranked[0]!.corpusId])
      const stopped = AbortSignal.abort(new Error('enough'))
      await t.throwsAsync(embedMany({ model: embedder, values: TEXTS, abortSignal: stopped }), { message: 'enough' })
      const wrong = { sentenceTorch: { inputTyp: 'query' } }
      await t.throwsAsync(embed({ model: embedder, value: QUERY, providerOptions: wrong }), { message: /inputType/ })
    })

test('the AI SDK: an abort counts to the end of a call, also while tokens are counted', async (t) => {
  const own = await SentenceTransformer.load(folder)
  t.teardown(() => own.dispose())
  const controller = new AbortController()
  const encode = own.encode.bind(own) as (...all: unknown[]) => Promise<unknown>
  const late = async (...all: unknown[]) => {
    const rows = await encode(...all)
    controller.abort(new Error('enough'))
    return rows
  }
  Object.assign(own, { encode: late })
  const call = { values: TEXTS, abortSignal: controller.signal }
  await t.throwsAsync(embeddingModel(own).doEmbed(call), { message: 'enough' })
})

peerTest('the AI SDK: dimensions, and documents that are objects', async (t) => {
  const { embedMany, rerank } = await importPeer<AiSdk>('ai')
  const embedder = embeddingModel(model)
  const short = await embedMany({ model: embedder, values: TEXTS, dimensions: 8 })
  const eight = documents.map((row) => row.slice(0, 8))
  near(t, short.embeddings, eight)
  await t.throwsAsync(embedMany({ model: embedder, values: TEXTS, dimensions: 33 }), { message: /from 1 to 32/ })
  const objects = TEXTS.map((text) => ({ text }))
  const expected = await crossEncoder.rank(
    QUERY,
    objects.map((object) => JSON.stringify(object)),
  )
  const { warnings } = await rerankingModel(crossEncoder).doRerank({
    documents: { type: 'object', values: objects },
    query: QUERY,
  })
  t.regex(warnings[0]!.details, /JSON/)
  const best = await rerank({ model: rerankingModel(crossEncoder), query: QUERY, documents: objects })
  t.deepEqual(
    best.ranking.map(({ originalIndex, score }) => ({ corpusId: originalIndex, score })),
    expected,
  )
})

interface Schema {
  TextNode: new (init: { text: string; metadata?: object }) => LlamaIndexNode & { text: string }
}

peerTest('LlamaIndex: an embedding is one of its own, and a step of a pipeline', async (t) => {
  const { BaseEmbedding } = await importPeer<{ BaseEmbedding: new () => object }>('@llamaindex/core/embeddings')
  const { TextNode, TransformComponent } = await importPeer<Schema & { TransformComponent: new () => object }>(
    '@llamaindex/core/schema',
  )
  const embedding = await sentenceTorchEmbedding(model, { embedBatchSize: 2 })
  t.true(embedding instanceof BaseEmbedding && embedding instanceof TransformComponent)
  t.deepEqual(embedding.embedInfo, { dimensions: 32, maxTokens: 24 })
  near(t, [await embedding.getTextEmbedding(TEXTS[1]!)], [documents[1]!])
  near(t, await embedding.getTextEmbeddings(TEXTS), documents)
  near(t, await embedding.getTextEmbeddingsBatch(TEXTS), documents)
  near(t, [(await embedding.getQueryEmbedding({ type: 'text', text: QUERY }))!], [query])
  t.is(await embedding.getQueryEmbedding({ type: 'image_url', image_url: {} }), null)
  const nodes = await embedding(TEXTS.map((text) => new TextNode({ text })))
  const embedded = nodes.map((node) => node.embedding!)
  near(t, embedded, documents)
  t.deepEqual(embedding.truncateMaxTokens(TEXTS), TEXTS)
  t.true(Math.abs(embedding.similarity(query, query) - 1) < 1e-6)
})

peerTest('LlamaIndex: a query engine reranks the nodes of its retriever', async (t) => {
  const { TextNode } = await importPeer<Schema>('@llamaindex/core/schema')
  const { BaseRetriever } = await importPeer<{ BaseRetriever: new () => object }>('@llamaindex/core/retriever')
  const { RetrieverQueryEngine } = await importPeer<{
    RetrieverQueryEngine: new (
      retriever: object,
      synthesizer: object,
      postprocessors: SentenceTorchRerank[],
    ) => { retrieve(query: LlamaIndexMessage): Promise<LlamaIndexHit[]> }
  }>('@llamaindex/core/query-engine')
  class AllOfThem extends BaseRetriever {
    async _retrieve(): Promise<LlamaIndexHit[]> {
      return TEXTS.map((text, i) => ({ node: new TextNode({ text }), score: 1 / (i + 1) }))
    }
  }
  const engine = new RetrieverQueryEngine(new AllOfThem(), {}, [new SentenceTorchRerank(crossEncoder, { topN: 4 })])
  for (const asked of [QUERY, { query: QUERY }, { query: [{ type: 'text', text: QUERY }] }]) {
    const hits = await engine.retrieve(asked)
    t.deepEqual(
      hits.map(({ node, score }) => ({ corpusId: TEXTS.indexOf((node as unknown as { text: string }).text), score })),
      ranked.slice(0, 4),
    )
  }
  await t.throwsAsync(new SentenceTorchRerank(crossEncoder).postprocessNodes([]), { message: /query/ })
})

peerTest('the declarations are of the types of the real packages', async (t) => {
  const tsc = join(packageRoot, 'node_modules/typescript/bin/tsc')
  await t.notThrowsAsync(promisify(execFile)(process.execPath, [tsc, '-p', peersFolder]))
})

test('the versions that the manifest names are those of test/peers, or newer ones', async (t) => {
  const { mainManifest } = (await import(join(packageRoot, 'packaging/manifests.mjs'))) as {
    mainManifest(root: object): { peerDependencies: Record<string, string> }
  }
  const read = (file: string) => JSON.parse(readFileSync(join(packageRoot, file), 'utf8')) as Record<string, object>
  const { peerDependencies } = mainManifest(read('package.json'))
  const { dependencies } = read('test/peers/package.json') as { dependencies: Record<string, string> }
  // A version may stand for all of its own: 1 for 1.4.0.
  const tested = [...['@langchain/core', '@llamaindex/core'].map((name) => [name, dependencies[name]!] as const)]
  for (const [name, version] of [...tested, ['ai', dependencies['ai-6']!.replace('npm:ai@', '')] as const])
    t.true(version.startsWith(peerDependencies[name]!.replace('>=', '')), name)
})

test('what is no model, and options that do not exist', async (t) => {
  const code = 'ERR_INVALID_ARGUMENT'
  const promise = Promise.resolve() as never
  t.throws(() => new SentenceTorchEmbeddings(promise), { code, message: /after await/ })
  t.throws(() => embeddingModel(promise), { code, message: /after await/ })
  t.throws(() => new SentenceTorchReranker(model as never), { code, message: /CrossEncoder/ })
  await t.throwsAsync(sentenceTorchEmbedding(promise), { code })
  const wrong = { normalise: true } as never
  t.throws(() => new SentenceTorchEmbeddings(model, wrong), { code: 'ERR_UNKNOWN_OPTION' })
  t.throws(() => embeddingModel(model, wrong), { code: 'ERR_UNKNOWN_OPTION' })
  t.throws(() => rerankingModel(crossEncoder, { topN: 2 } as never), { code: 'ERR_UNKNOWN_OPTION' })
  t.throws(() => embeddingModel(model, { specificationVersion: 'v2' } as never), { code, message: /"v4", "v3"/ })
  t.throws(() => new SentenceTorchRerank(crossEncoder, { topN: 0 }), { code })
})

test('without @llamaindex/core the error says what to install', async (t) => {
  const { importPeer: real } = await import('../../lib/integrations/peer.js')
  const load = () => import('@sentence-torch/no-such-package' as string)
  await t.throwsAsync(real(load, '@sentence-torch/no-such-package', 'x'), {
    code: 'ERR_NOT_FOUND',
    message: 'x needs @sentence-torch/no-such-package: npm install @sentence-torch/no-such-package',
  })
  const broken = () => import('@sentence-torch/another' as string)
  // From the thread of a module hook it comes as a plain object.
  const error: unknown = await real(broken, '@sentence-torch/no-such-package', 'x').catch((cause: unknown) => cause)
  t.is((error as { code: string }).code, 'ERR_MODULE_NOT_FOUND')
})
