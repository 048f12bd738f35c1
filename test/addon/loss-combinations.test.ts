// Every loss alone and inside every loss that holds another, with every form of its labels, in batches of one to three rows: what
// is refused says why, what is not gives a finite value and a gradient, the same in mini-batches as in one piece.
import test, { type ExecutionContext } from 'ava'
import { Dataset } from '../../lib/data/dataset.js'
import type { Tokenized } from '../../lib/data/pack.js'
import { SentenceTorchError } from '../../lib/errors.js'
import * as crossEncoderLosses from '../../lib/losses/cross-encoder/index.js'
import * as losses from '../../lib/losses/index.js'
import { loadAddon } from '../../lib/native/load.js'
import type { StepOptions } from '../../lib/native/types.js'
import { BatchMaker } from '../../lib/training/batches/batch-maker.js'
import { checkData } from '../../lib/training/batches/check-data.js'
import { type LossFile, lossFiles } from '../docs/loss-files.js'
import { mulberry32, tinyConfig, tinyEncoder, tinySpec, tinyTrainerSpec } from '../helpers/tiny-model.js'

/** Narrow, so that as many labels as an embedding has numbers are few. */
const config = { ...tinyConfig, hidden_size: 8, intermediate_size: 16 }
const WIDTH = config.hidden_size
const ROWS = 3

type Labels = readonly unknown[] | undefined
interface Case {
  make: () => losses.Loss
  /** Numbers of text columns. */
  columns: readonly number[]
  /** By what docs/losses.md calls them; for three rows. */
  labels: Readonly<Record<string, (columns: number) => Labels>>
}

const random = mulberry32(5)
const table = (...shape: number[]): unknown =>
  shape.length === 0 ? random() * 2 - 1 : Array.from({ length: shape[0]! }, () => table(...shape.slice(1)))
const rows = (...shape: number[]) => table(ROWS, ...shape) as readonly unknown[]
const none = { none: () => undefined }
const numbers = {
  number: () => [0.9, 0.1, 0.5],
  'number in an array': () => [[0.9], [0.1], [0.5]],
  equal: () => [1, 1, 1],
}
const binary = { '0 or 1': () => [1, 0, 1], 'one kind': () => [0, 0, 0] }
const classes = {
  class: () => [2, 0, 2],
  'one class': () => [1, 1, 1],
  'all different': () => [0, 1, 2],
  'in an array': () => [[2], [0], [2]],
}
const teacher = { 'for a row': () => rows(WIDTH), 'for each text': (columns: number) => rows(columns, WIDTH) }

const guide: losses.GuideModel = {
  embeddingDimension: 4,
  encode: async (texts) => {
    const data = Float32Array.from(
      texts.flatMap((text) => [text.length, text.charCodeAt(0) % 7, text.charCodeAt(text.length - 1) % 5, 1]),
    )
    return { data, shape: [texts.length, 4] }
  },
}

