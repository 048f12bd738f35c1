// Cards of trained models against those that sentence-transformers writes for the same runs, section by section.
import { readFileSync } from 'node:fs'
import { cp, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import { parse } from 'yaml'
import {
  CrossEncoder,
  CrossEncoderTrainer,
  crossEncoderLosses,
  Dataset,
  evaluation,
  losses,
  MultiVectorEncoder,
  MultiVectorEncoderTrainer,
  multiVectorLosses,
  SentenceTransformer,
  SentenceTransformerTrainer,
  SparseEncoder,
  SparseEncoderTrainer,
} from '../../lib/index.js'
import { CITATIONS } from '../../lib/models/card/citations.js'
import { lossFacts } from '../../lib/training/card/loss-facts.js'
import { temporaryFolder } from '../helpers/model-folders.js'

const GOLDEN = fileURLToPath(new URL('../../../test/parity/golden/', import.meta.url))
const read = (name: string) => readFileSync(join(GOLDEN, 'model-card', name), 'utf8')
const { rows, pairs } = JSON.parse(read('rows.json')) as { rows: Columns; pairs: Columns }
type Columns = Record<string, (string | number)[]>

/** Those of make_model_cards.py. */
const args = (outputDir: string) => ({
  ...{
    outputDir,
    numTrainEpochs: 2,
    perDeviceTrainBatchSize: 4,
    learningRate: 1e-4,
    warmupSteps: 0.1,
    loggingSteps: 2,
  },
  ...{ evalStrategy: 'steps' as const, evalSteps: 3, saveStrategy: 'no' as const, disableTqdm: true, seed: 7 },
})

async function copied(t: ExecutionContext, model: string): Promise<string> {
  const folder = join(await temporaryFolder(t), 'model')
  await cp(join(GOLDEN, model), folder, { recursive: true })
  return folder
}

/** The card of our run. */
async function sentenceTransformerCard(t: ExecutionContext, changes: object = {}): Promise<string> {
  const folder = await copied(t, 'merging/one')
  const model = await SentenceTransformer.load(folder)
  const data = Dataset.fromColumns(rows)
  const { sentence1, sentence2, score } = rows as { sentence1: string[]; sentence2: string[]; score: number[] }
  const trainer = new SentenceTransformerTrainer({
    ...{ model, trainDataset: data, evalDataset: data.head(6), loss: new losses.CoSENTLoss(), progress: false },
    args: { ...args(join(folder, '..', 'out')), ...changes },
    evaluator: new evaluation.EmbeddingSimilarityEvaluator({
      ...{ sentences1: sentence1, sentences2: sentence2, scores: score, name: 'sts-dev' },
    }),
  })
  await trainer.train()
  await model.save(folder)
  await model.dispose()
  return readFile(join(folder, 'README.md'), 'utf8')
}

async function crossEncoderCard(t: ExecutionContext): Promise<string> {
  const folder = await copied(t, 'cross-encoder/one')
  const model = await CrossEncoder.load(folder)
  const data = Dataset.fromColumns(pairs)
  const loss = new crossEncoderLosses.BinaryCrossEntropyLoss()
  const trainer = new CrossEncoderTrainer({
    ...{
      model,
      trainDataset: data,
      evalDataset: data.head(6),
      loss,
      progress: false,
      args: args(join(folder, '..', 'out')),
    },
  })
  await trainer.train()
  await model.save(folder)
  await model.dispose()
  return readFile(join(folder, 'README.md'), 'utf8')
}

/** The rows of SparseEncoder and MultiVectorEncoder. */
const questions = Dataset.fromColumns({ question: rows.sentence1!, passage: rows.sentence2! })

async function sparseEncoderCard(t: ExecutionContext, model: string, changes: object = {}): Promise<string> {
  const folder = await copied(t, model)
  await using encoder = await SparseEncoder.load(folder)
  const { sentence1, sentence2, score } = rows as { sentence1: string[]; sentence2: string[]; score: number[] }
  const trainer = new SparseEncoderTrainer({
    ...{ model: encoder, trainDataset: questions, evalDataset: questions.head(6), progress: false },
    loss: new losses.SpladeLoss({
      ...{ loss: new losses.SparseMultipleNegativesRankingLoss(), documentRegularizerWeight: 3e-3 },
      ...{ queryRegularizerWeight: 5e-3, documentRegularizerThreshold: 4 },
    }),
    args: { ...args(join(folder, '..', 'out')), ...changes },
    evaluator: new evaluation.SparseEmbeddingSimilarityEvaluator({
      ...{ sentences1: sentence1, sentences2: sentence2, scores: score, name: 'sts-dev' },
    }),
  })
  await trainer.train()
  await encoder.save(folder)
  return readFile(join(folder, 'README.md'), 'utf8')
}

async function multiVectorCard(t: ExecutionContext): Promise<string> {
  const folder = await copied(t, 'multi-vector-losses/model')
  await using model = await MultiVectorEncoder.load(folder)
  const texts = Object.fromEntries([...new Set(rows.sentence1 as string[])].map((text, i) => [String(i), text]))
  const relevantDocs = Object.fromEntries(Object.keys(texts).map((id) => [id, [id]]))
  const trainer = new MultiVectorEncoderTrainer({
    ...{ model, trainDataset: questions, evalDataset: questions.head(6), progress: false },
    loss: new multiVectorLosses.MultiVectorMultipleNegativesRankingLoss(),
    args: args(join(folder, '..', 'out')),
    evaluator: new evaluation.MultiVectorInformationRetrievalEvaluator({
      ...{ queries: texts, corpus: texts, relevantDocs, name: 'same' },
    }),
  })
  await trainer.train()
  await model.save(folder)
  return readFile(join(folder, 'README.md'), 'utf8')
}

const headOf = (card: string) => parse(/^---\n([\s\S]*?)\n---\n/.exec(card)![1]!) as Record<string, unknown>
/** Headings outside of comments, in their order. */
const headings = (card: string) =>
  card
    .replace(/<!--[\s\S]*?-->/g, '')
    .replace(/```[\s\S]*?```/g, '')
    .match(/^#{1,4} .*$/gm)!
/** The text below a heading, up to the next of its level or above. */
function section(card: string, heading: string): string {
  const level = /^#+/.exec(heading)![0].length
  const [, rest = ''] = card.split(`\n${heading}\n`, 2)
  return rest.split(new RegExp(`^#{1,${level}} |^<!--\n`, 'm'))[0]!.trim()
}
/** Items of the list of hyperparameters, by name. */
const items = (text: string) =>
  new Map([...text.matchAll(/^- `(\w+)`: (.*)$/gm)].map(([, name, value]) => [name, value]))
/** A section without the parameters of the loss, which are compared as JSON; and without padding of tables. */
const withoutJson = (text: string) =>
  text
    .replace(/```json[\s\S]*?```/g, '')
    .replace(/ +\|/g, ' |')
    .replace(/\|:-+:?/g, '|:-')
const jsonOf = (text: string) =>
  [...text.matchAll(/```json\n([\s\S]*?)```/g)].map(([, json]) => JSON.parse(json!) as unknown)
/** Sections of ours that Python's card has not. */
const OWN = ['### Direct Usage (sentence-torch, Node)']

async function compare(t: ExecutionContext, ours: string, python: string): Promise<void> {
  const [own, theirs] = [headOf(ours), headOf(python)]
  t.deepEqual(Object.keys(own), Object.keys(theirs))
  for (const key of ['tags', 'pipeline_tag', 'library_name', 'metrics']) t.deepEqual(own[key], theirs[key], key)
  t.deepEqual(
    headings(ours).filter((heading) => !OWN.includes(heading)),
    headings(python),
  )
  for (const heading of ['### Model Description', '### Model Sources', '### Full Model Architecture']) {
    t.is(section(ours, heading), section(python, heading), heading)
  }
  // Python's templates leave more spaces and lines here than are shown.
  const introduction = (card: string) =>
    card.split('\n## Model Details')[0]!.split('\n---\n')[1]!.replace(/ +/g, ' ').trimEnd()
  t.is(introduction(ours), introduction(python))
  for (const heading of ['### Training Dataset', '### Evaluation Dataset']) {
    t.is(withoutJson(section(ours, heading)), withoutJson(section(python, heading)), heading)
  }
  const changed = items(section(ours, '#### Non-Default Hyperparameters'))
  const theirChanged = items(section(python, '#### Non-Default Hyperparameters'))
  // Python's are of its own machine: there is no other device here, and no memory to pin.
  for (const name of ['use_cpu', 'dataloader_pin_memory']) theirChanged.delete(name)
  t.deepEqual([...changed].sort(), [...theirChanged].sort())
  const [all, theirAll] = [ours, python].map((card) => items(section(card, '#### All Hyperparameters')))
  const same = [...all!].filter(([name]) => theirAll!.has(name))
  t.true(same.length > 30, `${same.length} arguments`)
  // Where both have an argument they say the same of it, but for
  // `warmup_ratio`, of which 0 and None mean the same. Python's floats without a fraction have one.
  const plain = (value: string | undefined) => (Number.isNaN(Number(value)) ? value : String(Number(value)))
  const others = same.filter(([name, value]) => plain(theirAll!.get(name!)) !== plain(value))
  t.deepEqual(others.map(([name]) => name).sort(), ['warmup_ratio'])
}

/** What Python says of the losses' options, but for those that are not built; a loss inside has its class alone. */
function comparePartOfJson(t: ExecutionContext, ours: string, python: string): void {
  const found = jsonOf(ours) as Record<string, unknown>[]
  const wanted = jsonOf(python) as Record<string, unknown>[]
  t.is(found.length, wanted.length)
  for (const [i, options] of wanted.entries()) {
    for (const name of ['mini_batch_size', 'score_mini_batch_size']) delete options[name]
    if (typeof options.loss === 'string') options.loss = options.loss.replace(/\(.*$/, '')
    t.like(found[i]!, options)
  }
}

/** The metrics of the section and of the head, and the heads of the training's log; not the values, which dropout decides. */
function compareEvaluation(t: ExecutionContext, ours: string, python: string): void {
  const names = (card: string) => withoutJson(section(card, '## Evaluation')).replace(/[-*.\d]+/g, '0')
  t.is(names(ours), names(python))
  const results = (card: string) => JSON.stringify(headOf(card)['model-index']).replace(/"value":[^,}]+/g, '')
  t.is(results(ours), results(python))
  const firstLine = (card: string) => section(card, '### Training Logs').split('\n')[0]
  t.is(firstLine(ours), firstLine(python))
}

test("the card of a SentenceTransformer has the sections and facts of Python's", async (t) => {
  const [ours, python] = [await sentenceTransformerCard(t), read('sentence-transformer.md')]
  await compare(t, ours, python)
  for (const [mine, theirs] of [[jsonOf(ours), jsonOf(python)]]) t.deepEqual(mine, theirs)
  t.is(
    withoutJson(section(ours, '## Evaluation')).replace(/[-*.\d]+/g, '0'),
    withoutJson(section(python, '## Evaluation')).replace(/[-*.\d]+/g, '0'),
  )
  const results = (card: string) =>
    (
      headOf(card)['model-index'] as {
        results: { task: object; dataset: object; metrics: { type: string; name: string; value: number }[] }[]
      }[]
    )[0]!.results
  const [[mine], [theirs]] = [results(ours), results(python)]
  t.deepEqual([mine!.task, mine!.dataset], [theirs!.task, theirs!.dataset])
  for (const [i, metric] of mine!.metrics.entries()) {
    const { value, ...rest } = theirs!.metrics[i]!
    t.like(metric, rest)
    t.true(Math.abs(metric.value - value) < 0.05, `${metric.type} ${metric.value} for ${value}`)
  }
  // Dropout differs, the first columns do not.
  const logs = (card: string) =>
    section(card, '### Training Logs')
      .split('\n')
      .map((line) =>
        line
          .split('|')
          .slice(1, 3)
          .map((cell) => cell.trim()),
      )
  t.deepEqual(
    logs(ours).filter((_, i) => i !== 1),
    logs(python).filter((_, i) => i !== 1),
  )
  t.is(section(ours, '### Training Logs').split('\n')[0], section(python, '### Training Logs').split('\n')[0])
  t.is(section(ours, '#### CoSENTLoss'), section(python, '#### CoSENTLoss'))
})

test("the card of a CrossEncoder has the sections and facts of Python's", async (t) => {
  const [ours, python] = [await crossEncoderCard(t), read('cross-encoder.md')]
  await compare(t, ours, python)
  const pairsOf = (card: string) => /```python\n[\s\S]*?pairs = \[\n([\s\S]*?)\n\]/.exec(card)![1]
  t.is(pairsOf(ours), pairsOf(python))
  const rankOf = (card: string) => /# Or rank different[\s\S]*?```/.exec(card)![0]
  t.is(rankOf(ours), rankOf(python))
})

const SPARSE: Record<string, () => [model: string, changes?: object]> = {
  'sparse-encoder': () => ['sparse/bert'],
  'sparse-router': () => ['sparse-router/learned', { routerMapping: { question: 'query', passage: 'document' } }],
}
for (const [name, run] of Object.entries(SPARSE)) {
  test(`${name}: the card has the sections and facts of Python's`, async (t) => {
    const [ours, python] = [await sparseEncoderCard(t, ...run()), read(`${name}.md`)]
    await compare(t, ours, python)
    comparePartOfJson(t, ours, python)
    compareEvaluation(t, ours, python)
    t.is(section(ours, '#### SpladeLoss'), section(python, '#### SpladeLoss'))
  })
}

test("the card of a MultiVectorEncoder has the sections and facts of Python's", async (t) => {
  const [ours, python] = [await multiVectorCard(t), read('multi-vector-encoder.md')]
  await compare(t, ours, python)
  comparePartOfJson(t, ours, python)
  compareEvaluation(t, ours, python)
})

test('citations are those of the losses of sentence-transformers', (t) => {
  const python = JSON.parse(read('citations.json')) as Record<string, string>
  t.deepEqual(Object.fromEntries([...CITATIONS].sort()), Object.fromEntries(Object.entries(python).sort()))
})

test('the citation of multiple negatives ranking depends on its directions, as in sentence-transformers', (t) => {
  const python = JSON.parse(read('ranking-citations.json')) as {
    MultipleNegativesRankingLoss: (losses.MultipleNegativesRankingLossOptions & { citation: string })[]
    MultipleNegativesSymmetricRankingLoss: string
  }
  const cited = python.MultipleNegativesRankingLoss.map(({ citation, ...options }) => {
    t.deepEqual(lossFacts([new losses.MultipleNegativesRankingLoss(options)]), [
      { name: 'MultipleNegativesRankingLoss', citation },
    ])
    return citation
  })
  t.is(new Set(cited).size, 3)
  t.is(
    lossFacts([new losses.MultipleNegativesSymmetricRankingLoss()])[0]!.citation,
    python.MultipleNegativesSymmetricRankingLoss,
  )
})

test('checkpoints have the card, the best one is marked, and a model without training keeps the short card', async (t) => {
  const folder = await copied(t, 'merging/one')
  const model = await SentenceTransformer.load(folder)
  await model.save(join(folder, 'plain'))
  t.notRegex(await readFile(join(folder, 'plain', 'README.md'), 'utf8'), /Training Details/)
  const data = Dataset.fromColumns(rows)
  const outputDir = join(folder, 'out')
  const trainer = new SentenceTransformerTrainer({
    ...{ model, trainDataset: { sts: data, 'two | three': data }, evalDataset: data, progress: false },
    args: {
      ...args(outputDir),
      saveStrategy: 'steps',
      saveSteps: 3,
      loadBestModelAtEnd: true,
      metricForBestModel: 'loss',
    },
  })
  await trainer.train()
  const checkpoint = await readFile(join(outputDir, 'checkpoint-3', 'README.md'), 'utf8')
  t.regex(checkpoint, /### Training Logs/)
  t.notRegex(checkpoint, /saved checkpoint/)
  await model.save(join(folder, 'trained'))
  const card = await readFile(join(folder, 'trained', 'README.md'), 'utf8')
  t.regex(card, new RegExp(`\\| \\*\\*${trainer.state.bestGlobalStep}\\*\\* +\\|`))
  t.regex(card, /The bold row denotes the saved checkpoint/)
  t.regex(card, /trained on the sts and two \| three datasets\./)
  t.deepEqual(
    (headOf(card).tags as string[]).filter((tag) => tag.startsWith('dataset_size')),
    ['dataset_size:24'],
  )
  await model.dispose()
})
