// From a file of rows to a trained, measured, saved model: init and train, with a tiny model.
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { parse } from 'yaml'
import { packageRoot } from '#system'
import { recipes, SentenceTransformer } from '../../lib/index.js'
import { callProgram } from '../helpers/call-program.js'
import { tinyFolder, tinyWords } from '../helpers/tiny-folder.js'

const program = join(packageRoot, 'dist/bundle/cli.js')
const folder = mkdtempSync(join(tmpdir(), 'sentence-torch-train-'))
test.after.always(() => rmSync(folder, { recursive: true, force: true }))
const at = (name: string) => join(folder, name)
const MODEL = at('model')
test.before(async () => {
  await tinyFolder(MODEL)
})

const [ANIMALS, COLOURS] = [tinyWords.slice(6, 12), tinyWords.slice(0, 6)]
const pick = (words: readonly string[], i: number) => words[i % words.length]!
/** Rows whose first words say what belongs together. */
const ROWS = Array.from({ length: 240 }, (_, i) => {
  const [animal, colour] = [pick(ANIMALS, i), pick(COLOURS, Math.floor(i / 6))]
  return {
    id: i,
    one: `${animal} ${colour} is a ${i}`,
    two: `the ${animal} and ${colour} ${i}`,
    three: `the ${pick(ANIMALS, i + 1)} ${i}`,
  }
})
const jsonl = (name: string, rows: readonly object[]) => {
  writeFileSync(at(name), rows.map((row) => `${JSON.stringify(row)}\n`).join(''))
  return at(name)
}

const DATA: Record<string, [rows: object[], loss: unknown, more: object]> = {
  scores: [ROWS.map(({ one, two }, i) => ({ one, two, score: (i % 7) / 2 })), 'CoSENTLoss', {}],
  pairs: [ROWS.map(({ one, two }) => ({ one, two })), 'MultipleNegativesRankingLoss', {}],
  triplets: [ROWS.map(({ one, two, three }) => ({ one, two, three })), 'MultipleNegativesRankingLoss', {}],
  binary: [ROWS.map(({ one, two }, i) => ({ one, two, label: i % 2 })), 'OnlineContrastiveLoss', {}],
  margins: [ROWS.map(({ one, two, three }, i) => ({ one, two, three, score: (i % 9) - 4.5 })), 'MarginMSELoss', {}],
  nli: [
    ROWS.map(({ id, one, two }, i) => ({
      id,
      premise: one,
      hypothesis: two,
      label: pick(['neutral', 'entailment', 'contradiction'], i),
    })),
    { name: 'SoftmaxLoss', numLabels: 3 },
    { columns: ['premise', 'hypothesis', 'label'], labels: { entailment: 0, neutral: 1, contradiction: 2 } },
  ],
  classes: [
    ROWS.map(({ one }, i) => ({ text: one, category: pick(ANIMALS, i) })),
    { name: 'BatchAllTripletLoss', distanceMetric: 'cosine', margin: 0.3 },
    {
      columns: { text: 'text', category: 'label' },
      labels: Object.fromEntries([...ANIMALS].sort().map((name, i) => [name, i])),
    },
  ],
  numbers: [
    ROWS.map(({ one, two }, i) => ({ id: `x-${i}`, one, similarity: i / 300, two })),
    'CoSENTLoss',
    { columns: { one: 'one', two: 'two', similarity: 'score' } },
  ],
}