const ranking = { columns: [2, 4], labels: none }
const caching = { miniBatchSize: 2 }
const splade = () => ({
  loss: new losses.SparseMultipleNegativesRankingLoss(),
  documentRegularizerWeight: 0.03,
  queryRegularizerWeight: 0.05,
})
const CASES: Readonly<Record<string, Case | readonly Case[]>> = {
  MultipleNegativesRankingLoss: [
    { ...ranking, make: () => new losses.MultipleNegativesRankingLoss() },
    {
      ...ranking,
      make: () =>
        new losses.MultipleNegativesRankingLoss({
          maskDuplicates: true,
          falseNegativeMargin: 0,
          hardnessMode: 'in_batch_negatives',
          hardnessStrength: 5,
        }),
    },
    {
      ...ranking,
      make: () =>
        new losses.MultipleNegativesRankingLoss({
          directions: ['query_to_doc', 'query_to_query', 'doc_to_query', 'doc_to_doc'],
          partitionMode: 'joint',
        }),
    },
  ],
  CachedMultipleNegativesRankingLoss: {
    ...ranking,
    make: () => new losses.CachedMultipleNegativesRankingLoss(caching),
  },
  MultipleNegativesSymmetricRankingLoss: {
    columns: [2],
    labels: none,
    make: () => new losses.MultipleNegativesSymmetricRankingLoss(),
  },
  CachedMultipleNegativesSymmetricRankingLoss: {
    columns: [2],
    labels: none,
    make: () => new losses.CachedMultipleNegativesSymmetricRankingLoss({ miniBatchNumTokens: 9 }),
  },
  GISTEmbedLoss: { ...ranking, make: () => new losses.GISTEmbedLoss({ guide }) },
  CachedGISTEmbedLoss: { ...ranking, make: () => new losses.CachedGISTEmbedLoss({ guide, ...caching }) },
  ContrastiveTensionLoss: {
    columns: [2],
    labels: { ...none, ...binary },
    make: () => new losses.ContrastiveTensionLoss(),
  },
  ContrastiveTensionLossInBatchNegatives: {
    columns: [1],
    labels: none,
    make: () => new losses.ContrastiveTensionLossInBatchNegatives(),
  },
  CoSENTLoss: ['pairwise_cos_sim', 'pairwise_euclidean_sim', 'pairwise_angle_sim'].map((similarityFct) => ({
    ...{ columns: [2], labels: numbers },
    make: () => new losses.CoSENTLoss({ similarityFct } as losses.CoSENTLossOptions),
  })),
  AnglELoss: [
    { columns: [2, 3], labels: numbers, make: () => new losses.AnglELoss() },
    { columns: [3, 4], labels: none, make: () => new losses.AnglELoss() },
  ],
  SoftmaxLoss: {
    columns: [2],
    labels: {
      ...classes,
      probabilities: () => [
        [1, 0, 0],
        [0.2, 0.3, 0.5],
        [0.1, 0.9, 0],
      ],
    },
    make: () => new losses.SoftmaxLoss({ numLabels: 3 }),
  },
  ContrastiveLoss: { columns: [2], labels: binary, make: () => new losses.ContrastiveLoss() },
  OnlineContrastiveLoss: { columns: [2], labels: binary, make: () => new losses.OnlineContrastiveLoss() },
  MegaBatchMarginLoss: [
    { columns: [2], labels: none, make: () => new losses.MegaBatchMarginLoss() },
    { columns: [2], labels: none, make: () => new losses.MegaBatchMarginLoss({ useMiniBatchedVersion: false }) },
  ],
  MarginMSELoss: [
    {
      columns: [3],
      labels: { margin: () => rows(), 'margin in an array': () => rows(1), scores: () => rows(2) },
      make: () => new losses.MarginMSELoss(),
    },
    // The last has as many margins, or scores, as an embedding has numbers.
    {
      columns: [4, WIDTH + 1, WIDTH + 2],
      labels: { margins: (columns) => rows(columns - 2), scores: (columns) => rows(columns - 1) },
      make: () => new losses.MarginMSELoss(),
    },
  ],
  DistillKLDivLoss: {
    columns: [3, 4, WIDTH + 1],
    labels: { scores: (columns) => rows(columns - 1) },
    make: () => new losses.DistillKLDivLoss({ temperature: 2 }),
  },
  EmbedDistillLoss: [
    ...(['cosine', 'mse', 'l2'] as const).map((distanceMetric) => ({
      columns: [1, 2, 3],
      labels: teacher,
      make: () => new losses.EmbedDistillLoss({ distanceMetric }),
    })),
    {
      columns: [1, 2],
      labels: { 'of another width': () => rows(5), 'for each text': (columns) => rows(columns, 5) },
      make: () => new losses.EmbedDistillLoss({ projectionDim: 5 }),
    },
  ],
  MSELoss: [
    { columns: [1, 2, 3], labels: teacher, make: () => new losses.MSELoss() },
    {
      columns: [1, 2],
      labels: { 'of another width': () => rows(5), 'for each text': (columns) => rows(columns, 5) },
      make: () => new losses.MSELoss({ projectionDim: 5 }),
    },
  ],
  SparseDistillKLDivLoss: {
    columns: [3, 4, WIDTH + 1],
    labels: { scores: (columns) => rows(columns - 1) },
    make: () => new losses.SparseDistillKLDivLoss(),
  },
  SparseMarginMSELoss: {
    columns: [3, 4],
    labels: { margins: (columns) => rows(columns - 2), scores: (columns) => rows(columns - 1) },
    make: () => new losses.SparseMarginMSELoss(),
  },
  SparseMSELoss: { columns: [1, 2, 3], labels: teacher, make: () => new losses.SparseMSELoss() },
  SpladeLoss: { ...ranking, make: () => new losses.SpladeLoss(splade()) },
  CachedSpladeLoss: { ...ranking, make: () => new losses.CachedSpladeLoss({ ...splade(), ...caching }) },
  CSRLoss: { ...ranking, make: () => new losses.CSRLoss() },
  FlopsLoss: { columns: [1], labels: none, make: () => new losses.FlopsLoss() },
  GlobalOrthogonalRegularizationLoss: {
    columns: [1, 2],
    labels: none,
    make: () => new losses.GlobalOrthogonalRegularizationLoss(),
  },
  DenoisingAutoEncoderLoss: { columns: [2], labels: none, make: () => new losses.DenoisingAutoEncoderLoss() },
  MaskedLanguageModelLoss: { columns: [1], labels: none, make: () => new losses.MaskedLanguageModelLoss() },
  MatryoshkaLoss: {
    ...ranking,
    make: () => new losses.MatryoshkaLoss({ loss: new losses.MultipleNegativesRankingLoss(), matryoshkaDims: [4, 2] }),
  },
  AdaptiveLayerLoss: {
    ...ranking,
    make: () => new losses.AdaptiveLayerLoss({ loss: new losses.MultipleNegativesRankingLoss() }),
  },
  Matryoshka2dLoss: {
    ...ranking,
    make: () =>
      new losses.Matryoshka2dLoss({ loss: new losses.MultipleNegativesRankingLoss(), matryoshkaDims: [4, 2] }),
  },
  Custom: { columns: [1], labels: none, make: () => new losses.Custom(() => ({ loss: 0 })) },
}

