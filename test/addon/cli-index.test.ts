// index, search and merge of the program, with tiny models: what they write is what the library gives.
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { EmbeddingIndex, SentenceTransformer, util } from '../../lib/index.js'
import { callProgram } from '../helpers/call-program.js'
import { tinyFolder, tinyWords } from '../helpers/tiny-folder.js'

const folder = mkdtempSync(join(tmpdir(), 'sentence-torch-cli-'))
test.after.always(() => rmSync(folder, { recursive: true, force: true }))
const at = (name: string) => join(folder, name)
const MODEL = at('model')
const GOLDEN = fileURLToPath(new URL('../../../test/parity/golden/merging/', import.meta.url))

const TEXTS = Array.from({ length: 30 }, (_, i) => `${tinyWords[i]} ${tinyWords[(i * 7) % 40]} the ${tinyWords[i % 5]}`)
writeFileSync(at('texts.txt'), `${TEXTS.slice(0, 20).join('\n')}\n`)
writeFileSync(
  at('more.jsonl'),
  TEXTS.slice(20)
    .map((text) => `${JSON.stringify({ text })}\n`)
    .join(''),
)
writeFileSync(at('empty.jsonl'), '')

let model: SentenceTransformer
test.before(async () => {
  await tinyFolder(MODEL)
  model = await SentenceTransformer.load(MODEL)
})
test.after.always(() => model.dispose())

interface Line {
  query: string
  hits: { row: number; score: number; text: string }[]
}

test.serial('index, index --add and search: hits and texts of semanticSearch', async (t) => {
  const corpus = await model.encodeDocument(TEXTS)
  const queries = [TEXTS[3]!, TEXTS[25]!]
  const expected = await util.semanticSearch(await model.encodeQuery(queries), corpus, { topK: 4 })
  for (const precision of ['float32', 'int8', 'binary'] as const) {
    const output = at(`${precision}.index`)
    const made = await callProgram([
      'index',
      MODEL,
      at('texts.txt'),
      '--output',
      output,
      '--precision',
      precision,
      '--json',
    ])
    t.is(made.code, 0, made.err)
    const { rows, added, dimensions } = JSON.parse(made.out)
    t.deepEqual([rows, added, dimensions], [20, 20, 32])
    const more = await callProgram(['index', MODEL, at('more.jsonl'), '--add', '--output', output])
    t.is(more.code, 0, more.err)
    t.regex(more.err, /10 texts.*\(30 rows\)/)
    const words = [
      'search',
      MODEL,
      '--queries',
      '-',
      '--index',
      output,
      '--query',
      queries[0]!,
      '--top-k',
      '4',
      '--json',
    ]
    const wide = precision === 'float32' ? [] : ['--rescore-multiplier', '30']
    const { code, out, err } = await callProgram([...words, ...wide], `${queries[1]}\n`)
    t.is(code, 0, err)
    const lines: Line[] = out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    t.deepEqual(
      lines.map(({ query }) => query),
      queries,
    )
    for (const [q, { hits }] of lines.entries()) {
      t.deepEqual(
        hits.map(({ text }) => text),
        expected[q]!.map(({ corpusId }) => TEXTS[corpusId]!),
      )
      for (const [i, { score }] of hits.entries()) t.true(Math.abs(score - expected[q]![i]!.score) <= 1e-6)
    }
    await using index = await EmbeddingIndex.open(output)
    t.is(index.precision, precision)
    await t.notThrowsAsync(index.verify())
  }
  const { out } = await callProgram([
    'search',
    MODEL,
    '--index',
    at('int8.index'),
    '--query',
    queries[0]!,
    '--top-k',
    '1',
  ])
  t.is(out, `${queries[0]}\n  1.0000  ${queries[0]}\n`)
  t.deepEqual(
    readdirSync(folder).filter((name) => /tmp|lock/.test(name)),
    [],
  )
})

test.serial('an index of another model is refused, by search and by index --add', async (t) => {
  const other = await tinyFolder(at('other-model'), 2)
  const output = at('own.index')
  t.is((await callProgram(['index', MODEL, at('texts.txt'), '--output', output])).code, 0)
  const before = readFileSync(output)
  for (const args of [
    ['search', other, '--index', output, '--query', TEXTS[0]!],
    ['index', other, at('more.jsonl'), '--add', '--output', output],
  ]) {
    const { code, out, err } = await callProgram(args)
    t.is(code, 1)
    t.is(out, '')
    t.regex(
      err,
      /own\.index was made with another model, .*\/model: the cosine .*make the index again with .*other-model\n$/,
    )
  }
  t.deepEqual(readFileSync(output), before)
})

