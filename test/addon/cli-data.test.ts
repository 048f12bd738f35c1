// Commands over data: search, quantize, mine, label, pull. Their results are those of the library.
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { CrossEncoder, Dataset, evaluation, SentenceTransformer, util } from '../../lib/index.js'
import { callProgram } from '../helpers/call-program.js'
import { COMMIT, hubServer } from '../helpers/hub-server.js'
import { tinyFolder, tinyWords } from '../helpers/tiny-folder.js'

const folder = mkdtempSync(join(tmpdir(), 'sentence-torch-cli-data-'))
test.after.always(() => rmSync(folder, { recursive: true, force: true }))
const at = (name: string) => join(folder, name)
const [MODEL, PAIR_MODEL] = [at('model'), at('pair-model')]

const TEXTS = Array.from({ length: 40 }, (_, i) => `${tinyWords[i]} ${tinyWords[(i * 7) % 40]} ${tinyWords[i % 5]}`)
const PAIRS = TEXTS.slice(0, 20).map((text, i) => ({ question: text, answer: TEXTS[39 - i]!, id: i }))
writeFileSync(at('texts.txt'), TEXTS.join('\n'))
writeFileSync(at('pairs.jsonl'), PAIRS.map((row) => `${JSON.stringify(row)}\n`).join(''))
writeFileSync(at('empty.jsonl'), '')
writeFileSync(at('one.jsonl'), '{"a":"x"}\n')
writeFileSync(at('text.npy'), 'not an array')

let model: SentenceTransformer
let scorer: CrossEncoder
test.before(async () => {
  await tinyFolder(MODEL)
  model = await SentenceTransformer.load(MODEL)
  scorer = await CrossEncoder.load(MODEL, { seed: 3 })
  await scorer.save(PAIR_MODEL)
})
test.after.always(async () => {
  await model.dispose()
  await scorer.dispose()
})

const rowsOf = (path: string) =>
  readFileSync(path, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))

test.serial('search: what semanticSearch finds, with embeddings of encode or without', async (t) => {
  const queries = ['red cat', 'the snow and the milk']
  const wanted = await util.semanticSearch(await model.encodeQuery(queries), await model.encodeDocument(TEXTS), {
    topK: 3,
  })
  const asked = ['--query', queries[0]!, '--query', queries[1]!, '--top-k', '3']
  await callProgram(['encode', MODEL, at('texts.txt'), '--document', '--output', at('docs.npy')])
  for (const stored of [[], ['--embeddings', at('docs.npy')]]) {
    const { code, out, err } = await callProgram(['search', MODEL, at('texts.txt'), ...asked, '--json', ...stored])
    t.is(code, 0, err)
    const found = out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    t.deepEqual(
      found.map(({ query }) => query),
      queries,
    )
    for (const [i, { hits }] of found.entries()) {
      t.deepEqual(
        hits.map(({ row }: { row: number }) => row),
        wanted[i]!.map(({ corpusId }) => corpusId),
      )
      for (const [j, hit] of hits.entries()) {
        t.is(hit.text, TEXTS[hit.row])
        t.true(Math.abs(hit.score - wanted[i]![j]!.score) < 1e-6)
      }
    }
  }
  const { out } = await callProgram(
    ['search', MODEL, at('texts.txt'), '--queries', '-', '--top-k', '1'],
    queries.join('\n'),
  )
  t.is(out.split('\n').length, 5)
  t.true(out.startsWith(`${queries[0]}\n  ${wanted[0]![0]!.score.toFixed(4)}  `))
})

