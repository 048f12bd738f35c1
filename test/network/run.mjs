// A training by two machines, which are network namespaces of this one, and what may be wrong with them:
// `node test/network/run.mjs [case…]` as root, after `npm run build:ts`. Every rank has to end in time and say what is wrong.
import { spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { tinyFolder } from '../../dist/test/helpers/tiny-folder.js'
import { machines, whyNoMachines } from './namespaces.mjs'

const WORKER = fileURLToPath(new URL('../../dist/test/helpers/rank-worker.js', import.meta.url))
/** Seconds from the beginning of a training after which it has to have said what is wrong. */
const LIMIT = 30
const PORT = 29_500

const why = whyNoMachines()
if (why !== undefined) {
  console.log(`Skipped: ${why}`)
  process.exit(0)
}
const root = await mkdtemp(join(tmpdir(), 'sentence-torch-'))
const network = machines(2)
const [host] = network.addresses
const model = await tinyFolder(join(root, 'model'))
const other = await tinyFolder(join(root, 'other'), 2)
const args = { maxSteps: 8, perDeviceTrainBatchSize: 8, outputDir: join(root, 'run') }

/** A process on a machine: its answer. */
function start(machine, request, env, onStart = () => {}) {
  const [program, ...words] = [...network.on(machine), process.execPath, WORKER, JSON.stringify(request)]
  const child = spawn(program, words, {
    env: { ...process.env, OMP_WAIT_POLICY: 'PASSIVE', SENTENCE_TORCH_THREADS: '1', ...env },
  })
  onStart(child)
  let [stdout, stderr] = ['', '']
  child.stdout.on('data', (text) => (stdout += text))
  child.stderr.on('data', (text) => (stderr += text))
  const timer = setTimeout(() => child.kill('SIGKILL'), 3 * LIMIT * 1000)
  return new Promise((resolve) => {
    child.on('close', (code, signal) => {
      clearTimeout(timer)
      const answer = stdout === '' ? { error: `no answer: ${signal} ${stderr.slice(-500)}` } : JSON.parse(stdout)
      resolve({ seconds: 0, ...answer, code })
    })
  })
}

/** Both processes, of which the second one may differ. */
function both(change = {}, main = {}) {
  const env = (rank) => ({ RANK: `${rank}`, WORLD_SIZE: '2', MASTER_ADDR: host, MASTER_PORT: `${PORT}` })
  return Promise.all([
    start(0, { model, args, ...main.request }, { ...env(0), ...main.env }, main.onStart),
    start(1, { model, args, ...change.request }, { ...env(1), ...change.env }, change.onStart),
  ])
}

const later = (milliseconds, work) => () => void setTimeout(work, milliseconds).unref()

/** Listens at the port of the store, on the first machine, and says nothing. */
async function withPortTaken(work) {
  const program = `require('node:net').createServer(() => {}).listen(${PORT}, '0.0.0.0', () => console.log('listens'))`
  const [command, ...words] = [...network.on(0), process.execPath, '-e', program]
  const child = spawn(command, words)
  await new Promise((resolve) => child.stdout.once('data', resolve))
  try {
    return await work()
  } finally {
    child.kill()
  }
}

const long = { ...args, maxSteps: 100_000, ddpTimeout: 4 }

/** What is done, and what the ranks have to say. */
const cases = {
  'two machines train': { work: () => both(), says: [undefined, undefined] },
  'an interface by name': {
    work: () => both({ env: { GLOO_SOCKET_IFNAME: 'eth0' } }, { env: { GLOO_SOCKET_IFNAME: 'eth0' } }),
    says: [undefined, undefined],
  },
  'a host that nobody knows': {
    work: () => both({ env: { MASTER_ADDR: 'no-such-host.invalid' } }),
    says: [/for rank 1\./, /cannot reach the store .*no-such-host\.invalid/],
  },
  'an address without a machine': {
    work: () => both({ env: { MASTER_ADDR: '10.77.0.99' } }),
    says: [/for rank 1\./, /cannot reach the store .*10\.77\.0\.99/],
  },
  'an address whose packets are lost': {
    work: () => both({ env: { MASTER_ADDR: '10.78.0.1' } }),
    says: [/for rank 1\./, /cannot reach the store .*10\.78\.0\.1/],
  },
  'the loopback as interface': {
    work: () => both({ env: { GLOO_SOCKET_IFNAME: 'lo' } }, { env: { GLOO_SOCKET_IFNAME: 'lo' } }),
    says: [/GLOO_SOCKET_IFNAME/, /GLOO_SOCKET_IFNAME/],
  },
  'no such interface': {
    work: () => both({ env: { GLOO_SOCKET_IFNAME: 'eth9' } }),
    says: [/rank 1 has ended: .*eth9/, /eth9/],
  },
  'the port is taken': {
    work: () => withPortTaken(both),
    says: [/cannot serve the store at .*MASTER_PORT/, /store/],
  },
  'a rank beyond the world': { work: () => both({ env: { RANK: '2' } }), says: [/RANK is 2/, /RANK is 2/] },
  'two worlds': { work: () => both({ env: { WORLD_SIZE: '3' } }), says: [/WORLD_SIZE is/, /WORLD_SIZE is/] },
  'another model': {
    work: () => both({ request: { model: other } }),
    says: [/other model|weights/, /other model|weights/],
  },
  'other data': { work: () => both({ request: { rows: 48 } }), says: [/other data/, /other data/] },
  'another version': {
    work: () => both({ request: { version: '0.0.9' } }),
    says: [/other sentence-torch \("0\.0\.9"/, /other sentence-torch \("0\.0\.9"/],
  },
  'the cable is unplugged': {
    work: () =>
      both({ request: { args: long } }, { request: { args: long }, onStart: later(13000, () => network.unplug(1)) }),
    says: [/rank 1 is lost|timeout/, /rank 0.* is lost|timeout/],
  },
}

let faults = 0
const chosen = process.argv.slice(2)
for (const [name, { work, says }] of Object.entries(cases)) {
  if (chosen.length > 0 && !chosen.includes(name)) continue
  const ended = await work()
  console.log(name)
  for (const [rank, { error, seconds, code }] of ended.entries()) {
    const isRight = says[rank] === undefined ? error === undefined : says[rank].test(error ?? '') && code === 1
    const fault = isRight && seconds <= LIMIT ? '' : 'FAULT '
    if (fault !== '') faults++
    console.log(`  ${fault}rank ${rank}, ${seconds.toFixed(1)} s: ${error ?? 'trained'}`)
  }
}
network.close()
await rm(root, { recursive: true, force: true })
console.log(faults === 0 ? 'no fault' : `${faults} faults`)
process.exitCode = faults === 0 ? 0 : 1
