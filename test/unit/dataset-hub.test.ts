import { copyFile, mkdir, readdir, readFile, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import { Dataset, type DatasetHubOptions } from '../../lib/data/dataset.js'
import { cardConfigs } from '../../lib/data/hub/card.js'
import { parseSplit } from '../../lib/data/hub/dataset-files.js'
import { FileMatcher } from '../../lib/data/hub/glob.js'
import { COMMIT, CONVERSION_COMMIT, hubServer, TOKEN } from '../helpers/hub-server.js'
import { temporaryFolder, writeFiles } from '../helpers/model-folders.js'

// HF_ENDPOINT and its kin belong to the process: the tests follow each other.
const serial = test.serial
for (const name of ['HF_TOKEN', 'HF_HUB_OFFLINE', 'HF_HOME', 'HF_HUB_CACHE']) delete process.env[name]

const golden = new URL('../../../test/parity/golden/data/', import.meta.url)

interface Origin {
  id?: string
  /** Parquet files by path: which of the golden files they are. */
  parquet?: Record<string, string>
  files?: Record<string, string>
  conversion?: Record<string, string>
}

async function setUp(t: ExecutionContext, { id = 'org/data', parquet = {}, files = {}, conversion }: Origin) {
  const root = await temporaryFolder(t)
  const [main, converted, cacheDir] = [join(root, 'main'), join(root, 'converted'), join(root, 'cache')]
  const place = async (folder: string, names: Record<string, string>) => {
    await mkdir(folder, { recursive: true })
    for (const [path, name] of Object.entries(names)) {
      await mkdir(dirname(join(folder, path)), { recursive: true })
      await copyFile(fileURLToPath(new URL(`${name}.parquet`, golden)), join(folder, path))
    }
  }
  await place(main, parquet)
  await writeFiles(main, files)
  if (conversion) await place(converted, conversion)
  const hub = await hubServer(t, main, { id, ...(conversion && { conversion: converted }) })
  hub.largeFrom = 5000
  process.env.HF_ENDPOINT = hub.url
  const load = (options: DatasetHubOptions = {}, name = id) =>
    Dataset.fromHub(name, { cacheDir, columns: ['text', 'idx'], ...options })
  return { hub, load, cacheDir, repo: join(cacheDir, `datasets--${id.replace('/', '--')}`) }
}

const card = `---
license: mit
configs:
- config_name: pair
  data_files:
  - split: train
    path: pair/train-*
  - split: dev
    path:
    - "pair/dev-0.parquet"
    - pair/dev-1.parquet
- config_name: triplet
  default: true
  data_files:
  - split: train
    path: triplet/**.parquet
dataset_info:
- config_name: other
---
# configs:
`
const described: Origin = {
  parquet: {
    'pair/train-00000-of-00002.parquet': 'snappy',
    'pair/train-00001-of-00002.parquet': 'zstd',
    'pair/dev-0.parquet': 'gzip',
    'pair/dev-1.parquet': 'none',
    'triplet/a/b.parquet': 'brotli',
  },
  files: { 'README.md': card, 'pair/readme.txt': 'x' },
}

serial('the files of a split come into the cache that Python shares, and nothing twice', async (t) => {
  const { hub, load, repo } = await setUp(t, described)
  const dataset = await load({ config: 'pair' })
  t.is(dataset.length, 46)
  t.deepEqual(dataset.columnNames, ['text', 'idx'])
  t.is(dataset.column('idx')[45], 2 ** 40 + 22)
  const snapshot = join(repo, 'snapshots', COMMIT)
  t.deepEqual((await readdir(join(snapshot, 'pair'))).sort(), [
    'train-00000-of-00002.parquet',
    'train-00001-of-00002.parquet',
  ])
  t.is(await readFile(join(repo, 'refs/main'), 'utf8'), COMMIT)
  t.true((await readdir(join(repo, 'blobs'))).includes(hub.etag('pair/train-00000-of-00002.parquet')))
  const before = hub.requests.length
  t.is((await load({ config: 'pair' })).length, 46)
  t.is(hub.requests.length, before, 'the second time without the network')
  t.is((await load({ config: 'pair', split: 'dev' })).length, 46)
  t.is((await load()).length, 23, 'triplet is the default')
  t.is((await load({ config: 'pair', split: 'train[20:25]' })).column('idx')[0], 2 ** 40 + 20)
})

serial('a split is what the card says in any style of YAML; a card that cannot be read is named', async (t) => {
  const files = (head: string) => ({ 'README.md': `---\n${head}\n---\n` })
  const parquet = { 'test-0.parquet': 'none', 'train-0.parquet': 'gzip', 'train-1.parquet': 'zstd' }
  const flow = '{configs: [{config_name: a, data_files: [{path: test-*, split: test}, {path: train-*, split: train}]}]}'
  const block = `configs:
- data_files:
  - path: test-* # held out
    split: test
  - path: train-*   # two shards
    split: train
  config_name: a # the only one`
  for (const head of [flow, block]) {
    const { load } = await setUp(t, { parquet, files: files(head) })
    t.is((await load()).length, 46)
    t.is((await load({ split: 'test' })).length, 23)
  }
  const { load } = await setUp(t, { parquet, files: files('configs:\n- config_name: a\n  data_files: *.parquet') })
  const message = /^README.md of the data set org\/data: its YAML head cannot be read: .*quotes$/
  await t.throwsAsync(load(), { code: 'ERR_INVALID_FILE', message })
})

serial('a file that the cache lost is fetched again', async (t) => {
  const { hub, load, repo } = await setUp(t, described)
  await load()
  await rm(join(repo, 'blobs', hub.etag('triplet/a/b.parquet')))
  t.is((await load()).length, 23)
})

serial('configs and splits that are not there are refused with those that are', async (t) => {
  const { load } = await setUp(t, described)
  const missing = { code: 'ERR_NOT_FOUND' }
  await t.throwsAsync(load({ config: 'pairs' }), { ...missing, message: /no config pairs; it has: pair, triplet/ })
  await t.throwsAsync(load({ split: 'test' }), { ...missing, message: /config triplet\) has no split test.*: train/ })
  await t.throwsAsync(load({ revision: 'v2' }), { ...missing, message: /data set org\/data at revision v2/ })
  await t.throwsAsync(load({ splits: 'x' } as never), { code: 'ERR_UNKNOWN_OPTION' })
  await t.throwsAsync(load({ split: 'train[' }), { code: 'ERR_INVALID_ARGUMENT' })
  for (const id of ['a/b/c', '../x', 'a--b/c', 3 as never]) {
    await t.throwsAsync(load({}, id), { code: 'ERR_INVALID_ARGUMENT' })
  }
})

