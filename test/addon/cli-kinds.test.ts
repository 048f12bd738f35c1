// index, search and evaluate of the program with models of other classes: what they print is what the library gives.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { parquetReadObjects } from 'hyparquet'
import {
  EmbeddingIndex,
  evaluation,
  MultiVectorEncoder,
  SparseEmbeddings,
  SparseEncoder,
  type TokenEmbeddings,
} from '../../lib/index.js'
import { openSafetensors } from '../../lib/io/safetensors.js'
import { callProgram } from '../helpers/call-program.js'
import { tinyWords } from '../helpers/tiny-folder.js'

const root = mkdtempSync(join(tmpdir(), 'sentence-torch-cli-'))
test.after.always(() => rmSync(root, { recursive: true, force: true }))
const at = (name: string) => join(root, name)
const golden = (name: string) => fileURLToPath(new URL(`../../../test/parity/golden/${name}`, import.meta.url))

const TEXTS = Array.from({ length: 12 }, (_, i) => `${tinyWords[i]} ${tinyWords[(i * 7) % 40]} the ${tinyWords[i % 5]}`)
writeFileSync(at('texts.txt'), `${TEXTS.slice(0, 8).join('\n')}\n`)
writeFileSync(at('more.txt'), `${TEXTS.slice(8).join('\n')}\n`)
mkdirSync(at('beir/qrels'), { recursive: true })
const lines = (rows: readonly object[]) => rows.map((row) => `${JSON.stringify(row)}\n`).join('')
writeFileSync(at('beir/corpus.jsonl'), lines(TEXTS.map((text, i) => ({ _id: `d${i}`, text }))))
writeFileSync(at('beir/queries.jsonl'), lines(TEXTS.slice(0, 3).map((text, i) => ({ _id: `q${i}`, text }))))
writeFileSync(at('beir/qrels/test.tsv'), 'query-id\tcorpus-id\tscore\nq0\td4\t1\nq1\td1\t1\nq2\td9\t1\n')

test.before(async () => {
  // Plain folders become those of their class, by which the program knows them.
  await (await SparseEncoder.load(golden('sparse/bert'))).save(at('sparse'))
  await (await MultiVectorEncoder.load(golden('multi-vector/classic'))).save(at('multi'))
})

test.serial('inspect: modules, settings and the numbers of the weights', async (t) => {
  const show = async (name: string) => {
    const { code, out, err } = await callProgram(['inspect', name, '--json', '--tensors'])
    t.is(code, 0, err)
    return JSON.parse(out)
  }
  const sparse = await show(at('sparse'))
  await using splade = await SparseEncoder.load(at('sparse'))
  t.like(sparse, { kind: 'SparseEncoder', architecture: 'bert' })
  t.deepEqual(sparse.modules.at(-1).type, 'SpladePooling')
  t.is(sparse.settings.embeddingDimension, splade.embeddingDimension)
  const multi = await show(at('multi'))
  await using colbert = await MultiVectorEncoder.load(at('multi'))
  t.like(multi, { kind: 'MultiVectorEncoder', architecture: 'bert' })
  t.deepEqual(
    multi.modules.map(({ type }: { type: string }) => type),
    ['Transformer', 'Dense', 'MultiVectorMask', 'Normalize'],
  )
  t.like(multi.settings, {
    embeddingDimension: 4,
    documentLength: 12,
    queryExpansion: { strategy: 'fixed', length: 10 },
  })
  for (const [found, model] of [
    [sparse, splade],
    [multi, colbert],
  ] as const) {
    const numbers = model.encoder.tensors().reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0)
    t.true(found.parameters >= 0.9 * numbers && found.parameters <= 1.2 * numbers, `${found.parameters} ${numbers}`)
  }
  t.true(
    multi.tensors.some(({ shape }: { shape: number[] }) => shape[0] === 4 && shape[1] === 8),
    'the projection',
  )
})

