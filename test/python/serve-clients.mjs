// Python's clients of embedding services, unchanged, against the server.
import { spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { CrossEncoder, SentenceTransformer } from 'sentence-torch'
import { serve } from 'sentence-torch/serve'

const TEXTS = ['The man plays a guitar.', 'big dogs run?  small cats PLAY', 'runner']
const QUERY = 'a man with a guitar'

/** Resolves to what it printed. The server answers from this process, so that it must not block. */
function output(program, args) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] })
    let text = ''
    child.stdout.on('data', (piece) => {
      text += piece
    })
    child.on('error', reject)
    child.on('close', (code) =>
      code === 0 ? resolve(text) : reject(new Error(`${args.join(' ')} ended with ${code}`)),
    )
  })
}

/**
 * @param {{ python: string, work: string, embedder: string, reranker: string }} given a folder for files, and those of two models
 * @returns for each client that is installed what it got, and what the models give
 */
export async function askServer({ python, work, embedder, reranker }) {
  const [model, ranker] = [await SentenceTransformer.load(embedder), await CrossEncoder.load(reranker)]
  const server = await serve({ models: { embedder: model, reranker: ranker }, port: 0, apiKeys: ['secret'] })
  try {
    const file = join(work, 'asked.json')
    const names = { embedder: 'embedder', reranker: 'reranker' }
    writeFileSync(file, JSON.stringify({ url: server.url, key: 'secret', ...names, texts: TEXTS, query: QUERY }))
    const found = JSON.parse(await output(python, ['test/python/serve_clients.py', file]))
    const vectors = (await model.encode(TEXTS, { normalizeEmbeddings: true })).data
    const { data: scores } = await ranker.predict(TEXTS.map((text) => [QUERY, text]))
    return Object.entries(found).map(([name, values]) => {
      return { name, found: values.flat(), expected: name === 'cohere' ? scores : vectors }
    })
  } finally {
    await server.close()
    await Promise.all([model.dispose(), ranker.dispose()])
  }
}
