// Losses are made with options alone or, as in Python, with the model first; nothing that is given is ignored.
import test from 'ava'
import { modelsOf } from '../../lib/losses/arguments.js'
import * as pairLosses from '../../lib/losses/cross-encoder/index.js'
import * as losses from '../../lib/losses/index.js'
import type { ConfigObject, LossSpec } from '../../lib/native/types.js'
import { lossFiles, runExample } from '../docs/loss-files.js'

/** As the models are: instances of a class, without enumerable keys. */
class Encoder {
  get embeddingDimension() {
    return 32
  }
  async encode(texts: string[]) {
    return { data: new Float32Array(32 * texts.length), shape: [texts.length, 32] as const }
  }
}
class Scorer {
  get numLabels() {
    return 1
  }
  async predict(pairs: readonly unknown[]) {
    return { data: new Float32Array(pairs.length) }
  }
}
const model = new Encoder()
const guide = new Encoder()
const scorer = new Scorer()
const config: ConfigObject = { model_type: 'bert' }

type Made = { spec(width: number, config: ConfigObject): LossSpec; type: string }
type LossClass = new (...args: never[]) => Made
const make = (loss: unknown, ...args: unknown[]): Made => new (loss as LossClass)(...(args as never[]))

const inner = new losses.CoSENTLoss()

/** The options of each loss's example, which differ from the defaults where there are some. */
const examplesOf = async (isForPairs: boolean) => {
  const files = lossFiles.filter((file) => file.isForPairs === isForPairs && file.name !== 'Custom')
  const options = files.map(async (file) => [file.name, (await runExample(file)).args[0] ?? {}])
  return Object.fromEntries(await Promise.all(options)) as Record<string, object>
}
const classesOf = (exported: object) =>
  Object.entries(exported).filter(([name, value]) => typeof value === 'function' && name !== 'Custom')

for (const [title, exported, all, width, own, other] of [
  ['losses', losses, await examplesOf(false), 384, model, scorer],
  ['crossEncoderLosses', pairLosses, await examplesOf(true), 1, scorer, model],
] as const) {
  test(`${title}: the model may come first, and the options behind it count`, (t) => {
    t.deepEqual(
      classesOf(exported)
        .map(([name]) => name)
        .sort(),
      Object.keys(all).sort(),
      'every loss is here',
    )
    for (const [name, loss] of classesOf(exported)) {
      const options = all[name]!
      const plain = make(loss, options)
      const withModel = make(loss, own, options)
      t.deepEqual({ ...withModel }, { ...plain }, name)
      t.deepEqual(withModel.spec(width, config), plain.spec(width, config), name)
      t.deepEqual([modelsOf(plain), modelsOf(withModel)], [[], [own]], name)
    }
  })

  test(`${title}: nothing else passes for options`, (t) => {
    class Options {}
    const things = [new Map([['scale', 5]]), new Options(), Object.create({ scale: 5 }), [], 'cosine', 5, null, other]
    for (const [name, loss] of classesOf(exported)) {
      const options = all[name]!
      for (const thing of things) {
        t.throws(() => make(loss, thing), { code: 'ERR_INVALID_ARGUMENT' }, `${name} ${thing}`)
        if (thing === null) continue
        t.throws(() => make(loss, own, thing), { code: 'ERR_INVALID_ARGUMENT' }, `${name}, model, ${thing}`)
        t.throws(() => make(loss, own, options, thing), { code: 'ERR_INVALID_ARGUMENT' }, `${name}, …, ${thing}`)
      }
      t.throws(() => make(loss, options, options), { code: 'ERR_INVALID_ARGUMENT' }, `${name} twice`)
      t.throws(() => make(loss, own, { ...options, scal: 1 }), { code: 'ERR_UNKNOWN_OPTION' }, name)
    }
  })
}