for (const [name, [rows, loss, more]] of Object.entries(DATA)) {
  test.serial(`two commands: ${name}`, async (t) => {
    const data = jsonl(`${name}.jsonl`, rows)
    const config = at(`${name}.yaml`)
    const made = await callProgram([
      'init',
      data,
      '--model',
      MODEL,
      '--output',
      config,
      '--run-folder',
      at(`run-${name}`),
    ])
    t.is(made.code, 0, made.err)
    const text = readFileSync(config, 'utf8')
    const values = parse(text)
    t.deepEqual(values.loss, loss)
    t.deepEqual(typeof values.train === 'string' ? {} : values.train, {
      ...(Object.keys(more).length > 0 && { path: data }),
      ...more,
    })
    t.regex(text, /# Start: npx sentence-torch train /)
    const { code, out, err } = await callProgram(['train', config, '--json', '--set', 'training.maxSteps=3'])
    t.is(code, 0, err)
    const result = JSON.parse(out)
    t.is(result.model, join(at(`run-${name}`), 'model'))
    const model = await SentenceTransformer.load(result.model)
    t.is((await model.encode(['a red cat'])).shape[1], 32)
    await model.dispose()
    const files = readdirSync(at(`run-${name}`))
    for (const file of ['config.yaml', 'run.json', 'result.json', 'log.jsonl', 'model'])
      t.true(files.includes(file), file)
    t.false(files.some((file) => file.startsWith('checkpoint')))
    const written = parse(readFileSync(join(at(`run-${name}`), 'config.yaml'), 'utf8'))
    t.deepEqual(written, { ...values, training: { ...values.training, maxSteps: 3 } })
    const manifest = JSON.parse(readFileSync(join(at(`run-${name}`), 'run.json'), 'utf8'))
    t.like(manifest, { state: 'finished', recipe: 'finetune' })
    t.is(manifest.data[0].source, data)
    if (name === 'nli') return
    const card = readFileSync(join(result.model, 'README.md'), 'utf8')
    const { name: metric, after } = result.metrics.find((each: { data: string }) => each.data === 'test')
    const row = card.split('Dataset: `test`')[1]?.split('* Dataset')[0]
    const plain = metric.replace('test_', '')
    const cell = new RegExp(`\\*\\*${plain}\\*\\* *\\| \\*\\*(-?[\\d.]+)\\*\\*`).exec(row ?? '')?.[1]
    t.true(Math.abs(Number(cell) - after) < 1e-4, `${plain}: ${cell}, ${after}`)
    t.is(manifest.data[0].rows, 216)
    t.deepEqual([...new Set(result.metrics.map((metric: { data: string }) => metric.data))], ['dev', 'test'])
  })
}

test.serial('training learns what the rows say, and the same config gives the same numbers', async (t) => {
  // No word is in both texts: what belongs together can only be learnt.
  const [numbers, weather, food] = [tinyWords.slice(12, 18), tinyWords.slice(18, 24), tinyWords.slice(24, 28)]
  const rows = Array.from({ length: 144 }, (_, i) => {
    const [a, b] = [Math.floor(i / 24), Math.floor(i / 4)]
    return {
      one: `${pick(ANIMALS, a)} ${pick(numbers, b)} ${pick(food, i)}`,
      two: `${pick(COLOURS, a)} ${pick(weather, b)}`,
    }
  })
  const data = jsonl('learn.jsonl', rows)
  const set = ['--set', 'training.numTrainEpochs=8', '--set', 'training.learningRate=0.002']
  const results = []
  for (const run of ['one', 'two']) {
    await callProgram([
      'init',
      data,
      '--model',
      MODEL,
      '--output',
      at('learn.yaml'),
      '--run-folder',
      at(run),
      '--force',
    ])
    const { code, out, err } = await callProgram(['train', at('learn.yaml'), '--json', ...set])
    t.is(code, 0, err)
    results.push(JSON.parse(out).metrics)
  }
  const [metric] = results[0].filter(({ name }: { name: string }) => name === 'test_cosine_ndcg@10')
  t.true(metric.after > metric.before + 0.1, `${metric.before} → ${metric.after}`)
  t.deepEqual(results[1], results[0])
})

test.serial('several data sets, each with its loss; eval data; JSON', async (t) => {
  const config = {
    ...{ model: MODEL, outputDir: at('several') },
    train: { pairs: jsonl('p.jsonl', DATA.pairs![0]), scores: { path: jsonl('s.jsonl', DATA.scores![0]), scale: 3 } },
    eval: { pairs: { path: at('p.jsonl'), limit: 20 }, scores: { path: at('s.jsonl'), limit: 20, scale: 3 } },
    loss: {
      pairs: { name: 'MatryoshkaLoss', loss: 'MultipleNegativesRankingLoss', matryoshkaDims: [32, 16] },
      scores: 'CosineSimilarityLoss',
    },
    training: { maxSteps: 4, multiDatasetBatchSampler: 'round_robin', evalStrategy: 'steps', evalSteps: 4 },
    test: { sts: at('s.jsonl') },
  }
  writeFileSync(at('several.json'), JSON.stringify(config))
  const { code, out, err } = await callProgram(['train', at('several.json')])
  t.is(code, 0, err)
  t.regex(out, /test_spearman_cosine +-?\d\.\d{4} → /)
  t.regex(err, /eval_pairs_loss/)
  t.regex(err, /eval_scores_loss/)
})

test.serial('bad rows: the first one by its line, or all of them left out and counted', async (t) => {
  const data = at('bad.jsonl')
  writeFileSync(
    data,
    `${ROWS.slice(0, 60)
      .map(({ one, two }) => JSON.stringify({ one, two }))
      .join('\n')}\n{"one":3}\nno\n`,
  )
  writeFileSync(at('bad.yaml'), `model: ${MODEL}\noutputDir: ${at('bad')}\ntrain: ${data}\ntraining: { maxSteps: 1 }\n`)
  const stopped = await callProgram(['train', at('bad.yaml')])
  t.is(stopped.code, 1)
  t.regex(stopped.err, /line 61 of .*bad\.jsonl/)
  t.false(existsSync(at('bad')))
  const { code, out, err } = await callProgram(['train', at('bad.yaml'), '--skip-bad-rows', '--json'])
  t.is(code, 0, err)
  t.is(JSON.parse(out).counts.badRows, 2)
  const made = await callProgram(['init', data, '--output', at('bad2.yaml')])
  t.is(made.code, 0, made.err)
  t.regex(made.err, /left out 2 bad rows/)
  t.true(parse(readFileSync(at('bad2.yaml'), 'utf8')).train.skipBadRows)
})

test.serial('a model that is not there does not cost the result of the run that is in the folder', async (t) => {
  const files = () => readdirSync(at('run-pairs')).map((name) => [name, statSync(join(at('run-pairs'), name)).mtimeMs])
  const before = files()
  t.true(before.some(([name]) => name === 'report.html'))
  const { code, err } = await callProgram(['train', at('pairs.yaml'), '--set', `model=${at('no-model')}`])
  t.is(code, 1)
  t.regex(err, /There is no model folder .*no-model/)
  t.deepEqual(files(), before)
  process.env.HF_HUB_OFFLINE = '1'
  t.teardown(() => delete process.env.HF_HUB_OFFLINE)
  const hub = await callProgram(['train', at('pairs.yaml'), '--set', 'model=nobody/has-this-model'])
  t.is(hub.code, 1)
  t.regex(hub.err, /nobody\/has-this-model/)
  t.deepEqual(files(), before)
})

test.serial('no row that can be used: why', async (t) => {
  for (const [ending, text, why] of [
    ['jsonl', '["a"]\n{"a":"x","score":NaN}\n', /found none; 2 rows were left out, the first: .*line 1 of/],
    ['json', '[1, 2]', /2 rows were left out, the first: .*element 0 of/],
    ['csv', 'a,b\nx\n', /1 row was left out, the first: .*line 2 of/],
  ] as const) {
    writeFileSync(at(`none.${ending}`), text)
    const { code, err } = await callProgram(['init', at(`none.${ending}`), '--output', at('none.yaml')])
    t.is(code, 1)
    t.regex(err, why)
    t.false(existsSync(at('none.yaml')))
  }
})

/** The end of a program, and what it wrote to stderr. */
function ended(child: ChildProcess): Promise<{ code: number | null; err: string }> {
  let err = ''
  child.stderr!.on('data', (bytes: Buffer) => {
    err += bytes
  })
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, err })))
}

