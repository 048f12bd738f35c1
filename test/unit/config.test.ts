// Configs: faults with file, line and column; the schema against the checks of the options themselves.
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Ajv } from 'ajv'
import test from 'ava'
import { packageRoot } from '#system'
import { readConfig } from '../../lib/cli/config.js'
import type { Kind } from '../../lib/options/kinds.js'
import { RECIPES } from '../../lib/recipes/index.js'
import { LOSS_NAMES, type LossSpec, makeLoss } from '../../lib/recipes/make-loss.js'
import { ARGUMENTS } from '../../lib/training/arguments/table/index.js'
import { lossFiles, runExample } from '../docs/loss-files.js'

const folder = mkdtempSync(join(tmpdir(), 'sentence-torch-config-'))
const recipes = RECIPES.map(({ name }) => name)
const start = 'model: m\noutputDir: o\ntrain: t.jsonl\n'

function read(text: string, changes: readonly string[] = [], name = `c${Math.random()}.yaml`) {
  const path = join(folder, name)
  writeFileSync(path, text)
  return readConfig(path, changes, recipes)
}

test('a config as it is written, in YAML and in JSON', async (t) => {
  const values = { model: 'm', outputDir: 'o', train: 't.jsonl', training: { learningRate: 3e-5 } }
  const yaml = await read(`${start}training:\n  learningRate: 3e-5 # peak\n`)
  t.is(yaml.recipe, 'finetune')
  t.deepEqual(yaml.values, values)
  t.true(yaml.text.includes('# peak'))
  t.deepEqual((await read(JSON.stringify(values, null, '\t'), [], 'c.json')).values, values)
})

test('--set changes members, also those that are not there yet', async (t) => {
  const { values, text } = await read(`${start}training: { weightDecay: 0.1 }\n`, [
    ...['training.learningRate=3e-5', 'training.weightDecay=0', 'train={ path: u.jsonl, limit: 3 }', 'dev.sts=d.tsv'],
    'loss=CoSENTLoss',
  ])
  t.deepEqual(values, {
    ...{ model: 'm', outputDir: 'o', train: { path: 'u.jsonl', limit: 3 }, loss: 'CoSENTLoss' },
    ...{ training: { weightDecay: 0, learningRate: 3e-5 }, dev: { sts: 'd.tsv' } },
  })
  t.deepEqual((await read(text)).values, values)
})

