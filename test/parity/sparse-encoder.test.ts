// SparseEncoder against sentence-transformers: tiny models of every architecture.
import { readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import { SparseEncoder } from '../../lib/index.js'
import { openSafetensors } from '../../lib/io/safetensors.js'
import type { SparseEmbeddings, SparseRow } from '../../lib/models/sparse-embeddings.js'
import { temporaryFolder } from '../helpers/model-folders.js'
import { report } from './report.js'

const ROOT = fileURLToPath(new URL('../../../test/parity/golden/sparse/', import.meta.url))
const ALLOWED = 1e-5

interface Row {
  indices: number[]
  values: number[]
}

interface Golden {
  embeddings: Row[]
  most: Row[]
  decoded: [string, number][]
  sparsity: { active_dims: number; sparsity_ratio: number }
  intersection: Row[]
  similarities: Record<'dot' | 'cosine' | 'euclidean' | 'manhattan', number[][]>
  text: string
}

const golden: { texts: string[]; models: Record<string, Golden> } = JSON.parse(
  readFileSync(join(ROOT, 'golden.json'), 'utf8'),
)

/** @returns the largest deviation of a value */
function compare(t: ExecutionContext, found: SparseEmbeddings, expected: readonly Row[], what: string): number {
  let worst = 0
  t.is(found.length, expected.length)
  expected.forEach(({ indices, values }, i) => {
    const row: SparseRow = found.row(i)
    t.deepEqual([...row.indices], indices, `${what}: the words of row ${i}`)
    for (const [k, value] of values.entries()) worst = Math.max(worst, Math.abs(row.values[k]! - value))
  })
  t.true(worst <= ALLOWED * 10, `${what}: off by ${worst}`)
  return worst
}

for (const [name, expected] of Object.entries(golden.models)) {
  test(`${name}: embeddings, and what is made of them, are those of sentence-transformers`, async (t) => {
    await using model = await SparseEncoder.load(join(ROOT, name))
    const embeddings = await model.encode(golden.texts)
    const deviation = compare(t, embeddings, expected.embeddings, 'embeddings')
    report('sparse', name, { part: 'embeddings', deviation, allowed: ALLOWED * 10, cases: golden.texts.length })
    compare(t, await model.encode(golden.texts, { maxActiveDims: 3 }), expected.most, 'maxActiveDims')
    t.is(model.toString(), expected.text)

    const [decoded] = model.decode(embeddings, 5)
    t.deepEqual(
      decoded!.map(({ token }) => token),
      expected.decoded.map(([token]) => token),
    )
    decoded!.forEach(({ weight }, i) => {
      t.true(Math.abs(weight - expected.decoded[i]![1]) <= ALLOWED)
    })
    const { activeDims, sparsityRatio } = model.sparsity(embeddings)
    t.true(Math.abs(activeDims - expected.sparsity.active_dims) <= 1e-6)
    t.true(Math.abs(sparsityRatio - expected.sparsity.sparsity_ratio) <= 1e-6)
    compare(t, model.intersection(embeddings.slice(0, 1), embeddings), expected.intersection, 'intersection')
    for (const [metric, matrix] of Object.entries(expected.similarities)) {
      model.similarityFnName = metric as keyof Golden['similarities']
      const found = model.similarity(embeddings, embeddings)
      const pairs = model.similarityPairwise(embeddings, embeddings)
      matrix.forEach((row, i) => {
        row.forEach((value, j) => {
          // Of a row with itself, Python's distance is the root of what rounding has left.
          const allowed = metric === 'euclidean' && i === j ? 1e-3 : 1e-4 * Math.max(1, Math.abs(value))
          const off = Math.abs(found.row(i)[j]! - value)
          t.true(off <= allowed, `${metric} ${i}, ${j}: ${found.row(i)[j]}, in Python ${value}`)
          if (i === j) t.true(Math.abs(pairs[i]! - value) <= allowed)
        })
      })
    }
  })

  test(`${name}: saved, it loads with equal vectors and tensors`, async (t) => {
    await using model = await SparseEncoder.load(join(ROOT, name), { maxActiveDims: 7 })
    const folder = join(await temporaryFolder(t), 'saved')
    await model.save(folder)
    await using saved = await SparseEncoder.load(folder)
    t.is(saved.maxActiveDims, 7)
    t.deepEqual(await saved.encode(golden.texts), await model.encode(golden.texts))
    const file = await openSafetensors(join(folder, 'model.safetensors'))
    const source = await openSafetensors(join(ROOT, name, 'model.safetensors'))
    t.deepEqual([...file.tensors.keys()].sort(), [...source.tensors.keys()].sort())
    await Promise.all([file.close(), source.close()])
    const config = async (path: string) => JSON.parse(await readFile(join(path, 'config.json'), 'utf8'))
    t.deepEqual((await config(folder)).architectures, (await config(join(ROOT, name))).architectures)
  })
}