const cut = { matryoshkaDims: [WIDTH, 4] }
const HOLDERS: Readonly<Record<string, (loss: losses.Loss) => losses.Loss>> = {
  alone: (loss) => loss,
  MatryoshkaLoss: (loss) => new losses.MatryoshkaLoss({ loss, ...cut }),
  'MatryoshkaLoss of one width at a time': (loss) => new losses.MatryoshkaLoss({ loss, ...cut, nDimsPerStep: 1 }),
  AdaptiveLayerLoss: (loss) => new losses.AdaptiveLayerLoss({ loss }),
  'AdaptiveLayerLoss of all layers': (loss) =>
    new losses.AdaptiveLayerLoss({ loss, nLayersPerStep: -1, klTemperature: 0 }),
  Matryoshka2dLoss: (loss) => new losses.Matryoshka2dLoss({ loss, ...cut }),
  'MatryoshkaLoss around AdaptiveLayerLoss': (loss) =>
    new losses.MatryoshkaLoss({ loss: new losses.AdaptiveLayerLoss({ loss }), ...cut }),
  CSRLoss: (loss) => new losses.CSRLoss({ loss }),
}

/** Why a loss does not fit into another, as the documentation says; undefined where it does. */
function refusal(name: string, holder: string, loss: losses.Loss): RegExp | undefined {
  if (name === 'CSRLoss') return holder === 'alone' ? /does not end in one/ : /cannot hold/
  if (holder === 'alone') return undefined
  const [cuts, layers] = [/Matryoshka/.test(holder), /Adaptive|2d/.test(holder)]
  if (/^(Denoising|MaskedLanguage|Custom)/.test(name)) return /cannot hold/
  if (loss.within !== undefined && !loss.within.includes(holder)) return /cannot hold/
  if (holder === 'CSRLoss' && (loss.caching || /Splade|Tension|Adaptive|Matryoshka2d/.test(name))) return /cannot hold/
  if (layers && /Tension|Adaptive|Matryoshka2d/.test(name)) return /which reads more than sentence embeddings/
  const owns =
    /^(Softmax|(Cached)?Splade)Loss$/.test(name) || (loss as { projectionDim?: number | null }).projectionDim != null
  return cuts && owns ? /fits one width of embeddings alone/ : undefined
}