test.serial("merge: the library's model, of sentence models and cross-encoders", async (t) => {
  const [one, two, base] = ['one', 'two', 'base'].map((name) => GOLDEN + name) as [string, string, string]
  const words = ['merge', one, two, '--method', 'ties', '--base', base, '--weight', '0.6,0.3', '--density', '0.5']
  const { code, out, err } = await callProgram([...words, '--normalize', 'false', '--output', at('merged'), '--json'])
  t.is(code, 0, err)
  t.is(JSON.parse(out).kind, 'SentenceTransformer')
  const parameters = { weight: [0.6, 0.3], density: 0.5, normalize: false }
  await using expected = await SentenceTransformer.merge([one, two], 'ties', { baseModel: base, parameters })
  await using found = await SentenceTransformer.load(at('merged'))
  t.deepEqual((await found.encode(['the cat'])).data, (await expected.encode(['the cat'])).data)
  const pairs = await callProgram(['merge', `${GOLDEN}ce-one`, `${GOLDEN}ce-two`, '--output', at('merged-ce')])
  t.is(pairs.code, 0, pairs.err)
  t.is(
    JSON.parse(readFileSync(join(at('merged-ce'), 'config_sentence_transformers.json'), 'utf8')).model_type,
    'CrossEncoder',
  )
})

test.serial('bad calls: one line that says what to do, and nothing written', async (t) => {
  const good = at('good.index')
  t.is((await callProgram(['index', MODEL, at('texts.txt'), '--output', good])).code, 0)
  writeFileSync(at('damaged.index'), readFileSync(good).subarray(0, 9000))
  const narrow = at('narrow')
  cpSync(`${GOLDEN}one`, narrow, { recursive: true })
  const out = at('none')
  const cases: [words: string[], code: number, message: RegExp][] = [
    [['index', MODEL, at('texts.txt')], 2, /--output/],
    [['index', MODEL, at('empty.jsonl'), '--output', out], 1, /at least one row in .*empty\.jsonl/],
    [['index', MODEL, at('texts.txt'), '--output', out, '--precision', 'int4'], 2, /did you mean int8/],
    [['index', MODEL, at('texts.txt'), '--output', out, '--add'], 1, /There is no file/],
    [
      ['index', MODEL, at('texts.txt'), '--output', good, '--add', '--precision', 'int8'],
      2,
      /--precision is for a new index/,
    ],
    [['index', narrow, at('texts.txt'), '--output', good, '--add'], 1, /have 32 numbers, those of .* 6\./],
    [['index', MODEL, at('nowhere.txt'), '--output', out], 1, /nowhere\.txt/],
    [
      ['index', MODEL, at('texts.txt'), '--output', out, '--precision', 'binary', '--score-function', 'euclidean'],
      1,
      /cosine or dot/,
    ],
    [['search', MODEL, '--query', 'a'], 2, /a file of texts, or --index/],
    [['search', MODEL, at('texts.txt'), '--index', good, '--query', 'a'], 2, /not both/],
    [['search', MODEL, at('texts.txt'), '--query', 'a', '--truncate-dim', '4'], 2, /is for --index/],
    [['search', MODEL, '--index', good], 2, /--query/],
    [['search', MODEL, '--index', at('damaged.index'), '--query', 'a'], 1, /cut off, or copied in part/],
    [['search', MODEL, '--index', at('texts.txt'), '--query', 'a'], 1, /another file/],
    [['search', narrow, '--index', good, '--query', 'a'], 1, /have 32 numbers, those of .* 6\./],
    [['search', MODEL, '--index', good, '--query', 'a', '--rescore-multiplier', '4'], 1, /int8 and binary/],
    [['search', MODEL, '--index', good, '--query', 'a', '--top-k', '0'], 2, /top-k/],
    [['merge', narrow, narrow], 2, /--output/],
    [['merge', narrow, '--output', out], 1, /at least two/],
    [['merge', narrow, narrow, '--output', out, '--weight', '1,x'], 2, /--weight takes numbers/],
    [['merge', narrow, narrow, '--output', out, '--t', '0.5'], 1, /no option "t"/],
    [['merge', narrow, narrow, '--output', out, '--method', 'ties'], 1, /baseModel/],
    [['merge', narrow, MODEL, '--output', out], 1, /same/],
  ]
  const before = readFileSync(good)
  for (const [words, code, message] of cases) {
    const found = await callProgram(words)
    t.is(found.code, code, `${words.join(' ')}: ${found.err}`)
    t.regex(found.err, message, words.join(' '))
    t.false(existsSync(out), words.join(' '))
  }
  t.deepEqual(readFileSync(good), before)
})