for (const kind of ['sparse', 'multi'] as const) {
  test.serial(`${kind}: index, index --add, search and evaluate`, async (t) => {
    const call = async (...words: string[]) => {
      const { code, out, err } = await callProgram(words)
      t.is(code, 0, err)
      return out
    }
    const output = at(`${kind}.index`)
    const made = JSON.parse(await call('index', at(kind), at('texts.txt'), '--output', output, '--json'))
    t.is(made.rows, 8)
    await call('index', at(kind), at('more.txt'), '--output', output, '--add')
    const ask = ['--query', TEXTS[3]!, '--top-k', '5', '--json']
    writeFileSync(at('all.txt'), `${TEXTS.join('\n')}\n`)
    const found = JSON.parse(await call('search', at(kind), at('all.txt'), ...ask))
    t.deepEqual(JSON.parse(await call('search', at(kind), '--index', output, ...ask)), found)
    const model = await (kind === 'sparse' ? SparseEncoder : MultiVectorEncoder).load(at(kind))
    await using index = await EmbeddingIndex.open(output)
    const [hits] = await index.search((await model.encodeQuery([TEXTS[3]!])) as never, { topK: 5 })
    t.deepEqual(
      found.hits,
      hits!.map(({ corpusId, ...hit }) => ({ row: corpusId, ...hit })),
    )
    const { results } = JSON.parse(await call('evaluate', at(kind), '--on', at('beir'), '--json'))
    const Evaluator =
      kind === 'sparse'
        ? evaluation.SparseInformationRetrievalEvaluator
        : evaluation.MultiVectorInformationRetrievalEvaluator
    const evaluator = new Evaluator({ ...(await evaluation.loadBeir(at('beir'))), name: 'beir' })
    t.deepEqual(results[0].metrics, (await evaluator.evaluate(model as never)).metrics)
    await model.dispose()
  })
}

for (const kind of ['sparse', 'multi'] as const) {
  test.serial(`${kind}: encode writes the rows that the class gives`, async (t) => {
    const model = await (kind === 'sparse' ? SparseEncoder : MultiVectorEncoder).load(at(kind))
    const expected = await model.encodeDocument(TEXTS)
    const write = async (output: string, ...more: string[]) => {
      writeFileSync(at('all.txt'), `${TEXTS.join('\n')}\n`)
      const { code, err } = await callProgram([
        'encode',
        at(kind),
        at('all.txt'),
        '--document',
        '--output',
        at(output),
        ...more,
      ])
      t.is(code, 0, err)
    }
    const near = (found: ArrayLike<number>, wanted: ArrayLike<number>) =>
      t.true(
        found.length === wanted.length && Array.from(found).every((value, i) => Math.abs(value - wanted[i]!) <= 1e-6),
      )
    await write('rows.jsonl', '--with-text')
    const lines = readFileSync(at('rows.jsonl'), 'utf8').trim().split('\n')
    const rows: Record<string, unknown>[] = lines.map((line) => JSON.parse(line))
    t.deepEqual(
      rows.map(({ text }) => text),
      TEXTS,
    )
    await write('rows.parquet')
    const file = new Uint8Array(readFileSync(at('rows.parquet'))).buffer
    const objects = (await parquetReadObjects({ file })) as Record<string, unknown>[]
    await write('rows.safetensors')
    const tensors = await openSafetensors(at('rows.safetensors'))
    const read = async (name: string) => (await tensors.read(name)).buffer as ArrayBuffer
    t.deepEqual([...new Int32Array(await read('offsets'))], [...expected.offsets])
    for (const found of [rows, objects]) {
      if (expected instanceof SparseEmbeddings) {
        t.deepEqual(
          found.flatMap(({ indices }) => indices as number[]),
          [...expected.indices],
        )
        near(
          found.flatMap(({ values }) => values as number[]),
          expected.values,
        )
      } else
        near(
          found.flatMap(({ embedding }) => (embedding as number[][]).flat()),
          (expected as TokenEmbeddings).data,
        )
    }
    if (expected instanceof SparseEmbeddings) {
      t.deepEqual([...new Int32Array(await read('indices'))], [...expected.indices])
      near(new Float32Array(await read('values')), expected.values)
    } else near(new Float32Array(await read('embeddings')), (expected as TokenEmbeddings).data)
    await tensors.close()
    await model.dispose()
    for (const [message, ...more] of [
      [/rows of one length/, '--output', at('x.npy')],
      [/is for embeddings/, '--output', at('x.parquet'), '--precision', 'binary'],
    ] as const) {
      const { code, err } = await callProgram(['encode', at(kind), at('all.txt'), ...more])
      t.is(code, 2)
      t.regex(err, message)
    }
  })
}

test.serial('what a class has no evaluator or index for is refused', async (t) => {
  writeFileSync(
    at('sts.jsonl'),
    lines([1, 2, 3].map((score) => ({ sentence1: 'a', sentence2: 'b', score: score / 4 }))),
  )
  const refused = async (message: RegExp, ...words: string[]) => {
    const { code, err } = await callProgram(words)
    t.not(code, 0)
    t.regex(err, message)
  }
  await refused(/MultiVectorEncoder/, 'evaluate', at('multi'), '--on', at('sts.jsonl'))
  await refused(/SparseEncoder/, 'evaluate', at('sparse'), '--on', at('sts.jsonl'), '--truncate-dim', '4')
  await refused(/another model/, 'search', at('multi'), '--index', at('sparse.index'), '--query', 'a')
})