test.serial(
  'Ctrl-C leaves a checkpoint and says how to go on; the resumed run ends as one that was never stopped',
  async (t) => {
    const data = jsonl('stop.jsonl', DATA.pairs![0])
    const config = (run: string) => {
      const training = { numTrainEpochs: 40, perDeviceTrainBatchSize: 8, loggingSteps: 1, learningRate: 1e-3 }
      const values = { model: MODEL, outputDir: at(run), train: data, loss: 'MultipleNegativesRankingLoss', training }
      writeFileSync(at(`${run}.json`), JSON.stringify(values))
      return at(`${run}.json`)
    }
    const whole = await callProgram(['train', config('whole')])
    t.is(whole.code, 0, whole.err)
    const child = spawn(program, ['train', config('stopped')], { stdio: ['ignore', 'ignore', 'pipe'] })
    const end = ended(child)
    child.stderr!.on('data', (bytes: Buffer) => {
      if (/"step":3\b/.test(String(bytes))) child.kill('SIGINT')
    })
    const { code, err } = await end
    t.is(code, 130, err)
    t.regex(err, /checkpoint-\d+ was written; go on with: npx sentence-torch train .*stopped\.json --resume\n/)
    t.is(JSON.parse(readFileSync(at('stopped/run.json'), 'utf8')).state, 'interrupted')
    const resumed = await callProgram(['train', at('stopped.json'), '--resume'])
    t.is(resumed.code, 0, resumed.err)
    t.regex(resumed.err, /going on from the newest checkpoint/)
    const weights = (run: string) => readFileSync(at(`${run}/model/model.safetensors`))
    t.true(weights('stopped').equals(weights('whole')))
  },
)