test('wrappers take the loss behind the model, guided losses their guide', (t) => {
  const options = { matryoshkaDims: [32, 8], matryoshkaWeights: [1, 2] }
  for (const Loss of [losses.MatryoshkaLoss, losses.Matryoshka2dLoss]) {
    const expected = new Loss({ loss: inner, ...options })
    t.deepEqual(new Loss(model, inner, options).spec(32, config), expected.spec(32, config))
    t.deepEqual(modelsOf(new Loss(model, inner, options)), [model])
    t.throws(() => make(Loss, model, inner, { ...options, loss: inner }), { message: /given its loss twice/ })
  }
  const layers = new losses.AdaptiveLayerLoss(model, inner, { klTemperature: 2 })
  t.is(layers.klTemperature, 2)
  t.is(layers.loss, inner)
  t.is(new losses.AdaptiveLayerLoss(model, inner).klTemperature, 0.3)
  for (const Loss of [losses.GISTEmbedLoss, losses.CachedGISTEmbedLoss]) {
    const loss = new Loss(model, guide, { temperature: 0.5 })
    t.is(loss.guide, guide)
    t.is(loss.temperature, 0.5)
    t.deepEqual(modelsOf(loss), [model])
    t.throws(() => make(Loss, model), { message: /a SentenceTransformer for .*GISTEmbedLoss guide/ })
  }
})

test('the models of wrapped losses are found', (t) => {
  const wrapped = new losses.MatryoshkaLoss(new Encoder(), new losses.CoSENTLoss(model), { matryoshkaDims: [32] })
  t.is(modelsOf(wrapped).length, 2)
  t.is(modelsOf(wrapped)[1], model)
  const without = new losses.Matryoshka2dLoss({ loss: new losses.CoSENTLoss(model), matryoshkaDims: [32] })
  t.deepEqual(modelsOf(without), [model])
})

test('SoftmaxLoss: the width that is named has to be the model’s', (t) => {
  const loss = new losses.SoftmaxLoss(model, { sentenceEmbeddingDimension: 384, numLabels: 3 })
  t.is(loss.spec(384).numLabels, 3)
  t.false('sentenceEmbeddingDimension' in loss.spec(384))
  t.throws(() => loss.spec(768), {
    code: 'ERR_INVALID_ARGUMENT',
    message: "Expected the model's width, 768, for SoftmaxLoss sentenceEmbeddingDimension but received 384",
  })
  t.throws(() => new losses.SoftmaxLoss(model, { sentenceEmbeddingDimension: 1.5, numLabels: 3 }), {
    code: 'ERR_INVALID_ARGUMENT',
  })
})

test('the messages name what fits', (t) => {
  t.throws(() => make(losses.MatryoshkaLoss, new Map()), {
    message:
      'MatryoshkaLoss takes an object of options, or a SentenceTransformer and a loss, then options; found an object of type Map',
  })
  t.throws(() => make(pairLosses.LambdaLoss, model), {
    message:
      'CrossEncoder.LambdaLoss takes an object of options, or a CrossEncoder, then options; found an object of type Encoder',
  })
})

test('types: both forms, and what is missing or misspelt', (t) => {
  const fine: (losses.Loss | pairLosses.CrossEncoderLoss)[] = [
    new losses.CoSENTLoss({ similarityFct: 'pairwise_dot_score' }),
    new losses.CoSENTLoss(model, { similarityFct: 'pairwise_dot_score' }),
    new losses.ContrastiveTensionLoss(),
    new losses.ContrastiveTensionLoss(model),
    new pairLosses.LambdaLoss(scorer, { weightingScheme: 'LambdaRank' }),
    new pairLosses.CachedMultipleNegativesRankingLoss(scorer, { miniBatchSize: 3 }),
  ]
  t.is(fine.length, 6)
  for (const wrong of [
    // @ts-expect-error There is no scal.
    () => new losses.CoSENTLoss({ scal: 5 }),
    // @ts-expect-error There is no scal.
    () => new losses.CoSENTLoss(model, { scal: 5 }),
    // @ts-expect-error It is a number.
    () => new losses.CoSENTLoss(model, { scale: '5' }),
    // @ts-expect-error numLabels is needed.
    () => new losses.SoftmaxLoss(model),
    // @ts-expect-error numLabels is needed.
    () => new losses.SoftmaxLoss(),
    // @ts-expect-error matryoshkaDims are needed.
    () => new losses.MatryoshkaLoss(model, inner),
    // @ts-expect-error A cross-encoder has no embeddings.
    () => new losses.TripletLoss(scorer),
    // @ts-expect-error A SentenceTransformer does not predict.
    () => new pairLosses.MSELoss(model),
  ]) {
    t.throws(wrong)
  }
})