const WORDS = ['red', 'green', 'blue', 'cat', 'dog', 'cow', 'rain', 'sun', 'snow', 'bread', 'milk']
/** Special tokens 2 and 3, a number for each word. */
const tokenize = async (texts: readonly string[]): Promise<Tokenized> => {
  const ids = texts.map((text) => [2, ...text.split(' ').map((word) => 5 + WORDS.indexOf(word)), 3])
  const offsets = new Int32Array(texts.length + 1)
  ids.forEach((row, i) => {
    offsets[i + 1] = offsets[i]! + row.length
  })
  return { ids: Int32Array.from(ids.flat()), offsets }
}
/** Every third token is to be predicted. */
const mask = ({ ids }: Tokenized) => ({
  ids: ids.map((id, i) => (i % 3 === 1 ? 4 : id)),
  targets: ids.map((id, i) => (i % 3 === 1 ? id : -100)),
})

function dataset(columns: number, labels: Labels, count: number): Dataset {
  const texts = (column: number) =>
    Array.from({ length: count }, (_, row) =>
      WORDS.slice((2 * row + column) % 7, ((2 * row + column) % 7) + 2 + ((row + column) % 3)).join(' '),
    )
  const named = Object.fromEntries(Array.from({ length: columns }, (_, column) => [`text${column}`, texts(column)]))
  return Dataset.fromColumns(labels === undefined ? named : { ...named, label: labels.slice(0, count) })
}

// The cases that have one width say so each time.
process.removeAllListeners('warning')
process.on('warning', () => {})

const addon = loadAddon()
// Steps of microseconds: threads would wait for one another longer than they work.
addon.setThreads(1)
const encoder = await tinyEncoder(addon, tinySpec(config))
const latents = { type: 'SparseAutoEncoder', inputDim: WIDTH, hiddenDim: WIDTH, k: 2, kAux: 4, deadThreshold: 0 }
const csrSpec = tinySpec(config)
const csrEncoder = await tinyEncoder(addon, { ...csrSpec, modules: [...csrSpec.modules, latents] })

/** Loss and norm of the gradient of one batch, whole and, but for CSRLoss, row by row. */
async function step(
  loss: losses.Loss,
  data: Dataset,
  onLatents: boolean,
): Promise<[whole: number[], rowByRow: number[]]> {
  checkData(data, loss, 'trainDataset')
  const spec = loss.spec(WIDTH, config, { config, tieWordEmbeddings: true })
  const maker = new BatchMaker({ requirements: loss.requirements, tokenize, mask })
  const batch = await maker.make({ dataset: data, rows: Int32Array.from({ length: data.length }, (_, i) => i) }, {
    epoch: 0,
    batch: 0,
  } as never)
  const found: number[][] = []
  for (const options of [{}, onLatents ? {} : { miniBatchRows: 1 }] satisfies Partial<StepOptions>[]) {
    const trainer = new addon.Trainer(onLatents ? csrEncoder : encoder, { ...tinyTrainerSpec(spec), maxGradNorm: 0 })
    try {
      const report = (await trainer.step(batch, { lr: 0, report: true, ...options }))!
      const { loss: value } = await trainer.evaluate(batch)
      found.push([report.loss, report.gradNorm, value, report.skipped])
    } finally {
      await trainer.dispose()
    }
  }
  return found as [number[], number[]]
}

