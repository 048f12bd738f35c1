import { tinyConfig } from '../helpers/tiny-model.js'
import type { Json } from './case.js'
import { hostile, mutated } from './mutate.js'
import type { Random } from './random.js'

/** One call of a program: `on` names the addon, an encoder or a trainer. */
export interface Call {
  on: string
  call: string
  args: Json[]
}

export interface Program {
  encoder?: Json
  trainer?: Json
  buffers?: Record<string, Json>
  calls?: Call[]
}

const config = {
  ...tinyConfig,
  hidden_size: 8,
  num_hidden_layers: 1,
  intermediate_size: 8,
  vocab_size: 20,
  max_position_embeddings: 10,
}
const WIDTH = 8
export const encoderSpec: Json = {
  ...{
    architecture: 'bert',
    config,
    modules: [{ type: 'Pooling', modes: ['mean'], includePrompt: true }],
    pooler: false,
  },
  ...{ device: 'cpu', dtype: 'float32' },
}
const seq2seqConfig = {
  ...{ model_type: 't5', vocab_size: 20, d_model: 8, d_kv: 4, d_ff: 8, num_layers: 1, num_heads: 2 },
  decoder_start_token_id: 0,
}
/** As wide as the other. */
const seq2seqSpec: Json = {
  ...{ architecture: 't5', config: seq2seqConfig, modules: [], pooler: false, decoder: true, ownHead: true },
  ...{ device: 'cpu', dtype: 'float32' },
}
const batches: Json[] = [
  { ids: { $i32: [1, 2, 3, 4, 5, 6, 7] }, offsets: { $i32: [0, 2, 3, 5, 7] }, columns: 2, labels: { $f32: [0, 1] } },
  {
    ids: { $i32: [1, 2, 3] },
    offsets: { $i32: [0, 2, 3] },
    columns: 1,
    tokenTypes: { $i32: [0, 1, 0] },
    promptLengths: { $i32: [1, 0] },
  },
  {
    ids: { $i32: [1, 2, 3, 4] },
    offsets: { $i32: [0, 2, 4] },
    columns: 2,
    labels: { $i32: [1] },
    textIds: { $i32: [1, 2] },
  },
  {
    ids: { $i32: [5, 6, 7, 8, 9] },
    offsets: { $i32: [0, 1, 3, 5] },
    columns: 1,
    labels: { $f32: 6 },
    labelShape: [3, 2],
    lists: { $i32: [0, 2, 3] },
  },
  { ids: { $i32: [5, 6] }, offsets: { $i32: [0, 1, 2] }, columns: 2, guide: { $f32: 8 }, guideDimension: 4 },
  {
    ids: { $i32: [5, 6] },
    offsets: { $i32: [0, 2] },
    columns: 1,
    targets: { ids: { $i32: [7, -100] }, offsets: { $i32: [0, 2] } },
  },
  {
    ids: { $i32: [5, 6, 7] },
    offsets: { $i32: [0, 1, 3] },
    columns: 1,
    targets: { ids: { $i32: [7, -100, 8, 1] }, offsets: { $i32: [0, 3, 4] } },
  },
]
const losses: Json[] = [
  { type: 'MultipleNegativesRankingLoss', scale: 20 },
  ...[
    'CoSENTLoss',
    'CosineSimilarityLoss',
    'ContrastiveLoss',
    'TripletLoss',
    'MSELoss',
    'BatchAllTripletLoss',
    'Custom',
  ].map((type) => ({ type })),
  { type: 'SoftmaxLoss', numLabels: 3 },
  { type: 'MatryoshkaLoss', loss: { type: 'CoSENTLoss' }, matryoshkaDims: [8, 4] },
  { type: 'MaskedLanguageModelLoss' },
  { type: 'TokenCrossEntropy' },
]
const trainerSpec = (spec: Json): Json => ({
  ...{
    losses: [{ name: '', spec }],
    optimizer: { type: 'adamw', beta1: 0.9, beta2: 0.999, epsilon: 1e-8 },
    weightDecay: 0,
  },
  ...{ maxGradNorm: 1, seed: 42 },
})
const tokens: Json[] = [
  ...[
    { $undefined: 1 },
    { $number: 'NaN' },
    { $number: 'Infinity' },
    { $number: '-0' },
    { $function: 1 },
    { $symbol: 1 },
    { $bigint: 5 },
  ],
  ...[
    { $i32: [] },
    { $i32: [0] },
    { $i32: [-1, 2147483647] },
    { $i32: [3, 2, 1] },
    { $f32: 0 },
    { $f32: [1e38, -1e38] },
    { $u8: 4 },
  ],
  ...[
    { $f64: [0.1] },
    { $f64: 3 },
    { $i64: [1] },
    { $date: 1 },
    { $map: 1 },
    { $cycle: 1 },
    { $revoked: 1 },
    { $ref: 'out' },
    { $ref: 'data' },
  ],
  ...[
    { $f32: ['NaN'] },
    { $detached: { $i32: [1, 2] } },
    { $resizable: { $f32: 32 } },
    { $shared: { $i32: [0, 2] } },
    { $offset: { $f32: 32 } },
  ],
  ...[
    { $object: 'encoder' },
    { $object: 'trainer' },
    { $object: 'disposed' },
    { $throws: {} },
    'F32',
    'float64',
    'bfloat16',
    'int8',
    'cosine',
  ],
]
/** Kinds of memory and of objects that a good argument may be turned into. */
const wrappers = ['$resizable', '$shared', '$detached', '$offset', '$proxy', '$throws', '$bare', '$ref']
const answers: Json[] = [{ $f32: 4 }, { $i32: 4 }]
const weight = '0.embeddings.word_embeddings.weight'