const faults: [string, string, readonly string[], RegExp][] = [
  ['a misspelt key', `${start}los: CoSENTLoss\n`, [], /:4:1: the config has no "los"; did you mean loss\?$/],
  [
    'a misspelt argument',
    `${start}training:\n  learningrate: 1\n`,
    [],
    /:5:3: training has no "learningrate"; did you mean learningRate\?$/,
  ],
  [
    'a misspelt loss',
    `${start}loss: CoSENTLos\n`,
    [],
    /:4:7: loss: there is no "CoSENTLos"; did you mean CoSENTLoss\?$/,
  ],
  [
    'a misspelt inner loss',
    `${start}loss:\n  name: MatryoshkaLoss\n  matryoshkaDims: [8]\n  loss: CoSENT\n`,
    [],
    /:7:9: loss\.loss: there is no "CoSENT"/,
  ],
  [
    'a misspelt option of a loss',
    `${start}loss: { name: CoSENTLoss, scal: 3 }\n`,
    [],
    /:4:27: loss has no "scal"; did you mean scale\?$/,
  ],
  ['an option that a loss needs', `${start}loss: { name: SoftmaxLoss }\n`, [], /:4:7: loss needs numLabels$/],
  [
    'a loss that needs an option',
    `${start}loss: SoftmaxLoss\n`,
    [],
    /:4:7: loss: there is no "SoftmaxLoss".*\{ name: SoftmaxLoss, numLabels: 3 \}/,
  ],
  [
    'a number too small',
    `${start}training: { weightDecay: -1 }\n`,
    [],
    /:4:26: training\.weightDecay: expected a finite number of at least 0, found -1$/,
  ],
  ['no number', `${start}training: { warmupRatio: lots }\n`, [], /expected a number from 0 to 1, found "lots"$/],
  [
    'none of the alternatives',
    `${start}training: { miniBatchSize: 0 }\n`,
    [],
    /:4:28: training\.miniBatchSize: expected an integer of at least 1, found 0$/,
  ],
  ['what is missing', 'model: m\ntrain: t\n', [], /:1:1: the config needs outputDir$/],
  [
    'data of a misspelt member',
    `${start.replace('t.jsonl', '{ path: t.jsonl, colums: [a] }')}`,
    [],
    /:3:25: train has no "colums"; did you mean columns\?$/,
  ],
  ['no evaluation', `${start}dev: { stss: d.tsv }\n`, [], /:4:8: dev has no "stss"; did you mean sts\?$/],
  ['an argument of the recipe', `${start}training: { outputDir: b }\n`, [], /training has no "outputDir"/],
  [
    'a recipe that is not there',
    `recipe: softmx\n${start}`,
    [],
    /:1:9: there is no recipe "softmx"; did you mean softmax\?$/,
  ],
  ['a change of what is not there', start, ['training.lr=1'], /^--set training\.lr: training has no "lr"/],
  ['a change below a value', start, ['model.name=1'], /^--set model\.name=1: model holds a value and no keys$/],
  ['a change without a value', start, ['model'], /^--set takes a key and a value/],
  ['a change that is no YAML', start, ['model={'], /^--set model=\{: no YAML/],
  ['no YAML', 'model: a\n  b: c\n', [], /:1:8: no YAML: /],
  ['a key twice', 'model: a\nmodel: b\n', [], /:2:1: no YAML: /],
  ['a list', '- a\n', [], /:1:1: expected keys and values/],
  ['an empty file', '', [], /:1:1: expected keys and values/],
  ['a binary file', '\ufffd', [], /:1:1: expected keys and values/],
]
for (const [what, text, changes, message] of faults) {
  test(`fault: ${what}`, async (t) => {
    await t.throwsAsync(read(text, changes), { code: 'ERR_INVALID_DATA', message })
  })
}

test('all faults at once, in their order', async (t) => {
  const error = await t.throwsAsync(read(`${start}training:\n  weightDecay: -1\nlos: a\ndev: {}\n`))
  t.deepEqual(
    error.message.split('\n').map((line) => /:(\d+:\d+): /.exec(line)?.[1]),
    ['5:16', '6:1', '7:6'],
  )
})

test('no file, and a file that is not UTF-8', async (t) => {
  await t.throwsAsync(readConfig(join(folder, 'none.yaml'), [], recipes), { code: 'ERR_NOT_FOUND' })
  writeFileSync(join(folder, 'b.yaml'), Buffer.from([0xff, 0xfe, 0]))
  await t.throwsAsync(readConfig(join(folder, 'b.yaml'), [], recipes), {
    message: /Expected YAML or JSON in UTF-8 in .*b\.yaml/,
  })
})

const schema = JSON.parse(readFileSync(join(packageRoot, 'schema/config.schema.json'), 'utf8'))
const ajv = new Ajv({ strictTypes: false, strictRequired: false }).addSchema(schema, 'config')
const validator = (definition: string) => ajv.getSchema(`config#/$defs/${definition}`)!

/** Values near every limit that options have. */
const PROBES = [
  ...[-2, -1, -0.5, 0, 1e-9, 0.25, 0.5, 0.999, 1, 1.5, 2, 3, 32, 1e5, 1e6],
  ...[true, false, null, '', 'text', [], {}, [1, 2], ['a'], { a: 1 }, { a: 'b' }],
]

function takes(kind: Kind, value: unknown): boolean {
  try {
    kind.check('x', value)
    return true
  } catch {
    return false
  }
}

/** Arguments of which the schema takes some values that the check refuses: whole steps or a share, and an empty text. */
const WIDER = new Set([
  ...['maxSteps', 'warmupSteps', 'loggingSteps', 'evalSteps', 'saveSteps', 'resumeFromCheckpoint'],
])

test('the schema takes what the checks of training arguments take', (t) => {
  const validate = validator('training')
  const wider = new Set<string>()
  for (const [name, kind] of Object.entries(ARGUMENTS)) {
    if (['outputDir', 'loggingDir', 'seed'].includes(name)) continue
    // What is checked with the optimiser or the schedule has no check of its own.
    if (['optimArgs', 'lrSchedulerKwargs'].includes(name)) continue
    const probes = [...PROBES, ...(kind.values ?? []), kind.default]
    for (const value of probes) {
      const what = `${name}: ${JSON.stringify(value)}`
      if (takes(kind, value)) t.true(validate({ [name]: value }), what)
      else if (!WIDER.has(name)) t.false(validate({ [name]: value }), what)
      else if (validate({ [name]: value })) wider.add(name)
    }
  }
  t.deepEqual([...wider].sort(), [...WIDER].sort())
})

test('the schema takes what the losses take: their examples, and each option alone', async (t) => {
  const validate = validator('loss')
  const seen: string[] = []
  for (const file of lossFiles) {
    if (file.isForPairs || !LOSS_NAMES.includes(file.name)) continue
    seen.push(file.name)
    const { args } = await runExample(file)
    const given = { ...(args.at(-1) as object) } as Record<string, unknown>
    if (given.loss) given.loss = 'CoSENTLoss'
    if (given.guide) given.guide = 'a/b'
    const functions = Object.values(given).some((value) => typeof value === 'function')
    if (!functions) t.true(validate({ name: file.name, ...given }), `${file.name}: ${JSON.stringify(validate.errors)}`)
    for (const [name, kind] of Object.entries(file.options)) {
      if (['loss', 'guide'].includes(name) || kind.type.includes('=>') || kind.type.startsWith('readonly')) continue
      const probes = [...PROBES, ...(kind.values ?? [])]
      for (const value of probes)
        t.is(
          validate({ name: file.name, ...given, [name]: value }),
          takes(kind, value),
          `${file.name} ${name}: ${JSON.stringify(value)}`,
        )
    }
  }
  t.deepEqual(seen.sort(), [...LOSS_NAMES].sort())
})

test('a loss is made of its name and options, with the losses and guides in it', async (t) => {
  const asked: string[] = []
  const guide = {
    embeddingDimension: 4,
    encode: async () => ({ data: new Float32Array(4), shape: [1, 4] as [number, number] }),
  }
  const make = (spec: LossSpec) =>
    makeLoss(spec, 'loss', async (name) => {
      asked.push(name)
      return guide
    })
  const inner = { name: 'GISTEmbedLoss', guide: 'a/b', temperature: 0.1 }
  const loss = await make({ name: 'MatryoshkaLoss', matryoshkaDims: [8, 4], loss: inner })
  t.like(loss, { type: 'MatryoshkaLoss', loss: { type: 'GISTEmbedLoss', temperature: 0.1 } })
  t.deepEqual(asked, ['a/b'])
  t.like(await make('CoSENTLoss'), { type: 'CoSENTLoss', scale: 20 })
  await t.throwsAsync(make('CoSENTLos'), { message: /did you mean CoSENTLoss/ })
  await t.throwsAsync(make({ name: 'CoSENTLoss', scal: 1 }), { code: 'ERR_UNKNOWN_OPTION' })
  await t.throwsAsync(make('Custom'), { message: /there is no loss "Custom"/ })
})