test.serial('quantize: the bytes of quantizeEmbeddings', async (t) => {
  const embeddings = await model.encode(TEXTS)
  await callProgram(['encode', MODEL, at('texts.txt'), '--output', at('e.npy')])
  const calibration = await model.encode(TEXTS.slice(0, 10))
  await callProgram(['encode', MODEL, '-', '--output', at('c.npy')], TEXTS.slice(0, 10).join('\n'))
  for (const precision of ['int8', 'uint8', 'binary', 'ubinary'] as const) {
    const { code, out, err } = await callProgram([
      'quantize',
      at('e.npy'),
      '--precision',
      precision,
      '--output',
      at('q.npy'),
      '--json',
    ])
    t.is(code, 0, err)
    const wanted = await util.quantizeEmbeddings(embeddings, precision)
    t.like(JSON.parse(out), { rows: 40, bytes: wanted.data.byteLength, bytesBefore: 40 * 32 * 4 })
    const bytes = readFileSync(at('q.npy'))
    const type = precision.startsWith('u') ? '|u1' : '|i1'
    t.regex(bytes.toString('latin1', 0, 128), new RegExp(`'descr': '\\${type}'.*'shape': \\(40, ${wanted.shape[1]}\\)`))
    t.deepEqual(
      new Uint8Array(bytes.subarray(128)),
      new Uint8Array(wanted.data.buffer, wanted.data.byteOffset, wanted.data.byteLength),
    )
  }
  await callProgram([
    'quantize',
    at('e.npy'),
    '--precision',
    'int8',
    '--output',
    at('q.npy'),
    '--calibration',
    at('c.npy'),
  ])
  const { data } = await util.quantizeEmbeddings(embeddings, 'int8', { calibrationEmbeddings: calibration })
  t.deepEqual(new Int8Array(readFileSync(at('q.npy')).subarray(128)), new Int8Array(data))
})

test.serial('mine: the rows of mineHardNegatives', async (t) => {
  const dataset = Dataset.fromRows(PAIRS).selectColumns(['question', 'answer'])
  const options = { numNegatives: 2, maxScore: 0.97, outputFormat: 'n-tuple', verbose: false } as const
  const wanted = await util.mineHardNegatives(dataset, model, options)
  const given = ['--negatives', '2', '--max-score', '0.97', '--format', 'n-tuple', '--output', at('mined.jsonl')]
  const { code, out, err } = await callProgram(['mine', MODEL, at('pairs.jsonl'), ...given, '--json'])
  t.is(code, 0, err)
  t.deepEqual(rowsOf(at('mined.jsonl')), [...wanted])
  t.deepEqual(JSON.parse(out).columns, ['question', 'answer', 'negative_1', 'negative_2'])
  const scored = await util.mineHardNegatives(dataset, model, {
    crossEncoder: scorer,
    maxScore: 0.9,
    corpus: TEXTS,
    verbose: false,
  })
  const more = ['--cross-encoder', PAIR_MODEL, '--max-score', '0.9', '--corpus', at('texts.txt')]
  const again = await callProgram(['mine', MODEL, at('pairs.jsonl'), ...more, '--output', at('scored.jsonl')])
  t.is(again.code, 0, again.err)
  t.deepEqual(rowsOf(at('scored.jsonl')), [...scored])
})

test.serial('label: the scores of predict', async (t) => {
  const pairs = PAIRS.map(({ question, answer }): [string, string] => [question, answer])
  for (const [activation, name] of [
    ['sigmoid', 'score'],
    ['identity', 'label'],
  ] as const) {
    const { data } = await scorer.predict(pairs, { activation })
    const given = ['--activation', activation, '--name', name, '--output', at('labelled.jsonl')]
    const { code, err } = await callProgram(['label', PAIR_MODEL, at('pairs.jsonl'), ...given])
    t.is(code, 0, err)
    const rows = rowsOf(at('labelled.jsonl'))
    t.deepEqual(Object.keys(rows[0]), ['question', 'answer', name])
    rows.forEach((row, i) => {
      t.true(Math.abs(row[name] - data[i]!) < 1e-6)
    })
  }
})