export const samples: Record<string, (random: Random) => Call> = {
  encode: (random) => ({
    ...{ on: 'encoder', call: 'encode' },
    args: [
      random.pick(batches),
      { $ref: 'out' },
      random.pick(['sentence_embedding', 'token_embeddings', 'pooler_output']),
    ],
  }),
  load: (random) => ({ on: random.pick(['encoder', 'trainer']), call: 'load', args: [[range(random)]] }),
  dump: (random) => ({ on: random.pick(['encoder', 'trainer']), call: 'dump', args: [[range(random)]] }),
  tensors: (random) => ({ on: random.pick(['encoder', 'trainer', 'disposed']), call: 'tensors', args: [] }),
  dispose: (random) => ({ on: random.pick(['encoder', 'trainer', 'disposed']), call: 'dispose', args: [] }),
  step: (random) => ({ on: 'trainer', call: 'step', args: [random.pick(batches), options(random)] }),
  embed: (random) => ({ on: 'trainer', call: 'embed', args: [random.pick(batches), { $ref: 'out' }, options(random)] }),
  apply: (random) => ({
    ...{ on: 'trainer', call: 'apply' },
    args: [
      { loss: 1, embeddings: { $f32: random.pick([32, 16, 24]) }, parameters: {}, components: { x: 1 } },
      options(random),
    ],
  }),
  evaluate: (random) => ({ on: 'trainer', call: 'evaluate', args: [random.pick(batches), random.int(2)] }),
  counters: () => ({ on: 'trainer', call: 'counters', args: [] }),
  setCounters: () => ({ on: 'trainer', call: 'setCounters', args: [[1, 2]] }),
  memory: (random) => ({ on: 'trainer', call: 'memory', args: [random.pick([1, 2, 0]), random.pick([1, 8, 0.5])] }),
  lossScaler: () => ({ on: 'trainer', call: 'lossScaler', args: [] }),
  setLossScaler: () => ({ on: 'trainer', call: 'setLossScaler', args: [{ scale: 1, growthTracker: 2 }] }),
  setGroups: () => ({ on: 'trainer', call: 'setGroups', args: [[0.1, 0, 0.2], { [weight]: 2 }] }),
  topK: (random) => ({
    ...{ on: 'addon', call: 'topK' },
    args: [
      { $f32: [1, 2, 3, 4] },
      { $ref: 'data' },
      2,
      2,
      random.pick(['cosine', 'dot', 'euclidean', 'manhattan']),
      ...answers,
    ],
  }),
  describe: (random) => {
    const [architecture, of] = random.pick<[string, Json]>([
      ['bert', config],
      ['t5', seq2seqConfig],
    ])
    return { on: 'addon', call: 'describe', args: [architecture, mutated(random, of, tokens)] }
  },
  runtime: () => ({ on: 'addon', call: 'runtime', args: [] }),
  profileStart: () => ({ on: 'addon', call: 'profileStart', args: [] }),
  profileStop: () => ({ on: 'addon', call: 'profileStop', args: [] }),
  setThreads: (random) => ({
    on: 'addon',
    call: 'setThreads',
    args: [random.pick<Json>([1, 1, 1, hostile(random)].filter((n) => typeof n !== 'number' || n <= 2))],
  }),
  measureMachine: (random) => ({ on: 'addon', call: 'measureMachine', args: [['x', hostile(random)], 0] }),
  Encoder: (random) => ({
    on: 'addon',
    call: 'new Encoder',
    args: [mutated(random, random.pick([encoderSpec, seq2seqSpec]), tokens)],
  }),
  Trainer: (random) => ({
    on: 'addon',
    call: 'new Trainer',
    args: [{ $object: 'encoder' }, mutated(random, trainerSpec(random.pick(losses)), tokens)],
  }),
  run: (random) => {
    const arrays: Json[] = [{ $f32: 6 }, { $i32: [0, 1] }]
    return { on: 'tensors', call: 'run', args: [random.some(1, 6, () => tensorStep(random)), arrays] }
  },
  read: (random) => ({
    on: 'tensors',
    call: 'read',
    args: [random.int(8), random.pick<Json>([{ $f32: 6 }, { $ref: 'out' }, { $u8: 6 }])],
  }),
  backward: (random) => ({ on: 'tensors', call: 'backward', args: [random.int(8)] }),
  count: () => ({ on: 'tensors', call: 'count', args: [] }),
  forward: (random) => ({
    ...{ on: 'trainer', call: 'forward' },
    args: [random.pick(batches), { $object: 'tensors' }, random.pick<Json>([[1], [1, 2]]), options(random)],
  }),
  bind: (random) => ({
    on: 'trainer',
    call: 'bind',
    args: [{ $object: 'tensors' }, random.pick<Json>([{}, { 'loss.w': 1 }])],
  }),
  update: (random) => ({ on: 'trainer', call: 'update', args: [options(random)] }),
  zeroGradients: () => ({ on: 'trainer', call: 'zeroGradients', args: [] }),
  // Memory that moves while a job uses it.
  transfer: (random) => ({ on: 'memory', call: 'transfer', args: [random.pick(['out', 'data'])] }),
  resize: (random) => ({
    on: 'memory',
    call: 'resize',
    args: [random.pick(['out', 'data']), random.pick([0, 8, 200])],
  }),
}

