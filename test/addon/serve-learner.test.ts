// The next version of a model, trained on feedback while the present one serves: which one serves, and what a restart finds.
import { appendFile, mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { type evaluation, SentenceTransformer } from '../../lib/index.js'
import { type Feedback, Learner, type LearnerOptions, ServedModel } from '../../lib/serve/index.js'
import { temporaryFolder } from '../helpers/model-folders.js'
import { tinyFolder, tinyWords } from '../helpers/tiny-folder.js'

const word = (i: number) => tinyWords[i % tinyWords.length]!
const pair = (i: number): Feedback => ({
  query: `${word(i)} ${word(i * 3 + 1)}`,
  positive: `the ${word(i)} is ${word(i + 5)}`,
})
const pairs = (count: number, start = 0) => Array.from({ length: count }, (_, i) => pair(start + i))
const TEXTS = ['the red cat', 'a blue dog']
const FAST = { perDeviceTrainBatchSize: 4, learningRate: 1e-2 }

/** Measures what the test says, by the number of models that it has seen. */
function judge(values: readonly number[], scores: readonly (readonly number[])[] = []): evaluation.Evaluator {
  let calls = 0
  return {
    async evaluate(model) {
      await model.encodeQuery(['a cat'])
      const i = calls++
      const items = scores[i] && { items: { score: { scores: scores[i] } } }
      return { metrics: { score: values[i]! }, primaryMetric: 'score', ...items }
    },
  }
}

interface Given extends Partial<LearnerOptions> {
  evaluator: evaluation.Evaluator
}

async function started(t: ExecutionContext, given: Given) {
  const folder = given.folder ?? join(await temporaryFolder(t), 'learner')
  const model = await SentenceTransformer.load(await tinyFolder(join(await temporaryFolder(t), 'tiny')))
  const served = new ServedModel(model)
  const learner = await Learner.start({ served, every: 0, args: FAST, ...given, folder })
  t.teardown(async () => {
    await learner.dispose()
    await model.dispose()
  })
  const vectors = async () => [...(await (served.model as SentenceTransformer).encode(TEXTS)).data]
  return { folder, model, served, learner, vectors }
}

test('a version that is better serves, the one before can be gone back to, and a restart serves the same', async (t) => {
  const { folder, served, learner, vectors } = await started(t, { evaluator: judge([0.5, 0.6, 0.6, 0.7]) })
  const first = await vectors()
  t.deepEqual(await learner.add(pairs(12)), { accepted: 12, pending: 12 })
  const round = await learner.learn()
  t.like(round, { version: '2', from: '1', pairs: 12, outcome: 'swapped', metric: 'score', before: 0.5, after: 0.6 })
  t.is(served.version, '2')
  const second = await vectors()
  t.notDeepEqual(second, first)
  t.like(learner.status(), { version: '2', previous: '1', state: 'waiting', feedback: 12, pending: 0 })
  await t.throwsAsync(learner.learn(), { code: 'ERR_INVALID_DATA' })
  await learner.close()

  const again = await started(t, { folder, evaluator: judge([0.6, 0.5]) })
  t.is(again.served.version, '2')
  t.deepEqual(await again.vectors(), second)
  t.is(await again.learner.rollback(), '1')
  t.deepEqual(await again.vectors(), first)
  t.like(again.learner.status(), { version: '1', previous: null, pending: 0 })
  await t.throwsAsync(again.learner.rollback(), { code: 'ERR_NOT_FOUND', message: /no version before 1/ })
  t.deepEqual(await readdir(join(folder, 'versions')), ['v-1'])

  // What the version that was taken back has learned is not taken again, and its number is not used twice.
  await again.learner.add(pairs(4, 20))
  t.like(await again.learner.learn(), { version: '3', from: '1', pairs: 4, outcome: 'kept', before: 0.6, after: 0.5 })
  t.is(again.served.version, '1')
  t.deepEqual(await again.vectors(), first)
  t.is(again.learner.status().pending, 4)
})

test('only a difference that can be measured counts, if that is wanted', async (t) => {
  const low = [0.1, 0.9, 0.2, 0.8, 0.3, 0.7]
  const scores = [low, [0.9, 0.1, 0.8, 0.3, 0.7, 0.5], low.map((value) => value + 0.05)]
  const evaluator = judge([0.5, 0.55, 0.55], scores)
  const { learner } = await started(t, { evaluator, swap: 'measurably better' })
  await learner.add(pairs(8))
  const kept = await learner.learn()
  t.is(kept.outcome, 'kept')
  t.true(kept.interval!.low < 0 && kept.interval!.high > 0)
  const swapped = await learner.learn()
  t.is(swapped.outcome, 'swapped')
  t.true(swapped.interval!.low > 0)

  const other = await started(t, { evaluator: judge([0.1, 0.2]), swap: 'measurably better' })
  await other.learner.add(pairs(8))
  const failed = await other.learner.learn()
  t.is(failed.outcome, 'failed')
  t.regex(failed.error!, /an evaluator that gives scores of items/)
  t.is(other.served.version, '1')
})

test('enough feedback starts a training, also that of a source, while requests are answered', async (t) => {
  const rounds: string[] = []
  let told: (() => void) | undefined
  const ended = new Promise<void>((resolve) => {
    told = resolve
  })
  async function* source() {
    yield pairs(5)
    yield pair(30)
    yield pairs(4, 40)
  }
  const { served, learner, vectors } = await started(t, {
    ...{ evaluator: judge([0.1, 0.2]), every: 10, source: source() },
    onRound: ({ outcome }) => {
      rounds.push(outcome)
      told!()
    },
  })
  const first = await vectors()
  let answers = 0
  while (rounds.length === 0) {
    const { version } = served
    const found = await vectors()
    if (version === '1' && served.version === '1') t.deepEqual(found, first)
    answers++
  }
  await ended
  t.true(answers > 1)
  t.deepEqual(rounds, ['swapped'])
  t.is(served.version, '2')
  t.is(learner.status().feedback, 10)
})

test('triplets and pairs are learned together, and prompts stand before the texts', async (t) => {
  const { learner } = await started(t, { evaluator: judge([0.1, 0.2]) })
  await learner.add([...pairs(6), ...pairs(6, 20).map((each, i) => ({ ...each, negative: `a ${word(i + 11)}` }))])
  t.like(await learner.learn(), { outcome: 'swapped', pairs: 12 })
})

test('with frozen documents queries alone learn, and the vectors of documents stay', async (t) => {
  const documents = await SentenceTransformer.load(await tinyFolder(join(await temporaryFolder(t), 'documents')))
  t.teardown(() => documents.dispose())
  const corpus = Array.from({ length: 20 }, (_, i) => pair(i).positive)
  const before = await documents.encodeDocument(corpus)
  const feedback = pairs(16)
  /** How much nearer a query is to its document than to the others: what the training is for. */
  const evaluator: evaluation.Evaluator = {
    async evaluate(model) {
      const queries = await model.encodeQuery(
        feedback.map(({ query }) => query),
        { normalizeEmbeddings: true },
      )
      const vectors = await model.encodeDocument(
        feedback.map(({ positive }) => positive),
        { normalizeEmbeddings: true },
      )
      const { data, shape } = await documents.similarity(queries, vectors)
      let lead = 0
      for (let i = 0; i < shape[0]; i++) {
        const row = data.subarray(i * shape[1], (i + 1) * shape[1])
        lead += row[i]! - row.reduce((sum, value) => sum + value, 0) / row.length
      }
      return { metrics: { lead: lead / shape[0] }, primaryMetric: 'lead' }
    },
  }
  const args = { ...FAST, numTrainEpochs: 20, learningRate: 3e-3 }
  const { learner } = await started(t, { evaluator, documents, corpus, args })
  await learner.add([...feedback, { ...pair(50), negative: 'the cat' }])
  const round = await learner.learn()
  t.is(round.outcome, 'swapped', JSON.stringify(round))
  t.true(round.after! > round.before! + 0.05, `${round.before} ${round.after}`)
  const after = await documents.encodeDocument(corpus)
  t.deepEqual(Buffer.from(after.data.buffer), Buffer.from(before.data.buffer))
})

test('a training that fails or is stopped leaves the version that serves, and the feedback', async (t) => {
  const failing: evaluation.Evaluator = { evaluate: () => Promise.reject(new Error('no gold')) }
  const one = await started(t, { evaluator: failing })
  await one.learner.add(pairs(8))
  t.like(await one.learner.learn(), { outcome: 'failed', error: 'no gold' })
  t.like(one.learner.status(), { version: '1', pending: 8, state: 'waiting' })

  const two = await started(t, { evaluator: judge([0.1, 0.2]), args: { ...FAST, numTrainEpochs: 10_000 } })
  await two.learner.add(pairs(8))
  const round = two.learner.learn()
  while (two.learner.status().state !== 'training') await new Promise((resolve) => setTimeout(resolve, 5))
  t.is(two.learner.learn() instanceof Promise, true)
  await two.learner.close()
  t.like(await round, { outcome: 'stopped' })
  await t.throwsAsync(two.learner.add(pair(1)), { code: 'ERR_DISPOSED' })
  const again = await started(t, { folder: two.folder, evaluator: judge([0.1, 0.2]) })
  t.is(again.learner.status().pending, 8)
})

test('a roll-back and trainings that are asked for meanwhile come one after the other', async (t) => {
  const { folder, served, learner, vectors } = await started(t, { evaluator: judge([1, 2, 3, 2, 4]) })
  const texts = new Map([['1', await vectors()]])
  for (const count of [6, 7]) {
    await learner.add(pairs(count))
    await learner.learn()
    texts.set(served.version, await vectors())
  }
  t.is(served.version, '3')
  await learner.add(pairs(5))
  const [back, round] = await Promise.all([learner.rollback(), learner.learn()])
  t.is(back, '2')
  t.like(round, { version: '4', from: '2', outcome: 'swapped', before: 2, after: 4 })
  t.like(learner.status(), { version: '4', previous: '2' })
  t.deepEqual((await readdir(join(folder, 'versions'))).sort(), ['v-2', 'v-4'])
  t.is(await learner.rollback(), '2')
  t.deepEqual(await vectors(), texts.get('2'))
})

test('no two versions have one name', async (t) => {
  const folder = join(await temporaryFolder(t), 'learner')
  const model = await SentenceTransformer.load(await tinyFolder(join(await temporaryFolder(t), 'tiny')))
  const served = new ServedModel(model, { version: '2' })
  const learner = await Learner.start({ served, folder, evaluator: judge([0, 1]), every: 0, args: FAST })
  t.teardown(async () => {
    await learner.dispose()
    await model.dispose()
  })
  await learner.add(pairs(8))
  t.like(await learner.learn(), { version: '3', from: '2', outcome: 'swapped' })
  void served.swap(model)
  t.is(served.version, '4')
})

test('feedback that comes during a training starts the next one, and what is told of rounds may throw', async (t) => {
  const seen: string[] = []
  const { learner } = await started(t, {
    ...{ evaluator: judge([0, 1, 2, 3]), every: 4 },
    onRound: ({ outcome }) => {
      seen.push(outcome)
      throw new Error('not ours')
    },
  })
  await learner.add(pairs(4))
  while (learner.status().state === 'waiting' && seen.length === 0)
    await new Promise((resolve) => setTimeout(resolve, 1))
  await learner.add(pairs(6, 20))
  while (learner.status().rounds.length < 2) await new Promise((resolve) => setTimeout(resolve, 5))
  await Promise.all([learner.close(), learner.close(), learner.dispose()])
  t.deepEqual(seen, ['swapped', 'swapped'])
  t.is(learner.status().pending, 0)
})

test.serial('a version that cannot be saved is a failure, and nothing of it is left elsewhere', async (t) => {
  const { folder, served, learner } = await started(t, { evaluator: judge([0, 1]) })
  await learner.add(pairs(8))
  // A file where the folder of version 2 would be.
  await mkdir(join(folder, 'versions'), { recursive: true })
  await writeFile(join(folder, 'versions', 'v-2'), '')
  const rescued = async () => (await readdir(tmpdir())).filter((name) => /^sentence-torch-[0-9a-f]{12}$/.test(name))
  const before = await rescued()
  const round = await learner.learn()
  t.is(round.outcome, 'failed')
  t.regex(round.error!, /v-2/)
  t.deepEqual(
    (await rescued()).filter((name) => !before.includes(name)),
    [],
  )
  t.is(served.version, '1')
  t.is(learner.status().rounds.length, 1)
})

test('a metric that is no number is a failure, and so many pairs at once are kept', async (t) => {
  const { learner } = await started(t, { evaluator: judge([Number.NaN, 1]) })
  const many = Array.from({ length: 150_000 }, () => pair(1))
  t.like(await learner.add(many), { accepted: 150_000, pending: 150_000 })
  const { learner: other } = await started(t, { evaluator: judge([Number.NaN, 1]) })
  await other.add(pairs(8))
  const round = await other.learn()
  t.is(round.outcome, 'failed')
  t.regex(round.error!, /score has to be a number, found NaN before and 1/)
})

test('a restart serves the version of the folder, also where another model has its name', async (t) => {
  const one = await started(t, { evaluator: judge([1, 0]) })
  await one.learner.add(pairs(8))
  t.like(await one.learner.learn(), { outcome: 'kept' })
  const first = await one.vectors()
  await one.learner.close()
  const model = await SentenceTransformer.load(await tinyFolder(join(await temporaryFolder(t), 'other'), 7))
  const served = new ServedModel(model)
  const learner = await Learner.start({ served, folder: one.folder, evaluator: judge([]), every: 0 })
  t.teardown(async () => {
    await learner.dispose()
    await model.dispose()
  })
  t.is(served.version, '1')
  t.deepEqual([...(await (served.model as SentenceTransformer).encode(TEXTS)).data], first)
})

test('feedback: a part of a line is forgotten, damage is told, and two learners do not share a folder', async (t) => {
  const { folder, learner } = await started(t, { evaluator: judge([]) })
  await learner.add(pairs(3))
  const other = await SentenceTransformer.load(await tinyFolder(join(await temporaryFolder(t), 'tiny')))
  t.teardown(() => other.dispose())
  const start = () => Learner.start({ served: new ServedModel(other), folder, evaluator: judge([]) })
  await t.throwsAsync(start(), { code: 'ERR_BUSY', message: /learns in/ })
  await learner.close()
  const file = join(folder, 'feedback.jsonl')
  await appendFile(file, '{"query":"a ca')
  const second = await start()
  t.is(second.status().feedback, 3)
  await second.add(pair(9))
  await second.close()
  t.is((await readFile(file, 'utf8')).split('\n').length, 5)
  await appendFile(file, '{"query":"a cat"}\n')
  await t.throwsAsync(start(), { code: 'ERR_INVALID_FILE', message: /feedback.jsonl:5/ })
  await writeFile(join(folder, 'state.json'), '{"format":2}')
  await writeFile(file, '')
  await t.throwsAsync(start(), { code: 'ERR_INVALID_FILE', message: /state.json/ })
})

test('what cannot be used is told', async (t) => {
  const { learner, served, model } = await started(t, { evaluator: judge([]) })
  for (const [feedback, message] of [
    [{ query: 'a cat' }, /positive/],
    [{ query: '', positive: 'a' }, /query/],
    [{ query: 'a', positive: 'b', negative: 3 }, /negative/],
    [{ query: 'a', positive: 'b', label: 1 }, /"label"/],
    [[pair(1), null], /feedback\[1\]/],
  ] as const) {
    await t.throwsAsync(learner.add(feedback as never), { code: 'ERR_INVALID_ARGUMENT', message })
  }
  t.is(learner.status().feedback, 0)
  const folder = await temporaryFolder(t)
  for (const [wrong, message] of [
    [{ served: model }, /served/],
    [{ evaluator: {} }, /evaluator/],
    [{ folder: '' }, /folder/],
    [{ every: -1 }, /every/],
    [{ documents: model }, /documents/],
    [{ corpus: ['a'] }, /corpus/],
    [{ args: { outputDir: 'x' } }, /outputDir/],
    [{ epochs: 3 }, /epochs/],
  ] as const) {
    const options = { served, folder, evaluator: judge([]), ...wrong } as unknown as LearnerOptions
    const error = await t.throwsAsync(Learner.start(options), { message })
    t.regex(String((error as { code?: string }).code), /ERR_INVALID_ARGUMENT|ERR_UNKNOWN_OPTION/)
  }
})