test.serial('pull: the files of a model come into the cache, once', async (t) => {
  const hub = await hubServer(t, MODEL)
  const before = { ...process.env }
  t.teardown(() => {
    process.env = before
  })
  process.env.HF_ENDPOINT = hub.url
  process.env.HF_HUB_CACHE = at('cache')
  const { code, out, err } = await callProgram(['pull', 'org/model', '--json'])
  t.is(code, 0, err)
  const path = join(at('cache'), 'models--org--model/snapshots', COMMIT)
  t.deepEqual(JSON.parse(out), [{ id: 'org/model', paths: [path] }])
  t.true(readdirSync(path).includes('model.safetensors'))
  const asked = hub.requests.length
  t.is((await callProgram(['pull', 'org/model'])).out, `${path}\n`)
  t.is(hub.requests.length, asked)
  const missing = await callProgram(['pull', 'org/other'])
  t.is(missing.code, 1)
  t.regex(missing.err, /org\/other/)
})

const faults: [string[], number, RegExp][] = [
  [['search', MODEL, at('texts.txt')], 2, /needs --query <text> or --queries <file>/],
  [['search', MODEL, '-', '--queries', '-'], 2, /not both/],
  [['search', MODEL, at('no.txt'), '--query', 'a'], 1, /There is no file/],
  [['search', MODEL, at('empty.jsonl'), '--query', 'a'], 1, /at least one row/],
  [['search', at('no'), at('texts.txt'), '--query', 'a'], 1, /There is no model folder/],
  [
    ['search', MODEL, at('texts.txt'), '--query', 'a', '--embeddings', at('text.npy')],
    1,
    /NumPy's format in .*text\.npy/,
  ],
  [
    ['search', MODEL, at('one.jsonl'), '--query', 'a', '--embeddings', at('docs.npy')],
    1,
    /Expected 1 embeddings .* found 40/,
  ],
  [['quantize', at('e.npy'), '--output', at('n.npy')], 2, /needs --precision/],
  [['quantize', at('e.npy'), '--precision', 'int4', '--output', at('n.npy')], 2, /knows no "int4"; did you mean int8/],
  [['quantize', at('e.npy'), '--precision', 'int8', '--output', at('n.bin')], 2, /ending in \.npy/],
  [
    ['quantize', at('e.npy'), '--precision', 'binary', '--calibration', at('c.npy'), '--output', at('n.npy')],
    2,
    /has no ranges/,
  ],
  [['quantize', at('no.npy'), '--precision', 'int8', '--output', at('n.npy')], 1, /There is no file/],
  [['quantize', at('text.npy'), '--precision', 'int8', '--output', at('n.npy')], 1, /NumPy's format/],
  [['quantize', at('q.npy'), '--precision', 'int8', '--output', at('n.npy')], 1, /NumPy's format/],
  [['mine', MODEL, at('pairs.jsonl')], 2, /mine needs --output/],
  [['mine', MODEL, at('pairs.jsonl'), '--output', at('n.txt')], 2, /ending in \.jsonl/],
  [['mine', MODEL, at('pairs.jsonl'), '--columns', 'question', '--output', at('n.jsonl')], 2, /takes two names/],
  [
    ['mine', MODEL, at('pairs.jsonl'), '--columns', 'question,anser', '--output', at('n.jsonl')],
    1,
    /the keys question, anser/,
  ],
  [['mine', MODEL, at('one.jsonl'), '--output', at('n.jsonl')], 1, /column/],
  [['mine', MODEL, at('empty.jsonl'), '--output', at('n.jsonl')], 1, /at least one row/],
  [['mine', MODEL, at('pairs.jsonl'), '--max-score', '-5', '--output', at('n.jsonl')], 1, /No negative was found/],
  [['label', PAIR_MODEL, at('one.jsonl'), '--output', at('n.jsonl')], 1, /Expected two columns of texts/],
  [['label', PAIR_MODEL, at('no.jsonl'), '--output', at('n.jsonl')], 1, /There is no file/],
  [['label', at('no'), at('pairs.jsonl'), '--output', at('n.jsonl')], 1, /There is no model folder/],
  [['label', PAIR_MODEL, at('pairs.jsonl'), '--name', 'answer', '--output', at('n.jsonl')], 1, /is a column of texts/],
  [['pull', 'a/b', '--split', 'train'], 2, /--split is for data sets: add --dataset/],
  [['pull', '../model'], 1, /not a Hugging Face model id/],
]
for (const [args, code, message] of faults) {
  test.serial(`bad input: ${args.map((word) => word.replace(folder, '')).join(' ')}`, async (t) => {
    const result = await callProgram(args)
    t.is(result.code, code, result.err)
    t.regex(result.err, message)
    t.is(result.out, '')
    t.deepEqual(
      readdirSync(folder).filter((name) => /^n\.|\.tmp/.test(name)),
      [],
    )
  })
}

test.serial('evaluate --cross-encoder: the table of retrieveAndRerank', async (t) => {
  const beir = at('beir')
  mkdirSync(join(beir, 'qrels'), { recursive: true })
  const lines = (rows: readonly object[]) => rows.map((row) => `${JSON.stringify(row)}\n`).join('')
  writeFileSync(join(beir, 'corpus.jsonl'), lines(TEXTS.map((text, i) => ({ _id: `d${i}`, text }))))
  writeFileSync(join(beir, 'queries.jsonl'), lines(PAIRS.map(({ question }, i) => ({ _id: `q${i}`, text: question }))))
  const qrels = PAIRS.map((_, i) => `q${i}\td${39 - i}\t1\n`)
  writeFileSync(join(beir, 'qrels/test.tsv'), `query-id\tcorpus-id\tscore\n${qrels.join('')}`)
  const set = await evaluation.loadBeir(beir)
  const wanted = await evaluation.retrieveAndRerank({
    ...{ biEncoder: model, crossEncoder: scorer, ...set },
    ...{ topK: 7, allPairs: true },
  })
  const args = ['evaluate', MODEL, '--on', beir, '--cross-encoder', PAIR_MODEL, '--top-k', '7', '--all-pairs']
  const { code, out, err } = await callProgram([...args, '--json'])
  t.is(code, 0, err)
  const { methods, queries, documents } = JSON.parse(out).results[0]
  t.deepEqual([queries, documents], [20, 40])
  t.deepEqual(
    methods.map(({ method, metrics, pairs }: evaluation.MethodResult) => ({ method, metrics, pairs })),
    wanted.methods.map(({ method, metrics, pairs }) => ({ method, metrics, pairs })),
  )
  t.deepEqual(
    methods.map(({ pairs }: evaluation.MethodResult) => pairs),
    [0, 800, 140],
  )
  const table = await callProgram(args)
  t.regex(
    table.out,
    /20 queries, 40 documents, embedded in .*\n +recall@1 .*ms a query +pairs scored\nbi-encoder .* 0\ncross-encoder .* 800\nboth .* 140\n$/,
  )
  for (const [more, message] of [
    [['--on', beir, '--columns', 'question,answer'], /--columns has no effect with --cross-encoder/],
    [['--on', `triplets=${at('pairs.jsonl')}`], /needs folders in the BEIR layout, not triplets=/],
  ] as const) {
    const bad = await callProgram(['evaluate', MODEL, ...more, '--cross-encoder', PAIR_MODEL])
    t.is(bad.code, 2)
    t.regex(bad.err, message)
  }
  const unknown = ['evaluate', MODEL, '--on', beir, '--offline', '--cross-encoder', 'nobody/nothing']
  const offline = await callProgram(unknown)
  t.is(offline.code, 1)
  t.regex(offline.err, /nobody\/nothing .* downloading is off/)
  const idle = await callProgram(['evaluate', MODEL, '--on', beir, '--top-k', '7'])
  t.is(idle.code, 2)
  t.regex(idle.err, /--top-k is for --cross-encoder/)
})
