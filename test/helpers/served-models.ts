// Tiny models of every kind that is served, and a server of them on a port that is free.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { CrossEncoder, SentenceTransformer, TextClassifier } from '../../lib/index.js'
import { type RunningServer, type ServeOptions, serve } from '../../lib/serve/index.js'
import { tinyFolder } from './tiny-folder.js'

const golden = (name: string) =>
  fileURLToPath(new URL(`../../../test/parity/golden/cross-encoder/${name}/`, import.meta.url))

export interface TinyModels {
  /** Where the model of embeddings lies. */
  readonly folder: string
  readonly embedder: SentenceTransformer
  /** One score a pair. */
  readonly reranker: CrossEncoder
  /** Three labels. */
  readonly three: CrossEncoder
  /** Its classes are `animal` and `colour`. */
  readonly classifier: TextClassifier
  dispose(): Promise<void>
}

/** The embedding model has the prompts `query` and `document`. */
export async function tinyModels(): Promise<TinyModels> {
  const folder = await mkdtemp(join(tmpdir(), 'sentence-torch-serve-'))
  await tinyFolder(join(folder, 'model'))
  const embedder = await SentenceTransformer.load(join(folder, 'model'), { prompts: { query: 'the ', document: 'a ' } })
  const reranker = await CrossEncoder.load(golden('one'))
  const three = await CrossEncoder.load(golden('three'))
  const classifier = await TextClassifier.create(await SentenceTransformer.load(join(folder, 'model')))
  await classifier.fitHead({ texts: ['cat', 'dog', 'red', 'blue'], labels: ['animal', 'animal', 'colour', 'colour'] })
  return {
    folder: join(folder, 'model'),
    ...{ embedder, reranker, three, classifier },
    async dispose() {
      await Promise.all([embedder, reranker, three, classifier].map((model) => model.dispose()))
      await rm(folder, { recursive: true, force: true })
    },
  }
}

export async function serveTiny(models: TinyModels, options: Partial<ServeOptions> = {}): Promise<RunningServer> {
  const { embedder, reranker, three, classifier } = models
  return serve({ models: { tiny: embedder, reranker, three, classifier }, port: 0, ...options })
}

/** An answer, with whatever its JSON is. */
export interface Reply {
  status: number
  header(name: string): string | null
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers member by member
  json: any
}

export async function get(url: string, headers: Record<string, string> = {}): Promise<Reply> {
  return replyOf(await fetch(url, { headers }))
}

/** A request with a body of JSON; a text is sent as it is. */
export async function post(url: string, body: unknown, headers: Record<string, string> = {}): Promise<Reply> {
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  const all = { 'content-type': 'application/json', ...headers }
  return replyOf(await fetch(url, { method: 'POST', headers: all, body: text }))
}

async function replyOf(response: Response): Promise<Reply> {
  const text = await response.text()
  const isJson = response.headers.get('content-type')?.includes('json') === true
  return {
    status: response.status,
    header: (name) => response.headers.get(name),
    json: isJson ? JSON.parse(text) : text,
  }
}