const UNLABELLED = jsonl('unlabelled.jsonl', [...DATA.scores![0].slice(0, 9), { one: 'a', two: 'b', score: null }])
const faults: [string[], RegExp][] = [
  [['evaluate', MODEL, '--on', UNLABELLED], /row 9 \(from 0\) of .*unlabelled\.jsonl, found none; .*--skip-bad-rows/],
  [['evaluate', MODEL, '--on', `sts=${UNLABELLED}`], /row 9 \(from 0\) of .*unlabelled\.jsonl, found none/],
  [['init', at('no.jsonl')], /There is no file/],
  [['init', folder], /folder/],
  [['train', at('no.yaml')], /There is no file/],
  [['train', folder], /Expected a file, found the folder/],
]
for (const [args, message] of faults) {
  test.serial(`bad input: ${args[0]} ${message}`, async (t) => {
    const { code, err, out } = await callProgram(args)
    t.is(code, 1)
    t.regex(err, message)
    t.is(err.split('\n').length, 2)
    t.is(out, '')
  })
}

test.serial('init: files that are no training data, and a config that is there', async (t) => {
  const cases: [string, string | Buffer, RegExp][] = [
    ['empty.jsonl', '', /at least one row/],
    ['numbers.jsonl', '{"a":1}\n', /Expected columns of texts in .*, found a \(number\)/],
    ['one.jsonl', '{"a":"x"}\n{"a":"y"}\n', /No loss is usual for the columns/],
    ['binary.jsonl', Buffer.from([0xff, 0xfe, 0]), /UTF-16/],
    ['rows.xlsx', 'PK', /a file ending in \.jsonl/],
  ]
  for (const [name, content, message] of cases) {
    writeFileSync(at(name), content)
    const { code, err } = await callProgram(['init', at(name), '--output', at('never.yaml')])
    t.is(code, 1)
    t.regex(err, message)
    t.false(existsSync(at('never.yaml')))
  }
  writeFileSync(at('there.yaml'), 'mine')
  const { code, err } = await callProgram(['init', jsonl('x.jsonl', DATA.pairs![0]), '--output', at('there.yaml')])
  t.is(code, 1)
  t.regex(err, /there\.yaml is there already: --force/)
  t.is(readFileSync(at('there.yaml'), 'utf8'), 'mine')
})

test.serial('finetune is a function, too: evaluators and data sets of the caller', async (t) => {
  const rows = DATA.scores![0].slice(0, 40)
  const { metrics, folder: run } = await recipes.finetune({
    ...{ model: MODEL, outputDir: at('api'), train: jsonl('api.jsonl', rows), args: { maxSteps: 1 } },
    test: { sts: at('api.jsonl') },
  })
  t.is(run, at('api'))
  t.deepEqual(
    metrics.map(({ name }) => name),
    ['test_spearman_cosine', 'test_pearson_cosine'],
  )
  await t.throwsAsync(
    recipes.finetune({ model: MODEL, outputDir: at('api2'), train: { a: at('api.jsonl'), b: at('api.jsonl') } }),
    {
      message: /several data sets need a loss by name/,
    },
  )
  await t.throwsAsync(
    recipes.finetune({ model: MODEL, outputDir: at('api2'), train: { path: at('api.jsonl'), limit: 5 }, holdOut: 0.1 }),
    { message: /too few/ },
  )
  t.false(existsSync(at('api2')))
})
