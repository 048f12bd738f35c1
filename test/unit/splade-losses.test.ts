import test from 'ava'
import * as losses from '../../lib/losses/index.js'
import { resolveArguments } from '../../lib/training/arguments/arguments.js'
import { newControl, newState } from '../../lib/training/callbacks/callbacks.js'
import { SpladeRegularizerWeightSchedulerCallback } from '../../lib/training/callbacks/splade-weights.js'

const ranking = () => new losses.SparseMultipleNegativesRankingLoss()
const weights = { documentRegularizerWeight: 0.3, queryRegularizerWeight: 0.5 }
const invalid = (message: RegExp) => ({ code: 'ERR_INVALID_ARGUMENT', message })

test('the losses within SpladeLoss have the defaults of sentence-transformers', (t) => {
  const inner = (loss: losses.Loss) => loss.spec(8, {})
  t.like(inner(ranking()), { type: 'MultipleNegativesRankingLoss', scale: 1, similarity: 'dot' })
  t.like(inner(new losses.SparseMultipleNegativesRankingLoss({ scale: 3 })), { scale: 3, similarity: 'dot' })
  t.like(inner(new losses.SparseCoSENTLoss()), { type: 'CoSENTLoss', scale: 20, similarity: 'cosine' })
  t.like(inner(new losses.SparseAnglELoss()), { type: 'CoSENTLoss', scale: 20, similarity: 'angle' })
  t.like(inner(new losses.SparseCosineSimilarityLoss()), { type: 'CosineSimilarityLoss' })
  t.like(inner(new losses.SparseMarginMSELoss()), { type: 'MarginMSELoss', similarity: 'dot' })
  t.like(inner(new losses.SparseMSELoss()), { type: 'MSELoss' })
  t.like(inner(new losses.SparseTripletLoss()), { type: 'TripletLoss', distanceMetric: 'euclidean', tripletMargin: 5 })
  const kl = new losses.SparseDistillKLDivLoss()
  t.like(inner(kl), { type: 'DistillKLDivLoss', studentTemperature: 2, teacherTemperature: 2 })
  t.is(new losses.SparseDistillKLDivLoss({ teacherTemperature: 3 }).studentTemperature, 2)
  t.throws(() => new losses.SparseMultipleNegativesRankingLoss({ scales: 1 } as never), { code: 'ERR_UNKNOWN_OPTION' })
  t.throws(() => new losses.SparseDistillKLDivLoss({ temperature: 0 }), invalid(/temperature/))
})

test('SpladeLoss has the options of sentence-transformers, and refuses those that would be ignored', (t) => {
  const loss = new losses.SpladeLoss({ loss: ranking(), ...weights, documentRegularizerThreshold: 3 })
  t.like(loss.spec(8, {}), { type: 'SpladeLoss', ...weights, documentRegularizerThreshold: 3 })
  t.deepEqual(loss.weights(), { document_regularizer_weight: 0.3, query_regularizer_weight: 0.5 })
  const flops = new losses.FlopsLoss({ threshold: 4 })
  const own = new losses.SpladeLoss({ loss: ranking(), ...weights, queryRegularizer: flops })
  t.is(own.queryRegularizerThreshold, 4)
  const cosine = new losses.SpladeLoss({ loss: new losses.SparseCoSENTLoss(), documentRegularizerWeight: 1 })
  t.is(cosine.similarityFnName, 'cosine')
  t.deepEqual(cosine.weights(), { document_regularizer_weight: 1 })
  const bad = (options: object, message: RegExp) =>
    t.throws(() => new losses.SpladeLoss({ loss: ranking(), ...weights, ...options }), invalid(message))
  bad({ useDocumentRegularizerOnly: true }, /no queries/)
  bad({ documentRegularizer: flops, documentRegularizerThreshold: 1 }, /not both/)
  bad({ documentRegularizer: {} }, /a FlopsLoss/)
  bad({ documentRegularizerWeight: -1 }, /documentRegularizerWeight/)
  bad({ documentRegularizerThreshold: 1.5 }, /documentRegularizerThreshold/)
  bad({ loss: new losses.MaskedLanguageModelLoss() }, /cannot hold/)
  t.throws(() => new losses.SpladeLoss({ loss: ranking() } as never), invalid(/documentRegularizerWeight/))
})

