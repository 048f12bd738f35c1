// What happens to the arguments of a call after the call is for later calls: on the engine, which reads them while it works.
import { fileURLToPath } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import {
  CrossEncoder,
  Dataset,
  evaluation,
  losses,
  SentenceTransformer,
  SentenceTransformerTrainer,
  type TrainerCallback,
  util,
} from '../../lib/index.js'
import { type Embeddings, embeddings } from '../../lib/models/embeddings.js'
import { temporaryFolder } from '../helpers/model-folders.js'
import { spoil } from '../helpers/spoil.js'
import { tinyFolder } from '../helpers/tiny-folder.js'
import { mulberry32 } from '../helpers/tiny-model.js'

const ONE = fileURLToPath(new URL('../../../test/parity/golden/cross-encoder/one', import.meta.url))

const words = ['the', 'cat', 'sat', 'on', 'a', 'mat', 'dog', 'ran', 'fast']
const text = (i: number) =>
  Array.from({ length: 1 + (i % 13) }, (_, j) => words[(i * 7 + j * 3) % words.length]!).join(' ')
const pairs = () => Array.from({ length: 1500 }, (_, i): [string, string] => [text(i), text(3 * i + 1)])

test('predict and rank score the pairs of the call, with the settings of the call', async (t) => {
  await using model = await CrossEncoder.load(ONE)
  const right = (await model.predict(pairs())).data

  const emptied = pairs()
  let call = model.predict(emptied)
  emptied.length = 0
  t.deepEqual((await call).data, right)

  const written = pairs()
  call = model.predict(written, { applySoftmax: false })
  for (const pair of written) pair.fill('dog')
  const { maxLength, activationFn } = model
  model.maxLength = 5
  model.activationFn = 'tanh'
  t.deepEqual((await call).data, right)
  Object.assign(model, { maxLength, activationFn })

  const documents = pairs().map(([, document]) => document)
  const best = await model.rank('a cat', documents, { topK: 20, returnDocuments: true })
  const ranking = model.rank('a cat', documents, { topK: 20, returnDocuments: true })
  documents.length = 0
  t.deepEqual(await ranking, best)
})

function random(rows: number, width: number): Embeddings {
  const next = mulberry32(rows)
  return embeddings(
    Float32Array.from({ length: rows * width }, () => next() - 0.5),
    rows,
    width,
  )
}

test('the engine searches the rows of the call, though they are written to or taken away', async (t) => {
  const search = (corpus: Embeddings) => util.semanticSearch(random(300, 32), corpus, { queryChunkSize: 10 })
  const right = await search(random(4000, 32))
  const written = random(4000, 32)
  const call = search(written)
  written.data.fill(1)
  t.deepEqual(await call, right)
  const taken = random(4000, 32)
  const another = search(taken)
  structuredClone(taken.data.buffer, { transfer: [taken.data.buffer as ArrayBuffer] })
  t.deepEqual(await another, right)
})

const encode: evaluation.EvaluatedModel['encode'] = async (texts) => {
  const data = texts.flatMap((given) => [given.length, given.charCodeAt(0) % 7, given.charCodeAt(given.length - 1) % 5])
  return embeddings(Float32Array.from(data), texts.length, 3)
}
const model = { encode, encodeQuery: encode, encodeDocument: encode, similarityFnName: 'cosine' } as const

const texts = (from: number) => Array.from({ length: 40 }, (_, i) => text(from + i))
const byId = (from: number) => new Map(texts(from).map((given, i) => [String(i), given]))
const relevantDocs = () => new Map(texts(0).map((_, i) => [String(i), new Set([String((i * 2) % 40)])]))

const EVALUATORS = {
  TranslationEvaluator: () => ({ sourceSentences: texts(0), targetSentences: texts(11) }),
  InformationRetrievalEvaluator: () => ({
    ...{ queries: byId(0), corpus: byId(5), relevantDocs: relevantDocs() },
    ...{ accuracyAtK: [1, 2], scoreFunctions: { mine: 'dot' } },
  }),
  ParaphraseMiningEvaluator: () => ({
    sentencesMap: byId(0),
    duplicatesList: [
      ['1', '3'],
      ['2', '7'],
    ],
  }),
}

for (const [name, options] of Object.entries(EVALUATORS)) {
  test(`${name} measures what it was made of`, async (t) => {
    const make = (evaluation as unknown as Record<string, new (options: object) => evaluation.Evaluator>)[name]!
    const expected = await new make(options()).evaluate(model)
    const given = options()
    const evaluator = new make(given)
    spoil(given)
    t.deepEqual(await evaluator.evaluate(model), expected)
  })
}

interface Given {
  callbacks: TrainerCallback[]
  trainDataset: Record<string, Dataset>
  args: { maxSteps: number; perDeviceTrainBatchSize: number; saveStrategy: 'no'; prompts: Record<string, string> }
}

/** Trains with texts of up to 9 words, and sets a limit of 4 tokens after the first step where `cut` is. */
async function train(t: ExecutionContext, change: (given: Given) => void, cut = false) {
  await using model = await SentenceTransformer.load(await tinyFolder(await temporaryFolder(t)))
  const words = ['red', 'green', 'blue', 'cat', 'dog', 'cow', 'rain', 'sun']
  const rows = words.map((word, i) => `${word} is ${words.slice(0, i).join(' ')}`)
  const dataset = Dataset.fromColumns({ anchor: rows, positive: rows.map((row) => `a ${row}`) })
  const calls: string[] = []
  const callback: TrainerCallback = {
    onStepEnd: () => {
      calls.push('step')
      if (cut) model.maxSeqLength = 4
    },
  }
  const given: Given = {
    callbacks: [callback],
    trainDataset: { one: dataset, two: dataset },
    args: { maxSteps: 8, perDeviceTrainBatchSize: 2, saveStrategy: 'no', prompts: { one: 'the ' } },
  }
  const trainer = new SentenceTransformerTrainer({
    ...given,
    model,
    loss: new losses.MultipleNegativesRankingLoss(),
    progress: false,
  })
  change(given)
  await trainer.train()
  model.maxSeqLength = 24
  return { calls, vectors: (await model.encode(rows)).data }
}

test('a trainer trains on what it was made of, whatever is set meanwhile', async (t) => {
  const untouched = await train(t, () => {})
  t.is(untouched.calls.length, 8)
  const change = ({ callbacks, trainDataset, args }: Given) => {
    callbacks.length = 0
    delete trainDataset.two
    Object.assign(args.prompts, { one: 'not ' })
    Object.assign(args, { maxSteps: 1 })
  }
  const { calls, vectors } = await train(t, change, true)
  t.is(calls.length, 8)
  t.deepEqual(vectors, untouched.vectors)
})
