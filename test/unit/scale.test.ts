// The model of docs/scale.md, and that the page has what the program prints.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import test from 'ava'
import { packageRoot } from '#system'

interface Network {
  latency: number
  bandwidth: number
}
interface Step extends Network {
  workers: number
  tokens: number
  secondsPerToken: number
  bytes: number
  gathered?: number
}
const { allReduce, allGather, stepSeconds, efficiency, parametersOf, tables } = (await import(
  pathToFileURL(join(packageRoot, 'bench/scale.mjs')).href
)) as {
  allReduce(workers: number, bytes: number, network: Network): number
  allGather(workers: number, bytes: number, network: Network): number
  stepSeconds(step: Step): number
  efficiency(step: Step): number
  parametersOf(path?: string): { networks: Record<string, Network> }
  tables(parameters: object): string
}

const network = { latency: 1e-3, bandwidth: 1e6 }
const step = { tokens: 1000, secondsPerToken: 1e-3, bytes: 4e6, ...network }

test('a ring sends each byte twice, and a message to each neighbour', (t) => {
  t.is(allReduce(1, 1e6, network), 0)
  t.is(allReduce(2, 1e6, network), 2 * (1e-3 + 0.5))
  t.true(Math.abs(allReduce(1000, 1e6, network) - (1998 * 1e-3 + 1.998)) < 1e-9)
  t.is(allGather(3, 1e6, network), 2 * (1e-3 + 1))
})

test('what hides is no more than the backward pass behind the first bucket', (t) => {
  t.is(stepSeconds({ ...step, workers: 1 }), 1)
  // Buckets of 1 MB take 1.002 s each; of three of them hides what is left of 0.6 s after a quarter.
  t.true(Math.abs(stepSeconds({ ...step, workers: 2 }) - (1 + 4 * 1.002 - 0.45)) < 1e-9)
  // Small buckets hide but for the last one.
  t.true(Math.abs(stepSeconds({ ...step, bytes: 4e4, workers: 2 }) - (1 + 0.012)) < 1e-9)
  const gathered = stepSeconds({ ...step, workers: 2, gathered: 1e5 }) - stepSeconds({ ...step, workers: 2 })
  t.true(Math.abs(gathered - 2 * 0.101) < 1e-9)
  t.true(efficiency({ ...step, workers: 4 }) < efficiency({ ...step, workers: 2 }))
})

test('docs/scale.md has the tables that the program prints', (t) => {
  const page = readFileSync(join(packageRoot, 'docs/scale.md'), 'utf8')
  t.true(page.includes(tables(parametersOf())))
})

test('measured parameters replace assumed ones', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'sentence-torch-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const path = join(folder, 'measured.json')
  writeFileSync(path, JSON.stringify({ networks: { '10 GbE': { bandwidth: 5 } } }))
  const { networks } = parametersOf(path)
  t.deepEqual(networks['10 GbE'], { latency: 50e-6, bandwidth: 5 })
  t.not(tables(parametersOf(path)), tables(parametersOf()))
})