test('CSRLoss has the defaults of sentence-transformers, and says what it cannot hold', (t) => {
  const loss = new losses.CSRLoss()
  const inner = { type: 'MultipleNegativesRankingLoss', scale: 1, similarity: 'dot' }
  t.like(loss.spec(8, {}), { type: 'CSRLoss', beta: 0.1, gamma: 1 })
  t.like(loss.spec(8, {}).loss, inner)
  t.like(loss.requirements, { ...ranking().requirements, reconstruction: true })
  const cosine = new losses.CSRLoss({ loss: new losses.SparseCoSENTLoss(), beta: 0.3, gamma: 2 })
  t.like(cosine.spec(8, {}), { beta: 0.3, gamma: 2 })
  t.is(cosine.similarityFnName, 'cosine')
  const splade = () => new losses.SpladeLoss({ loss: ranking(), ...weights })
  const held = (one: losses.Loss, message: RegExp, code = 'ERR_INVALID_ARGUMENT') => {
    t.throws(() => new losses.CSRLoss({ loss: one }), { code, message })
  }
  held(splade(), /CSRLoss cannot hold SpladeLoss/)
  held(loss, /CSRLoss cannot hold CSRLoss/)
  held(new losses.MaskedLanguageModelLoss(), /cannot hold/)
  held(new losses.FlopsLoss(), /use it within SpladeLoss/)
  held(new losses.CachedMultipleNegativesRankingLoss(), /mini-batches/, 'ERR_NOT_IMPLEMENTED')
  t.throws(() => new losses.CSRLoss({ alpha: 1 } as never), { code: 'ERR_UNKNOWN_OPTION' })
  for (const one of [splade(), new losses.AdaptiveLayerLoss({ loss: splade() }), loss]) {
    for (const options of [{}, { miniBatchSize: 4 }]) {
      const Holder = 'miniBatchSize' in options ? losses.CachedSpladeLoss : losses.SpladeLoss
      t.throws(() => new Holder({ loss: one, ...weights, ...options }), invalid(/SpladeLoss cannot hold/))
    }
  }
})

test('CachedSpladeLoss is SpladeLoss with mini-batches', (t) => {
  const loss = new losses.CachedSpladeLoss({ loss: ranking(), ...weights, miniBatchSize: 4 })
  t.deepEqual(loss.caching, { miniBatchSize: 4 })
  t.is(loss.type, 'CachedSpladeLoss')
  t.like(loss.spec(8, {}), { type: 'SpladeLoss', ...weights })
  t.deepEqual(new losses.CachedSpladeLoss({ loss: ranking(), ...weights }).caching, { miniBatchSize: 32 })
})

function schedule(maxSteps: number, globalStep: number, options: object): number[] {
  const loss = new losses.SpladeLoss({ loss: ranking(), documentRegularizerWeight: 2, queryRegularizerWeight: 4 })
  const callback = new SpladeRegularizerWeightSchedulerCallback(loss, options)
  callback.onTrainBegin({
    args: resolveArguments(),
    state: { ...newState(), maxSteps, globalStep },
    control: newControl(),
  })
  t0 = [loss.documentRegularizerWeight, loss.queryRegularizerWeight!]
  return Array.from({ length: maxSteps - globalStep }, () => {
    callback.onStepBegin()
    if (loss.queryRegularizerWeight !== 2 * loss.documentRegularizerWeight) throw new Error('both rise alike')
    return loss.documentRegularizerWeight
  })
}
let t0: number[] = []

// By Python: SpladeRegularizerWeightSchedulerCallback.on_step_begin of steps 0, 1, …
test('the weights rise as in sentence-transformers', (t) => {
  t.deepEqual(schedule(12, 0, {}), [0, 0.125, 0.5, 1.125, 2, 2, 2, 2, 2, 2, 2, 2])
  t.deepEqual(t0, [0, 0])
  t.deepEqual(schedule(8, 0, { schedulerType: 'linear', warmupRatio: 0.5 }), [0, 0.5, 1, 1.5, 2, 2, 2, 2])
  t.deepEqual(schedule(12, 2, {}), [0.5, 1.125, 2, 2, 2, 2, 2, 2, 2, 2], 'a run that goes on')
  t.deepEqual(schedule(2, 0, {}), [0, 2], 'at least one step')
})

test('the schedule refuses what it cannot take', (t) => {
  const loss = new losses.SpladeLoss({ loss: ranking(), ...weights })
  const make = (given: unknown, options?: object) =>
    new SpladeRegularizerWeightSchedulerCallback(given as losses.SpladeLoss, options)
  t.throws(() => make(ranking()), invalid(/a SpladeLoss/))
  t.throws(() => make(loss, { warmupRatio: 0 }), invalid(/warmupRatio/))
  t.throws(() => make(loss, { schedulerType: 'cubic' }), invalid(/schedulerType/))
  t.throws(() => make(loss, { warmup: 1 }), { code: 'ERR_UNKNOWN_OPTION' })
})