/** One with sense, but for the shapes of what it reads. */
function tensorStep(random: Random): Json {
  const [op, count, options] = random.pick<[string, number, Json]>([
    ['data', 0, { array: 0, shape: [2, 3], dtype: 'float32' }],
    ['data', 0, { array: 1, shape: [2], dtype: 'int64' }],
    ['full', 0, { shape: [2, 3], value: 'Infinity' }],
    ['eye', 0, { shape: [3, 3] }],
    ['arange', 0, { shape: [4], start: 1 }],
    ['randn', 0, { shape: [2, 3], seed: 1 }],
    ...['leaf', 'detach', 'grad', 'exp', 'log', 'relu', 'diagonal'].map((name): [string, number, Json] => [
      name,
      1,
      {},
    ]),
    ...['add', 'div', 'maximum', 'gt', 'matmul', 'mseLoss', 'crossEntropy'].map((name): [string, number, Json] => [
      name,
      2,
      {},
    ]),
    ['pow', 1, { value: 2 }],
    ['to', 1, { dtype: 'float64' }],
    ['clamp', 1, { min: -1, max: 'NaN' }],
    ['where', 3, {}],
    ['sum', 1, { dims: [0, 1], keepDim: true }],
    ['norm', 1, { dims: [1], p: 2 }],
    ['max', 1, { dim: 1 }],
    ['argmax', 1, { dim: 0 }],
    ['softmax', 1, { dim: 1 }],
    ['transpose', 1, { first: 0, second: 1 }],
    ['reshape', 1, { shape: [3, 2] }],
    ['expand', 1, { shape: [2, 2, 3] }],
    ['slice', 1, { dim: 1, start: 1, length: 2 }],
    ['select', 1, { dim: 0, index: 1 }],
    ['gather', 2, { dim: 0 }],
    ['indexSelect', 2, { dim: 1 }],
    ['cat', 2, { dim: 0 }],
    ['stack', 3, { dim: 0 }],
    ['free', 2, {}],
  ])
  return { op, out: random.int(8), in: Array.from({ length: count }, () => random.int(8)), options }
}

function range(random: Random): Json {
  const data = random.pick<Json>([{ $u8: 32 }, { $u8: 640 }, { $ref: 'data' }])
  return {
    name: random.pick([weight, 'loss.classifier.weight', `exp_avg.${weight}`]),
    start: random.pick([0, 1, 8]),
    dtype: random.pick(['F32', 'F16', 'BF16', 'F64']),
    data,
  }
}

function options(random: Random): Json {
  const extra = random.pick<Json>([
    {},
    { report: true },
    { update: false },
    { miniBatchRows: 1 },
    { miniBatchTokens: 3 },
    { lossScale: 0.5 },
    { loss: 0 },
  ])
  return { lr: random.pick<Json>([1e-4, { $f64: [1e-4, 0] }]), ...(extra as object) }
}

function argument(random: Random, value: Json): Json {
  if (random.oneIn(6)) return { [random.pick(wrappers)]: value }
  return random.oneIn(3) ? mutated(random, value, tokens) : value
}

/** A program with nothing wrong. */
export const WARM: Json = { calls: [{ on: 'encoder', call: 'encode', args: [batches[1]!, { $f32: 2 * WIDTH }] }] }

/** Calls in any order, with good arguments and bad ones. */
export function program(random: Random): Json {
  const calls = random.some(1, 7, (): Json => {
    const { on, call, args } = random.pick(Object.values(samples))(random)
    return { on, call, args: random.oneIn(2) ? args : args.map((value) => argument(random, value)) }
  })
  const trainer = random.oneIn(3) ? undefined : trainerSpec(random.pick(losses))
  const memory = (value: Json): Json =>
    random.oneIn(5) ? { [random.pick(['$resizable', '$shared', '$offset'])]: value } : value
  const buffers = {
    out: memory({ $f32: random.pick([32, 16, 24, 56]) }),
    data: memory(random.pick<Json>([{ $f32: [1, 0, 0, 1, 2, 2] }, { $u8: 32 }])),
  }
  const spec = random.oneIn(4) ? seq2seqSpec : encoderSpec
  const encoder = random.oneIn(4) ? mutated(random, spec, tokens) : spec
  return { encoder, ...(trainer && { trainer }), buffers, calls }
}
