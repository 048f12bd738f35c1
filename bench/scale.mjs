// node bench/scale.mjs [--parameters measured.json]
//
// The time of a training step on N workers, by a model (docs/scale.md): compute, and what of the communication does not hide behind it. Its
// parameters are assumptions until they are measured; a JSON file replaces those that it names: { "networks": { "10 GbE": { "latency":
// 40e-6, "bandwidth": 1.1e9 } }, "models": { "all-MiniLM-L6-v2": { "secondsPerToken": { "cpu": 3e-6 } } } }.
import { readFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'

/**
 * Latency of a message in seconds, and bytes a second and direction of a worker. Assumed: of the Ethernets 90 % of the line and TCP's
 * latency; InfiniBand NDR with GPUDirect; NVLink of a node with eight GPUs.
 */
export const NETWORKS = {
  '10 GbE': { latency: 50e-6, bandwidth: 1.1e9 },
  '100 GbE': { latency: 30e-6, bandwidth: 11e9 },
  'InfiniBand 400 Gb/s': { latency: 5e-6, bandwidth: 45e9 },
  NVLink: { latency: 5e-6, bandwidth: 350e9 },
}

/** Seconds of forward, backward and update for each token. Assumed: 300 GFLOP/s of a CPU socket, 200 TFLOP/s of a GPU, 6 × parameters each. */
export const MODELS = {
  'all-MiniLM-L6-v2': { parameters: 22.7e6, tokenTable: 11.7e6, width: 384 },
  'bert-base': { parameters: 109.5e6, tokenTable: 23.4e6, width: 768 },
}
export const FLOPS = { cpu: 3e11, gpu: 2e14 }

/** Buckets in which gradients are sent while the backward pass goes on, and the share of the step that the backward pass takes. */
export const BUCKETS = 4
export const BACKWARD = 0.6

/**
 * @typedef {object} Step
 * @property {number} workers
 * @property {number} tokens of a worker's part of the batch
 * @property {number} secondsPerToken
 * @property {number} bytes of gradients that are added up
 * @property {number} [gathered] bytes of embeddings that each worker gives to all, for negatives across workers
 * @property {number} latency of a message
 * @property {number} bandwidth bytes a second
 */

/** Seconds of a ring that adds up `bytes` over all workers: 2 (n - 1) messages of a part. */
export function allReduce(workers, bytes, { latency, bandwidth }) {
  if (workers === 1) return 0
  return 2 * (workers - 1) * (latency + bytes / workers / bandwidth)
}

/** Seconds of a ring in which each worker gives `bytes` to all. */
export function allGather(workers, bytes, { latency, bandwidth }) {
  return (workers - 1) * (latency + bytes / bandwidth)
}

/**
 * Seconds of a step. All buckets but the last one hide behind what is left of the backward pass when the first of them is computed; the
 * gather, and that of its gradient, hide behind nothing, since the loss waits for them.
 * @param {Step} step
 */
export function stepSeconds({ workers, tokens, secondsPerToken, bytes, gathered = 0, ...network }) {
  const compute = tokens * secondsPerToken
  const bucket = allReduce(workers, bytes / BUCKETS, network)
  const hidden = Math.min((BUCKETS - 1) * bucket, BACKWARD * (1 - 1 / BUCKETS) * compute)
  const gather = gathered === 0 ? 0 : 2 * allGather(workers, gathered, network)
  return compute + BUCKETS * bucket - hidden + gather
}

/** The share of N times one worker's speed. @param {Step} step */
export function efficiency(step) {
  return (step.tokens * step.secondsPerToken) / stepSeconds(step)
}

const CASES = [
  { network: '10 GbE', kind: 'cpu' },
  { network: '100 GbE', kind: 'cpu' },
  { network: '100 GbE', kind: 'gpu' },
  { network: 'InfiniBand 400 Gb/s', kind: 'gpu' },
  { network: 'NVLink', kind: 'gpu' },
]
/** What is done about it, with its bytes and its tokens. */
const REMEDIES = [
  ['float32', (step) => step],
  ['bfloat16 gradients', (step) => ({ ...step, bytes: step.bytes / 2 })],
  ['4 batches a step', (step) => ({ ...step, tokens: 4 * step.tokens })],
  ['LoRA', (step, { parameters }) => ({ ...step, bytes: 4 * 0.01 * parameters })],
]
/** Rows of 64 pairs of 32 tokens for each worker: the whole batch grows with the workers. */
const ROWS = 128
const TOKENS = ROWS * 32

/** Bytes of gradients: of the table of tokens only the rows of the batch are sent, of all workers at most the whole table. */
export function gradientBytes({ parameters, tokenTable, width }, workers) {
  return 4 * (parameters - tokenTable + Math.min(tokenTable, workers * TOKENS * width))
}

/** Parameters, of which a file may replace some. */
export function parametersOf(path) {
  const given = path === undefined ? {} : JSON.parse(readFileSync(path, 'utf8'))
  const merged = (own, other = {}) =>
    Object.fromEntries(Object.entries(own).map(([name, value]) => [name, { ...value, ...other[name] }]))
  return { networks: merged(NETWORKS, given.networks), models: merged(MODELS, given.models) }
}

/** The tables of docs/scale.md. */
export function tables({ networks, models }) {
  const parts = []
  for (const [name, model] of Object.entries(models)) {
    const lines = [`**${name}**, ${ROWS} rows of 32 tokens for each worker:`, '']
    lines.push(`| Network | 2 | 8 | 64 | 1,024 | ${REMEDIES.map(([title]) => `≥ 90 %: ${title}`).join(' | ')} |`)
    lines.push(`|---|---|---|---|---|${REMEDIES.map(() => '---|').join('')}`)
    for (const { network, kind } of CASES) {
      const secondsPerToken = model.secondsPerToken?.[kind] ?? (6 * (model.parameters - model.tokenTable)) / FLOPS[kind]
      const step = (workers) => {
        return {
          workers,
          tokens: TOKENS,
          secondsPerToken,
          bytes: gradientBytes(model, workers),
          gathered: 4 * ROWS * model.width,
          ...networks[network],
        }
      }
      const shares = [2, 8, 64, 1024].map((workers) => `${Math.round(100 * efficiency(step(workers)))} %`)
      const most = REMEDIES.map(([, remedy]) => {
        let found = 1
        for (let workers = 2; workers <= 1024; workers *= 2)
          if (efficiency({ ...remedy(step(workers), model), workers }) >= 0.9) found = workers
        return found.toLocaleString('en')
      })
      lines.push(`| ${network}, ${kind === 'cpu' ? 'CPUs' : 'GPUs'} | ${[...shares, ...most].join(' | ')} |`)
    }
    parts.push(lines.join('\n'))
  }
  return parts.join('\n\n')
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const { values } = parseArgs({ options: { parameters: { type: 'string' } } })
  console.log(tables(parametersOf(values.parameters)))
}
