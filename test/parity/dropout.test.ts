// Dropout as a pure function of seed, step, row and place: seen from outside, through the gradients of a classifier.
import test from 'ava'
import type { ConfigObject, PackedBatch } from '../../lib/native/types.js'
import {
  addon,
  dump,
  golden,
  goldenTensors,
  gradients,
  makeEncoder,
  makeTrainer,
  section,
  trainerSpec,
} from './support.js'

const WIDTH = 64

/**
 * A model whose every embedding is a linear picture of the mask on the embedding layer's output: that layer gives 1
 * everywhere, all other sums are 0, and both layer norms of the one layer only subtract the mean and divide by
 * sqrt(variance + 1). A classifier of zeros then has the gradient (1/2 − y) · [u; v; |u − v|].
 */
async function lens(rate: number, seed = 1) {
  const config: ConfigObject = {
    model_type: 'bert',
    vocab_size: 5,
    hidden_size: WIDTH,
    num_hidden_layers: 1,
    num_attention_heads: 2,
    intermediate_size: 8,
    hidden_act: 'gelu',
    max_position_embeddings: 8,
    type_vocab_size: 1,
    layer_norm_eps: 1,
    hidden_dropout_prob: rate,
    attention_probs_dropout_prob: 0,
  }
  const modules = [{ type: 'Pooling', modes: ['cls'], includePrompt: true }]
  const probe = new addon.Encoder({
    architecture: 'bert',
    config,
    modules,
    pooler: false,
    device: 'cpu',
    dtype: 'float32',
  })
  const weights = new Map<string, Float32Array>()
  for (const { name, shape } of probe.tensors()) {
    const data = new Float32Array(shape.reduce((a, b) => a * b, 1))
    if (name === '0.embeddings.LayerNorm.bias' || /output\.LayerNorm\.weight$/.test(name)) data.fill(1)
    weights.set(name, data)
  }
  await probe.dispose()
  weights.set('loss.classifier.weight', new Float32Array(2 * 3 * WIDTH))
  weights.set('loss.classifier.bias', new Float32Array(2))
  const encoder = await makeEncoder(config, modules, weights)
  const trainer = await makeTrainer(encoder, trainerSpec({ type: 'SoftmaxLoss', numLabels: 2 }, { seed }), weights)
  /** Embeddings of the two texts of the one pair of `batch`, in training; does one step at rate 0. */
  const look = async (batch: PackedBatch) => {
    await trainer.step(batch, { lr: 0, update: false })
    const gradient = (await gradients(trainer)).get('loss.classifier.weight')!
    await trainer.step(batch, { lr: 0, lossScale: 0 }) // the next optimiser step
    const scale = 2 // label 1: the first class has gradient 1/2
    return [gradient.slice(0, WIDTH), gradient.slice(WIDTH, 2 * WIDTH)].map((half) => half.map((x) => x * scale)) as [
      Float64Array,
      Float64Array,
    ]
  }
  const close = async () => {
    await trainer.dispose()
    await encoder.dispose()
  }
  return { look, close }
}

const pair = (first: number, second: number): PackedBatch => ({
  ids: new Int32Array(first + second).fill(3),
  offsets: Int32Array.of(0, first, first + second),
  columns: 2,
  labels: Int32Array.of(1),
})

/** What the lens makes of a mask that keeps `kept` of its entries, each times `scale`: values of a kept and a dropped one. */
function throughLens(kept: number, scale: number): [number, number] {
  let [high, low] = [scale, 0]
  for (let layer = 0; layer < 2; layer++) {
    const share = kept / WIDTH
    const mean = share * high + (1 - share) * low
    const variance = share * (high - mean) ** 2 + (1 - share) * (low - mean) ** 2
    ;[high, low] = [(high - mean) / Math.sqrt(variance + 1), (low - mean) / Math.sqrt(variance + 1)]
  }
  return [high, low]
}

const masks = (embedding: Float64Array) => [...embedding].map((value) => (value > 0 ? 1 : 0)).join('')