const near = (a: number, b: number) => Math.abs(a - b) <= 1e-4 * Math.max(1, Math.abs(a))

async function check(t: ExecutionContext, name: string, item: Case): Promise<void> {
  for (const [holder, hold] of Object.entries(HOLDERS)) {
    for (const columns of item.columns) {
      for (const [form, labels] of Object.entries(item.labels)) {
        const given = labels(columns)
        for (let count = 1; count <= ROWS; count++) {
          const where = `${holder}, ${columns} columns, labels: ${form}, ${count} rows`
          const why = refusal(name, holder, item.make())
          const run = async () => step(hold(item.make()), dataset(columns, given, count), holder === 'CSRLoss')
          if (/^(Custom|FlopsLoss)$/.test(name) && holder === 'alone') continue
          if (why !== undefined) {
            const isCached = holder === 'CSRLoss' && item.make().caching !== undefined && !/Splade/.test(name)
            const code = isCached ? 'ERR_NOT_IMPLEMENTED' : 'ERR_INVALID_ARGUMENT'
            await t.throwsAsync(run, { instanceOf: Error, code, message: why }, where)
            continue
          }
          const [[value, norm, evaluated, skipped], pieces] = await run().catch((error) => {
            throw new Error(`${where}: ${error.code} ${error.message}`, { cause: error })
          })
          t.true(
            [value, norm, evaluated].every((x) => Number.isFinite(x)) && skipped === 0,
            `${where}: ${value}, ${norm}`,
          )
          t.true(
            near(value!, pieces[0]!) && near(norm!, pieces[1]!) && near(evaluated!, pieces[2]!),
            `${where}: ${value}, ${norm}; ${pieces}`,
          )
        }
      }
    }
  }
}

/** A loss that has no case above: as it is without options, with the labels of its kind. */
function plainCase({ name, class: loss, options }: LossFile): Case {
  const isPlain = !Object.values(options).some(({ isNeeded }) => isNeeded)
  const make = () => new loss()
  const {
    minColumns,
    maxColumns,
    labels: kind,
  } = isPlain ? make().requirements : { minColumns: 0, maxColumns: 0, labels: 'floats' }
  const labels = { none, float: numbers, int: classes }[kind as string]
  if (!isPlain || labels === undefined)
    throw new Error(`${name} needs a case in this test: its options or labels are its own`)
  return { make, labels, columns: maxColumns > minColumns ? [minColumns, minColumns + 1] : [minColumns] }
}

for (const file of lossFiles.filter(({ isForPairs }) => !isForPairs)) {
  test.serial(`${file.name}, alone and inside others`, async (t) => {
    for (const one of [CASES[file.name] ?? plainCase(file)].flat()) await check(t, file.name, one as Case)
  })
}

test('the cases are those of losses', (t) => {
  const exported = Object.entries(losses).flatMap(([name, value]) => (typeof value === 'function' ? [name] : []))
  t.deepEqual(
    Object.keys(CASES).filter((name) => !exported.includes(name)),
    [],
  )
})

test('losses of cross-encoders are not held by those of embedding models', (t) => {
  for (const [name, make] of Object.entries(crossEncoderLosses)) {
    if (typeof make !== 'function') continue
    const loss = new (make as new () => losses.Loss)()
    for (const hold of Object.values(HOLDERS).slice(1)) {
      t.throws(
        () => hold(loss),
        { instanceOf: SentenceTorchError, code: 'ERR_INVALID_ARGUMENT', message: /cannot hold/ },
        name,
      )
    }
  }
})