serial('without a card the names of files say which split they are', async (t) => {
  const flat = await setUp(t, {
    parquet: { 'data/train-00000-of-00001.parquet': 'none', 'data/validation-00000-of-00001.parquet': 'zstd' },
  })
  t.is((await flat.load()).length, 23)
  t.is((await flat.load({ split: 'validation' })).length, 23)
  await t.throwsAsync(flat.load({ split: 'test' }), { message: /it has: train, validation/ })
  const folders = await setUp(t, { parquet: { 'plain_text/test.parquet': 'none', 'other/dev.parquet': 'none' } })
  t.is((await folders.load({ config: 'plain_text', split: 'test' })).length, 23)
  t.is((await folders.load({ config: 'other', split: 'validation' })).length, 23)
  await t.throwsAsync(folders.load(), { code: 'ERR_INVALID_ARGUMENT', message: /one of other, plain_text/ })
})

serial('other formats are read from the conversion of the hub', async (t) => {
  const { hub, load, repo } = await setUp(t, {
    files: { 'README.md': '---\nlicense: mit\n---\n', 'train.csv': 'a\nb\n' },
    conversion: {
      'default/train/0000.parquet': 'none',
      'default/train/0001.parquet': 'lz4',
      'default/partial-test/0000.parquet': 'none',
    },
  })
  t.is((await load()).length, 46)
  t.is(await readFile(join(repo, 'refs/refs/convert/parquet'), 'utf8'), CONVERSION_COMMIT)
  const before = hub.requests.length
  t.is((await load()).length, 46)
  t.is(hub.requests.length, before)
  await t.throwsAsync(load({ split: 'test' }), { code: 'ERR_NOT_FOUND', message: /partial-test/ })
  await t.throwsAsync(load({ revision: 'v1' }), { code: 'ERR_NOT_FOUND', message: /no Parquet files at revision v1/ })
})

serial('a config in another format is read from the conversion, one that is nowhere is refused', async (t) => {
  const mixed = '---\nconfigs:\n- config_name: a\n  data_files: a.parquet\n- config_name: b\n  data_files: b.csv\n---\n'
  const { load } = await setUp(t, {
    parquet: { 'a.parquet': 'none' },
    files: { 'README.md': mixed, 'b.csv': 'x\n' },
    conversion: { 'a/train/0000.parquet': 'none', 'b/train/0000.parquet': 'none', 'b/train/0001.parquet': 'zstd' },
  })
  t.is((await load({ config: 'a' })).length, 23)
  t.is((await load({ config: 'b' })).length, 46)
  await t.throwsAsync(load({ config: 'c' }), { code: 'ERR_NOT_FOUND', message: /no config c; it has: a, b/ })
  const none = await setUp(t, { files: { 'data.csv': 'a\nb\n' } })
  await t.throwsAsync(none.load(), { code: 'ERR_NOT_FOUND', message: /no Parquet files.*has not converted it/ })
})

