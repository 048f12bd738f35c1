import { readFileSync } from 'node:fs'
import { mkdir, readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { Dataset } from '../../../lib/index.js'
import { resolveModel } from '../../../lib/models/hub.js'
import { wordPieceTokenizer } from '../../helpers/word-piece.js'
import { bytesOf, changedFiles, type Files, type Json } from '../case.js'
import { type Act, gitHash, HostileHub, type Kind, TOKEN } from '../hostile-hub.js'
import { expect } from '../judge.js'
import { fileEdits, hostile, mutated } from '../mutate.js'
import type { Target } from './target.js'

const COMMIT = 'a'.repeat(40)
const golden = new URL('../../../../test/parity/golden/data/neg-pos.parquet', import.meta.url)
/** More than a whole case may leave in the cache. */
const MOST_BYTES = 8 * 2 ** 20

function repository(contents: Record<string, Json | Uint8Array>): Files {
  const tree = Object.entries(contents).map(([path, content]) => {
    const bytes = bytesOf(content)
    return { type: 'file', path, size: bytes.length, oid: gitHash(bytes) }
  })
  return {
    ...contents,
    '<commit>': { _id: '1', id: 'org/name', sha: COMMIT, lastModified: '2024-01-01T00:00:00Z' },
    '<tree>': tree,
  }
}

const card = '---\nconfigs:\n- config_name: default\n  data_files:\n  - split: train\n    path: data/train-*\n---\n'
const bases: Record<string, Files> = {
  model: repository({
    'modules.json': [
      { idx: 0, name: '0', path: '', type: 'sentence_transformers.models.Transformer' },
      { idx: 1, name: '1', path: '1_Pooling', type: 'sentence_transformers.models.Pooling' },
    ],
    'config.json': { model_type: 'bert' },
    '1_Pooling/config.json': { word_embedding_dimension: 32 },
    'tokenizer.json': wordPieceTokenizer(['a']) as Json,
    'model.safetensors': Buffer.alloc(3000, 7),
  }),
  dataset: repository({ 'README.md': Buffer.from(card), 'data/train-0.parquet': readFileSync(golden) }),
}
const tokens: Json[] = [
  ...[
    '../../../../escaped',
    'data/../../../../../escaped',
    '/tmp/escaped',
    'data/train-1.parquet',
    'a\\..\\..\\x',
    'file',
    'directory',
  ],
  ...[
    'a'.repeat(5000),
    'x/'.repeat(600),
    COMMIT,
    'b'.repeat(40),
    'c'.repeat(64),
    { oid: 'c'.repeat(64), size: 5, pointerSize: 1 },
    3000,
    5,
  ],
]
const urls = [
  '{own}/x',
  '{other}/x',
  '/x',
  '//',
  'file:///etc/passwd',
  'ftp://127.0.0.1/',
  'http://127.0.0.1:1/',
  'http://[',
  '',
  'x:y',
]
const headers: Json[] = [
  ...urls.flatMap((url): Json[] => [{ location: url }, { link: `<${url}>; rel="next"` }]),
  ...[
    { link: '<{own}/api/models/org/name/tree/x>; rel="next"' },
    { 'x-xet-hash': 'abc' },
    { link: '<{other}/api/tree/x>; rel="next"' },
  ],
  ...[{ 'content-length': '99999999999' }, { 'content-length': '0' }, { 'content-range': 'bytes 0-0/99999999999' }],
  ...[
    { 'x-linked-size': '-1' },
    { 'x-linked-etag': '"../../x"' },
    { etag: 'W/"x"' },
    { 'content-encoding': 'br' },
    { etag: '' },
  ],
  ...[
    { 'x-error-code': 'GatedRepo' },
    { 'retry-after': '9999999' },
    { 'transfer-encoding': 'gzip' },
    { link: '<{own}>;'.repeat(3000) },
  ],
]
const server = new HostileHub()

/** Answers of the hub. */
export const hub: Target = {
  warm: { base: 'dataset', edits: [] },

  async open() {
    process.env.HF_ENDPOINT = await server.listen()
    process.env.HF_HUB_OFFLINE = '0'
    process.env.HF_HUB_DOWNLOAD_TIMEOUT = '0.5'
    process.env.HF_TOKEN = TOKEN
  },

  make(random) {
    const base = random.pick(Object.keys(bases))
    const files = bases[base]!
    const act = (): Json => ({
      on: random.pick<Kind>(['commit', 'tree', 'file', 'other']),
      ...(random.oneIn(2) && {
        status: random.pick([200, 204, 206, 301, 302, 307, 308, 304, 401, 403, 404, 416, 429, 500, 503]),
      }),
      ...(random.oneIn(2) && {
        headers: random.oneIn(4) ? mutated(random, random.pick(headers)) : random.pick(headers),
      }),
      ...(random.oneIn(3) && {
        body: random.pick(['empty', 'cut', 'short', 'endless', 'bomb', 'garbage', 'longer', 'stall']),
      }),
    })
    const edits = random.oneIn(3)
      ? []
      : fileEdits(random, files, ['<commit>', '<tree>', '<tree>', ...Object.keys(files).slice(0, 1)], tokens)
    const split = random.oneIn(10) ? JSON.stringify(hostile(random)) : 'train'
    return { base, edits, plan: { acts: random.some(0, 3, act), split } }
  },

  async run({ base, edits, plan }, folder) {
    const { acts = [], split = 'train' } = (plan ?? {}) as { acts?: Act[]; split?: string }
    const files = bases[base]!
    server.acts = acts
    server.leaked = false
    server.files = new Map(Object.entries(files).map(([name, content]) => [name, Buffer.from(bytesOf(content))]))
    for (const [name, bytes] of changedFiles(files, edits)) server.files.set(name, Buffer.from(bytes ?? ''))
    server.answers = new Map((['commit', 'tree'] as const).map((kind) => [kind, server.files.get(`<${kind}>`)!]))
    const root = join(folder, 'hub')
    const cache = join(root, 'a/b/cache')
    await mkdir(cache, { recursive: true })
    try {
      if (base === 'model') await resolveModel('org/name', { cacheFolder: cache })
      else await Dataset.fromHub('org/name', { cacheDir: cache, split })
    } finally {
      expect(!server.leaked, 'the token stays with its server')
      await checkPlaces(root, cache)
      await rm(root, { recursive: true, force: true })
    }
  },
}

/** Nothing lies beside the cache, nothing half is left in it, and it is no larger than what is listed. */
async function checkPlaces(root: string, cache: string): Promise<void> {
  let bytes = 0
  for (const name of await readdir(root, { recursive: true })) {
    const path = join(root, name)
    expect(path.startsWith(cache) || cache.startsWith(path), 'nothing is written outside the cache')
    expect(!name.endsWith('.incomplete'), 'what is incomplete is removed')
    bytes += (await stat(path).catch(() => ({ size: 0 }))).size
  }
  expect(bytes < MOST_BYTES, 'the cache is no larger than what is listed')
}
