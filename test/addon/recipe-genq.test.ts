import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import anyTest from 'ava'
import { Dataset, recipes } from '../../lib/index.js'
import { temporaryFolder } from '../helpers/model-folders.js'
import { hasShared, MINILM, shuffledColumn } from '../helpers/shared.js'
import { retrieval, squad } from '../helpers/squad.js'
import { tinyFolder, tinyWords } from '../helpers/tiny-folder.js'

const test = hasShared ? anyTest : anyTest.skip

/** A T5 with random weights. */
const T5 = fileURLToPath(new URL('../../../test/parity/golden/seq2seq-folder', import.meta.url))

/** Passages of the tiny model's words. */
const tinyPassages = (count: number) =>
  Array.from({ length: count }, (_, i) => {
    const word = (k: number) => tinyWords[(i * k + k) % tinyWords.length]
    return `${word(1)} ${word(3)} is ${word(5)} ${i}`
  })

test('own queries: a model finds passages that it did not train on better, and better than after shuffled pairs', async (t) => {
  const train = await squad('train', 60)
  const held = await squad('dev', 120)
  const folder = await temporaryFolder(t)
  const run = (name: string, queries: Dataset) =>
    recipes.genq({
      ...{ model: MINILM, outputDir: join(folder, name), queries, seed: 1 },
      test: retrieval(held.pairs.head(150), held.passages),
      args: { maxSteps: 6, learningRate: 2e-4, maxSeqLength: 96, saveStrategy: 'no' },
    })
  const { metrics, counts } = await run('a', train.pairs)
  const control = await run('b', await shuffledColumn(train.pairs, 'passage'))
  const value = (found: recipes.RecipeMetric[]) => found.find(({ name }) => name === 'squad_cosine_ndcg@10')!
  t.log(`before ${value(metrics).before}, after ${value(metrics).after}, control ${value(control.metrics).after}`)
  t.is(counts.pairs, train.pairs.length)
  t.true(value(metrics).after > value(control.metrics).after + 0.02)
})

test('documents and a T5: passages, queries in files, round trip, training; every stage leaves its files', async (t) => {
  const folder = await temporaryFolder(t)
  const docs = join(folder, 'docs')
  await mkdir(docs)
  const passages = tinyPassages(40)
  await writeFile(join(docs, 'a.txt'), passages.slice(0, 20).join('\n\n'))
  await writeFile(join(docs, 'b.md'), `# Title\n\n${passages.slice(20).join('\n\n')}`)
  const given = { model: await tinyFolder(join(folder, 'tiny')), generator: T5, queriesPerPassage: 2 }
  const { counts } = await recipes.genq({ ...given, documents: docs, outputDir: join(folder, 'a'), roundTrip: 3 })
  t.true(counts.pairs! > 0 && counts.pairsWithoutRoundTrip! > 0)
  const stages = join(folder, 'a', 'stages')
  t.deepEqual(await readdir(stages), ['1-queries', '2-round-trip', '3-training'])
  const kept = await Dataset.fromFile(join(stages, '2-round-trip', 'pairs.jsonl'))
  t.is(kept.length, counts.pairs! - counts.pairsWithoutRoundTrip!)

  // Rows instead of files, and no filter: each passage with its queries.
  const rows = Dataset.fromColumns({ text: [...passages, ` ${passages[0]} `, ''] })
  const all = await recipes.genq({ ...given, documents: rows, outputDir: join(folder, 'b') })
  t.is(all.counts.passages, 40)
  t.is(all.counts.passagesLeftOut, 2)
  const tsv = await readFile(join(folder, 'b', 'stages/1-queries/pairs_0000.tsv'), 'utf8')
  t.is(tsv.trim().split('\n').length, 1 + all.counts.pairs!)
  const { emptyQueries = 0, duplicateQueries = 0, pairs = 0 } = all.counts
  t.is(pairs + emptyQueries + duplicateQueries, 80)
})

test('a stopped run goes on where it was, and ends with the same model', async (t) => {
  const folder = await temporaryFolder(t)
  const model = await tinyFolder(join(folder, 'tiny'))
  const options = (name: string): recipes.GenqOptions => ({
    ...{ model, outputDir: join(folder, name), generator: T5, roundTrip: 20 },
    documents: Dataset.fromColumns({ text: tinyPassages(70) }),
    args: { saveSteps: 1, loggingSteps: 1 },
  })
  const whole = await recipes.genq(options('whole'))
  const lines: string[] = []
  for (const last of ['stage 1', 'stage 2', 'stage 3']) {
    const stop = new AbortController()
    let isThere = false
    let writes = 0
    const log = (line: string) => {
      lines.push(line)
      isThere ||= line.startsWith(last) && !line.includes('reused')
      if (isThere && last !== 'stage 3') stop.abort()
    }
    const progress = { write: () => void (isThere && ++writes === 3 && stop.abort()) }
    const run = recipes.genq(options('stopped'), { log, progress, signal: stop.signal })
    await t.throwsAsync(run, { code: 'ERR_ABORTED' })
  }
  const resumed = await recipes.genq(options('stopped'), { log: (line) => lines.push(line) })
  t.deepEqual(resumed.counts, whole.counts)
  for (const name of ['1, queries', '2, round-trip', '3, training'])
    t.is(lines.filter((line) => line === `stage ${name}: continues`).length, 1, name)
  const weights = [whole, resumed].map(({ model }) => readFile(join(model, 'model.safetensors')))
  t.true((await weights[0]!).equals(await weights[1]!))
})

test('what is missing, and what is no document, are errors', async (t) => {
  const outputDir = await temporaryFolder(t)
  const model = await tinyFolder(join(outputDir, 'tiny'))
  const run = (options: Partial<recipes.GenqOptions>) => recipes.genq({ model, outputDir, ...options })
  const documents = Dataset.fromColumns({ a: ['x'], b: ['y'] })
  await t.throwsAsync(run({}), { code: 'ERR_INVALID_ARGUMENT', message: /documents and a generator, or queries/ })
  await t.throwsAsync(run({ documents }), { message: /found documents$/ })
  await t.throwsAsync(run({ generator: T5 }), { message: /found generator$/ })
  await t.throwsAsync(run({ documents, generator: T5 }), { message: /a column passage, text, .* found a, b/ })
  const queries = Dataset.fromRows([{ query: 'a', passage: ' ' }])
  await t.throwsAsync(run({ queries }), { code: 'ERR_INVALID_DATA', message: /an empty text in row 0/ })
  const endpoint = { baseUrl: 'nowhere', model: 'm' }
  await t.throwsAsync(run({ documents, generator: endpoint }), { code: 'ERR_INVALID_ARGUMENT', message: /baseUrl/ })
})
