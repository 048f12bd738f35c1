// push: the requests of an upload, against a hub that keeps what it gets.
import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { SentenceTransformer } from '../../lib/index.js'
import { callProgram } from '../helpers/call-program.js'
import { tinyFolder } from '../helpers/tiny-folder.js'

const root = mkdtempSync(join(tmpdir(), 'sentence-torch-push-'))
test.after.always(() => rmSync(root, { recursive: true, force: true }))
const MODEL = join(root, 'model')
const TOKEN = 'hf_writer'

test.before(async () => {
  const model = await SentenceTransformer.load(await tinyFolder(join(root, 'origin')))
  await model.save(MODEL)
  await model.dispose()
  writeFileSync(join(MODEL, '.hidden'), 'x')
})

interface Received {
  url: string
  /** Bodies of requests, by address. */
  requests: string[]
  created: Record<string, unknown>[]
  header: { summary?: string }
  /** Files of the commit, by path. */
  files: Map<string, Buffer>
  /** Authorization headers at the storage of large files. */
  storageTokens: unknown[]
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = []
  for await (const part of request) parts.push(part as Buffer)
  return Buffer.concat(parts)
}

/** Large files go to a storage of their own, as on the hub. */
async function uploadHub(t: ExecutionContext, repositories: string[] = []): Promise<Received> {
  const hub: Received = { url: '', requests: [], created: [], header: {}, files: new Map(), storageTokens: [] }
  const stored = new Map<string, Buffer>()
  const server = createServer(async (request, response) => {
    const body = await bodyOf(request)
    const path = new URL(request.url!, hub.url).pathname
    hub.requests.push(`${request.method} ${path}`)
    const json = (status: number, value: unknown) => {
      response.writeHead(status, { 'content-type': 'application/json' })
      response.end(JSON.stringify(value))
    }
    if (path.startsWith('/storage/')) {
      hub.storageTokens.push(request.headers.authorization)
      stored.set(path.slice('/storage/'.length), body)
      return void response.end()
    }
    if (request.headers.authorization !== `Bearer ${TOKEN}`) return json(401, { error: 'Invalid credentials' })
    if (path === '/api/repos/create') {
      const asked = JSON.parse(body.toString())
      const name = `${asked.organization}/${asked.name}`
      if (repositories.includes(name)) return json(409, { error: 'You already created this model repo' })
      repositories.push(name)
      hub.created.push(asked)
      return json(200, { url: `${hub.url}/${name}`, id: name })
    }
    const name = /^\/(?:api\/models\/)?([\w-]+\/[\w-]+)/.exec(path)?.[1]
    if (name === undefined || !repositories.includes(name)) return json(404, { error: 'Repository not found' })
    if (path.includes('/preupload/')) {
      const { files } = JSON.parse(body.toString()) as { files: { path: string; size: number }[] }
      return json(200, {
        files: files.map((file) => ({ path: file.path, uploadMode: file.size > 20_000 ? 'lfs' : 'regular' })),
      })
    }
    if (path.endsWith('/info/lfs/objects/batch')) {
      const { objects } = JSON.parse(body.toString()) as { objects: { oid: string; size: number }[] }
      const actions = ({ oid }: { oid: string }) => ({ upload: { href: `${hub.url}/storage/${oid}` } })
      return json(200, { transfer: 'basic', objects: objects.map((each) => ({ ...each, actions: actions(each) })) })
    }
    for (const line of body.toString().split('\n')) {
      const { key, value } = JSON.parse(line)
      if (key === 'header') hub.header = value
      if (key === 'file') hub.files.set(value.path, Buffer.from(value.content, value.encoding))
      if (key === 'lfsFile') hub.files.set(value.path, stored.get(value.oid)!)
    }
    json(200, { commitOid: 'c0ffee', commitUrl: `${hub.url}/commit/c0ffee`, hookOutput: '' })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const before = { ...process.env }
  t.teardown(() => {
    process.env = before
    server.closeAllConnections()
    server.close()
  })
  hub.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  process.env.HF_ENDPOINT = `${hub.url}/`
  process.env.HF_TOKEN = TOKEN
  return hub
}

const filesOf = (folder: string) =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.name.startsWith('.'))
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name).slice(folder.length + 1))
    .sort()

test.serial('a model with its card, as one commit of a new private repository', async (t) => {
  const hub = await uploadHub(t)
  const { code, out, err } = await callProgram(['push', MODEL, 'me/mine', '--create', '--message', 'First', '--json'])
  t.is(code, 0, err)
  t.deepEqual(JSON.parse(out), { url: `${hub.url}/me/mine`, commit: 'c0ffee', files: filesOf(MODEL) })
  t.like(hub.created[0], { name: 'mine', organization: 'me', visibility: 'private', type: 'model' })
  t.is(hub.header.summary, 'First')
  t.deepEqual([...hub.files.keys()].sort(), filesOf(MODEL))
  t.true(hub.files.has('README.md') && hub.files.has('model.safetensors') && hub.files.has('1_Pooling/config.json'))
  const digest = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')
  for (const [path, bytes] of hub.files) t.is(digest(bytes), digest(readFileSync(join(MODEL, path))), path)
  t.true(hub.requests.some((request) => request.startsWith('PUT /storage/')))
  t.true(
    hub.storageTokens.every((token) => token === undefined),
    'the token stays at the hub',
  )
  t.notRegex(out + err, /hf_writer/)
})

test.serial('a repository that is there, and --create again', async (t) => {
  const hub = await uploadHub(t, ['me/mine'])
  const { code, out } = await callProgram(['push', MODEL, 'me/mine', '--create', '--public'])
  t.is(code, 0)
  t.is(out, `${hub.url}/me/mine\n`)
  t.deepEqual(hub.created, [])
  t.is(hub.header.summary, 'Add model')
})

const faults: [string, string[], Record<string, string>, number, RegExp][] = [
  ['no repository', ['push', MODEL, 'me/other'], {}, 1, /There is no model me\/other .*--create makes it\n$/],
  [
    'a token that may not write',
    ['push', MODEL, 'me/mine'],
    { HF_TOKEN: 'hf_reader' },
    1,
    /does not let HF_TOKEN write to me\/mine/,
  ],
  ['no token', ['push', MODEL, 'me/mine'], { HF_TOKEN: '' }, 1, /needs an access token that may write, in HF_TOKEN/],
  [
    'no hub',
    ['push', MODEL, 'me/mine'],
    { HF_ENDPOINT: 'http://127.0.0.1:9' },
    1,
    /http:\/\/127\.0\.0\.1:9 cannot be reached/,
  ],
  ['no folder', ['push', join(root, 'no'), 'me/mine'], {}, 1, /no is not there/],
  [
    'a folder of another kind',
    ['push', join(root, 'run'), 'me/mine'],
    {},
    1,
    /run holds no model .*: .*run\/model is one/,
  ],
  ['no name', ['push', MODEL, 'mine'], {}, 1, /Expected owner\/name/],
  ['public without create', ['push', MODEL, 'me/mine', '--public'], {}, 2, /add --create/],
]
for (const [what, args, env, code, message] of faults) {
  test.serial(`refused: ${what}`, async (t) => {
    mkdirSync(join(root, 'run/model'), { recursive: true })
    writeFileSync(join(root, 'run/model/config.json'), '{}')
    const hub = await uploadHub(t, ['me/mine'])
    Object.assign(process.env, env)
    const result = await callProgram(args)
    t.is(result.code, code, result.err)
    t.regex(result.err, message)
    t.notRegex(result.err, /hf_reader|hf_writer/)
    t.is(result.out, '')
    t.is(hub.files.size, 0)
  })
}
