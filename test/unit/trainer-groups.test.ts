import test from 'ava'
import { resolveArguments, type TrainingArguments } from '../../lib/training/arguments/arguments.js'
import { optimizerSpec } from '../../lib/training/arguments/optimizer.js'
import { parameterGroups, pythonName } from '../../lib/training/arguments/parameter-groups.js'
import { planMemory } from '../../lib/training/batches/memory-plan.js'
import { chooseMiniBatches } from '../../lib/training/batches/mini-batch.js'

const tensors = [
  { name: '0.embeddings.word_embeddings.weight', shape: [9, 4], group: 'decay' as const },
  { name: '0.encoder.layer.0.output.dense.weight', shape: [4, 4], group: 'decay' as const },
  { name: '0.encoder.layer.0.output.dense.bias', shape: [4], group: 'no_decay' as const },
  { name: '0.pooler.dense.weight', shape: [4, 4], group: 'frozen' as const },
  { name: '2.linear.weight', shape: [4, 4], group: 'decay' as const },
  { name: 'loss.classifier.weight', shape: [2, 12], group: 'decay' as const },
]
const groups = (given: Partial<TrainingArguments>, first = '') =>
  parameterGroups(resolveArguments({ learningRate: 1e-4, weightDecay: 0.1, ...given }), tensors, first)

test('names are those of sentence-transformers 6.0.1', (t) => {
  t.is(pythonName('0.encoder.layer.0.output.dense.bias'), 'model.0.model.encoder.layer.0.output.dense.bias')
  t.is(pythonName('2.linear.weight'), 'model.2.linear.weight')
  t.is(pythonName('loss.classifier.weight'), 'classifier.weight')
  t.is(pythonName('loss.nli.classifier.weight', 'sts'), 'nli.classifier.weight')
  t.is(pythonName('0.embeddings.LayerNorm.bias', 'sts'), 'sts.model.0.model.embeddings.LayerNorm.bias')
})

test('without patterns the groups of the engine do', (t) => {
  t.is(groups({}), undefined)
})

test('a rate for what a pattern finds; decay stays off for biases', (t) => {
  t.deepEqual(groups({ learningRateMapping: { '^model\\.0\\..*dense': 1e-5, classifier: 1e-3 } }), {
    weightDecays: [0.1, 0, 0.1, 0, 0.1, 0],
    rates: [1e-4, 1e-4, 1e-5, 1e-5, 1e-3, 1e-3],
    groups: {
      '0.encoder.layer.0.output.dense.weight': 2,
      '0.encoder.layer.0.output.dense.bias': 3,
      'loss.classifier.weight': 4,
    },
  })
})

test('a later pattern takes over, and freezing takes all', (t) => {
  const found = groups({ learningRateMapping: { dense: 1e-5, 'dense.weight': 1e-6 }, freeze: ['embeddings', /BIAS/gi] })
  t.deepEqual(found!.groups, {
    '0.embeddings.word_embeddings.weight': -1,
    '0.encoder.layer.0.output.dense.weight': 4,
    '0.encoder.layer.0.output.dense.bias': -1,
  })
})

test('patterns that find nothing, or leave nothing, are refused', (t) => {
  t.throws(() => groups({ learningRateMapping: { pooler: 1e-5 } }), { code: 'ERR_INVALID_ARGUMENT', message: /pooler/ })
  t.throws(() => groups({ freeze: ['embedings'] }), {
    code: 'ERR_INVALID_ARGUMENT',
    message: /such as model\.0\.model/,
  })
  t.throws(() => groups({ freeze: ['.'] }), { code: 'ERR_INVALID_ARGUMENT', message: /leave something/ })
})

test('optimisers', (t) => {
  const spec = (given: Partial<TrainingArguments>) => optimizerSpec(resolveArguments(given))
  t.deepEqual(spec({ adamBeta1: 0.8 }), { type: 'adamw', beta1: 0.8, beta2: 0.999, epsilon: 1e-8 })
  const adam = { adamBeta1: 0.7, adamBeta2: 0.95, adamEpsilon: 1e-6 }
  t.deepEqual(spec(adam), { type: 'adamw', beta1: 0.7, beta2: 0.95, epsilon: 1e-6 })
  t.deepEqual(spec({ optim: 'adamw_torch' }), spec({}))
  t.deepEqual(spec({ optim: 'sgd' }), { type: 'sgd' })
  t.deepEqual(spec({ optim: 'rmsprop' }), { type: 'rmsprop', alpha: 0.99, epsilon: 1e-8 })
  t.deepEqual(spec({ optim: 'rmsprop', optimArgs: 'alpha=0.9, eps=1e-6' }), {
    type: 'rmsprop',
    alpha: 0.9,
    epsilon: 1e-6,
  })
  t.throws(() => spec({ optim: 'rmsprop', optimArgs: 'alpha=0x1' }), {
    code: 'ERR_INVALID_ARGUMENT',
    message: /alpha=0x1/,
  })
  t.throws(() => spec({ optim: 'rmsprop', optimArgs: { momentum: 0.9 } }), { code: 'ERR_NOT_IMPLEMENTED' })
  t.throws(() => spec({ optim: 'sgd', optimArgs: { momentum: 0.9 } }), { code: 'ERR_NOT_IMPLEMENTED' })
  t.throws(() => spec({ optim: 'rmsprop', optimArgs: { alpha: 1 } }), { code: 'ERR_INVALID_ARGUMENT' })
  t.throws(() => spec({ optimArgs: { alpha: 0.9 } }), { code: 'ERR_UNKNOWN_OPTION' })
})