serial('the short names of old tutorials', async (t) => {
  for (const [name, id] of [
    ['glue', 'nyu-mll/glue'],
    ['snli', 'stanfordnlp/snli'],
    ['squad', 'rajpurkar/squad'],
  ] as const) {
    const { load } = await setUp(t, { id, parquet: { 'stsb/train-00000-of-00001.parquet': 'none' } })
    t.is((await load({ config: 'stsb' }, name)).length, 23)
  }
})

serial('offline: what was fetched is there, also by Python; the rest is named', async (t) => {
  const { load, repo } = await setUp(t, described)
  await load({ config: 'pair' })
  process.env.HF_HUB_OFFLINE = '1'
  t.teardown(() => delete process.env.HF_HUB_OFFLINE)
  t.is((await load({ config: 'pair' })).length, 46)
  const error = { code: 'ERR_NOT_FOUND', message: /split dev \(config pair\).*HF_HUB_OFFLINE|no split dev/ }
  await t.throwsAsync(load({ config: 'pair', split: 'dev' }), error)
  for (const name of await readdir(repo)) if (name.startsWith('.splits')) await rm(join(repo, name))
  t.is((await load({ config: 'pair' })).length, 46, 'as Python leaves it')
  await rm(join(repo, 'snapshots', COMMIT, 'pair/train-00001-of-00002.parquet'))
  await t.throwsAsync(load({ config: 'pair' }), { code: 'ERR_NOT_FOUND', message: /is not in the cache/ })
})

serial('private data sets need a token; damaged files never enter the cache', async (t) => {
  const { hub, load } = await setUp(t, described)
  hub.private = true
  await t.throwsAsync(load(), { code: 'ERR_NOT_FOUND', message: /data set org\/data .*private.*HF_TOKEN/ })
  hub.damaged = 'triplet/a/b.parquet'
  await t.throwsAsync(load({ token: TOKEN }), { code: 'ERR_NETWORK', message: /damaged/ })
  delete hub.damaged
  t.is((await load({ token: TOKEN })).length, 23)
})

test('the configs of a card', (t) => {
  const configs = cardConfigs(card)!
  t.deepEqual(
    configs.map(({ name, isDefault, splits }) => [name, isDefault, Object.fromEntries(splits!)]),
    [
      ['pair', false, { train: ['pair/train-*'], dev: ['pair/dev-0.parquet', 'pair/dev-1.parquet'] }],
      ['triplet', true, { train: ['triplet/**.parquet'] }],
    ],
  )
  const one = (lines: string) => Object.fromEntries(cardConfigs(`---\nconfigs:\n${lines}\n---\n`)![0]!.splits!)
  t.deepEqual(one('  - config_name: a\n    data_files: "x/*.parquet"'), { train: ['x/*.parquet'] })
  t.deepEqual(one('- config_name: a\n  data_dir: d\n  data_files: ["x", y]'), { train: ['d/x', 'd/y'] })
  t.deepEqual(one('- config_name: a\n  data_files:\n  - x\n  - y'), { train: ['x', 'y'] })
  t.is(cardConfigs('# no head'), undefined)
  t.is(cardConfigs('---\nlicense: mit\n---\n'), undefined)
})

test('patterns of a card', (t) => {
  const matchFiles = (pattern: string, files: readonly string[]) => new FileMatcher(files).match(pattern)
  const files = ['a.parquet', 'data/train-0.parquet', 'data/train-10.parquet', 'data/x/train-1.parquet', 'dataxtrain']
  t.deepEqual(matchFiles('data/train-*', files), files.slice(1, 3))
  t.deepEqual(matchFiles('data/train-?.parquet', files), [files[1]!])
  t.deepEqual(matchFiles('data/train-[0-9][0-9].parquet', files), [files[2]!])
  t.deepEqual(matchFiles('**/*.parquet', files), files.slice(0, 4))
  t.deepEqual(matchFiles('./a.parquet', files), ['a.parquet'])
  t.deepEqual(matchFiles('a+.(parquet', files), [])
})

test('parts of a split are those of Python', async (t) => {
  const { slices } = JSON.parse(await readFile(new URL('golden.json', golden), 'utf8')) as {
    slices: [string, number, number, number][]
  }
  t.is(slices.length, 24)
  for (const [text, length, from, to] of slices) {
    const { split, rows } = parseSplit(text)
    t.is(split, 'train')
    t.deepEqual(rows?.(length) ?? [0, length], [from, to], `${text} of ${length}`)
  }
})