for (const rate of [0.1, 0.3]) {
  test(`entries are dropped at rate ${rate}, the others scaled by 1 / (1 − rate)`, async (t) => {
    const { look, close } = await lens(rate)
    const seen = new Set<string>()
    let dropped = 0
    const steps = 150
    for (let step = 0; step < steps; step++) {
      for (const embedding of await look(pair(2, 3))) {
        const kept = embedding.filter((value) => value > 0).length
        const [high, low] = throughLens(kept, 1 / (1 - rate))
        for (const value of kept === WIDTH ? [] : embedding) {
          t.true(Math.abs(value - (value > 0 ? high : low)) <= 1e-5, `${value} is neither ${high} nor ${low}`)
        }
        if (kept > 0) dropped += WIDTH - kept
        seen.add(masks(embedding))
      }
    }
    const entries = 2 * steps * WIDTH
    const deviation = Math.sqrt((rate * (1 - rate)) / entries)
    t.true(Math.abs(dropped / entries - rate) <= 4 * deviation, `dropped ${dropped / entries}`)
    t.true(seen.size >= 2 * steps - 4, `only ${seen.size} masks in ${2 * steps} draws`)
    await close()
  })
}

test('a mask depends on seed, step and row, not on the lengths of other rows', async (t) => {
  const one = await lens(0.5)
  const first = (await one.look(pair(2, 3))).map(masks)
  const second = (await one.look(pair(2, 3))).map(masks)
  t.not(first[0], first[1], 'rows differ')
  t.not(first[0], second[0], 'steps differ')

  const replay = await lens(0.5)
  t.deepEqual(
    (await replay.look(pair(7, 8))).map(masks),
    first,
    'same seed, step and rows: same masks at other lengths',
  )
  const other = await lens(0.5, 2)
  t.notDeepEqual((await other.look(pair(2, 3))).map(masks), first, 'seeds differ')
  await Promise.all([one.close(), replay.close(), other.close()])
})

test('training with dropout: same seed same bits, and a different loss each step', async (t) => {
  const spec = golden.training.softmax!
  const tensors = goldenTensors('training-softmax')
  const weights = new Map([...goldenTensors(spec.weights), ...section(tensors, 'weights/')])
  const config = { ...spec.config, hidden_dropout_prob: 0.1, attention_probs_dropout_prob: 0.1 }
  const batch: PackedBatch = {
    ids: tensors.get('ids') as Int32Array,
    offsets: tensors.get('offsets') as Int32Array,
    columns: 2,
    labels: tensors.get('labels')!,
  }
  const run = async (seed: number, lr: number) => {
    const encoder = await makeEncoder(config, spec.modules, weights)
    const trainer = await makeTrainer(encoder, trainerSpec(spec.loss, { seed }), weights)
    const losses: number[] = []
    for (let step = 0; step < 4; step++) losses.push((await trainer.step(batch, { lr, report: true }))!.loss)
    const plain = (await trainer.evaluate(batch)).loss
    const after = await dump(encoder)
    await trainer.dispose()
    await encoder.dispose()
    return { losses, plain, after }
  }
  const [a, b, c, still] = [await run(1, 1e-3), await run(1, 1e-3), await run(2, 1e-3), await run(1, 0)]
  t.deepEqual(b, a)
  t.notDeepEqual(c.losses, a.losses)
  t.is(new Set(still.losses).size, 4, 'masks change from step to step')
  t.true(Math.abs(still.plain - spec.losses[0]!) <= 1e-5, 'evaluate has no dropout')
})

test('a rate of attention dropout alone acts in training', async (t) => {
  const spec = golden.training['mnr-2']!
  const tensors = goldenTensors('training-mnr-2')
  const weights = goldenTensors(spec.weights)
  const config = { ...spec.config, attention_probs_dropout_prob: 0.3 }
  const encoder = await makeEncoder(config, spec.modules, weights)
  const trainer = await makeTrainer(encoder, trainerSpec(spec.loss))
  const batch = { ids: tensors.get('ids') as Int32Array, offsets: tensors.get('offsets') as Int32Array, columns: 2 }
  const losses: number[] = []
  for (let step = 0; step < 3; step++) losses.push((await trainer.step(batch, { lr: 0, report: true }))!.loss)
  t.is(new Set(losses).size, 3)
  t.true(Math.abs((await trainer.evaluate(batch)).loss - spec.losses[0]!) <= 1e-5 * Math.max(1, spec.losses[0]!))
  await trainer.dispose()
  await encoder.dispose()
})