test('mini-batches: of the arguments, else of the loss, else none', (t) => {
  const cached = { caching: { miniBatchSize: 32 } }
  const byTokens = { caching: { miniBatchTokens: 4096 } }
  const choose = (given: Partial<TrainingArguments>, free?: number) =>
    chooseMiniBatches(resolveArguments(given), [cached, byTokens, {}], { trainingBytesPerToken: 1000 }, free)
  t.deepEqual(choose({}), [{ miniBatchRows: 32 }, { miniBatchTokens: 4096 }, {}])
  t.deepEqual(choose({ miniBatchSize: 8 }), Array(3).fill({ miniBatchRows: 8 }))
  t.deepEqual(choose({ miniBatchTokens: 900 }), Array(3).fill({ miniBatchTokens: 900 }))
  t.deepEqual(choose({ miniBatchSize: 'auto' }, 8e6), Array(3).fill({ miniBatchTokens: 4000 }))
  t.deepEqual(choose({ miniBatchSize: 'auto' }, 1)[0], { miniBatchTokens: 512 })
  t.throws(() => choose({ miniBatchSize: 'auto' }), { code: 'ERR_INVALID_ARGUMENT', message: /miniBatchTokens/ })
  t.throws(() => resolveArguments({ miniBatchSize: 8, miniBatchTokens: 9 }), { message: /exclude each other/ })
})

test('a limit of memory: as many tokens at once as fit, then activations again, then a refusal that names the least', (t) => {
  const MB = 2 ** 20
  const needs = {
    ...{ resident: 100 * MB, batchTokens: 64 * 256, longestText: 256, recomputes: false },
    training: { fixed: 50 * MB, perToken: 20_000, perTokenRecomputed: 4000, loss: 10 * MB },
  }
  // What it takes beside the tokens: 64 MB for all else.
  const rest = 224 * MB
  const plan = (limit: number, given: Partial<typeof needs> = {}) => planMemory(limit, { ...needs, ...given })
  t.deepEqual(plan(rest + 20_000 * 100_000), { miniBatchTokens: 100_000 })
  t.deepEqual(plan(rest + 20_000 * 2048), { miniBatchTokens: 2048 })
  // Few tokens at once are slow.
  t.deepEqual(plan(rest + 20_000 * 2047), { miniBatchTokens: 10_235, recompute: true })
  t.deepEqual(plan(rest + 20_000 * 512, { batchTokens: 512 }), { miniBatchTokens: 512 })
  t.deepEqual(plan(rest + 20_000 * 4096, { longestText: 8192 }), { miniBatchTokens: 20_480, recompute: true })
  // Who computes them again anyway needs no word.
  t.deepEqual(plan(rest + 20_000 * 4096, { recomputes: true }), { miniBatchTokens: 20_480 })
  // With few layers nothing is gained by it.
  const few = { training: { ...needs.training, perTokenRecomputed: 21_000 } }
  t.deepEqual(plan(rest + 20_000 * 256, few), { miniBatchTokens: 256 })
  t.throws(() => plan(rest + 20_000 * 256 - 1, few), { message: new RegExp(`at least ${rest + 20_000 * 256} `) })
  const least = rest + 4000 * 256
  t.deepEqual(plan(least), { miniBatchTokens: 256, recompute: true })
  t.throws(() => plan(least - 1), {
    code: 'ERR_INVALID_ARGUMENT',
    message: new RegExp(
      `at least ${least} for memoryLimit but found ${least - 1}: the process has 100 MB.*50 MB.*10 MB.*256 tokens`,
    ),
  })
  // A batch that is smaller than the longest text.
  t.deepEqual(plan(rest + 4000 * 100, { batchTokens: 100 }), { miniBatchTokens: 100, recompute: true })
  t.throws(() => resolveArguments({ memoryLimit: 1e9, miniBatchTokens: 9 }), { message: /memoryLimit chooses/ })
  t.throws(() => resolveArguments({ memoryLimit: 0.5 }), { code: 'ERR_INVALID_ARGUMENT', message: /memoryLimit/ })
})
