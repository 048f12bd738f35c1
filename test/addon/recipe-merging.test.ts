import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import { evaluation, recipes, SentenceTransformer } from '../../lib/index.js'
import { RunFolder } from '../../lib/report/run-folder.js'
import { temporaryFolder } from '../helpers/model-folders.js'

const GOLDEN = fileURLToPath(new URL('../../../test/parity/golden/merging/', import.meta.url))
const [base, one, two] = ['base', 'one', 'two'].map((name) => join(GOLDEN, name)) as [string, string, string]

/** Scores that the models find themselves in: those of `truth`. */
async function evaluatorOf(truth: SentenceTransformer) {
  const words = [
    'the cat sat',
    'a dog runs',
    'fast cats',
    'slow dogs on a mat',
    'the mat',
    'not fast , slow',
    'a cat .',
    'on the dog',
  ]
  const pairs = words.flatMap((a, i) => words.slice(i + 1).map((b) => [a, b] as const))
  const [first, second] = [0, 1].map((side) => pairs.map((pair) => pair[side]!)) as [string[], string[]]
  const scores = truth.similarityPairwise(await truth.encode(first), await truth.encode(second))
  return new evaluation.EmbeddingSimilarityEvaluator({
    sentences1: first,
    sentences2: second,
    scores: [...scores],
    name: 'dev',
  })
}

async function run(t: ExecutionContext, options: Partial<recipes.MergingOptions>) {
  return recipes.merging({ model: base, models: [one, two], outputDir: await temporaryFolder(t), ...options })
}

test('the merge that is best on dev is kept, and the report has all of them', async (t) => {
  const parameters = { ties: { density: 0.3 } } as const
  await using truth = await SentenceTransformer.merge([one, two], 'ties', {
    baseModel: base,
    parameters: parameters.ties,
  })
  const { metrics, notes, model, folder } = await run(t, { dev: await evaluatorOf(truth), parameters })
  t.true(notes.some((note) => note.startsWith('Kept is ties, the best merge on dev')))
  t.is(metrics[0]!.name, 'dev_spearman_cosine')
  t.true(metrics[0]!.before < 1)
  t.true(metrics[0]!.after > 1 - 1e-9)
  await using kept = await SentenceTransformer.load(model)
  t.deepEqual((await kept.encode(['the cat'])).data, (await truth.encode(['the cat'])).data)
  const { manifest, figures } = await RunFolder.read(folder)
  t.is(manifest.state, 'finished')
  const table = figures.get('merges') as unknown as { rows: unknown[][] }
  t.deepEqual(
    table.rows.map(([name]) => name),
    [one, two, 'linear', 'slerp', 'task_arithmetic', 'ties', 'model_stock'],
  )
})

test('what does not fit is refused before anything is written', async (t) => {
  const refused = async (options: object, message: RegExp) => {
    const folder = join(await temporaryFolder(t), 'run')
    await t.throwsAsync(run(t, { outputDir: folder, ...options }), { message })
    await t.throwsAsync(RunFolder.read(folder), undefined, String(message))
  }
  await refused({}, /dev is needed/)
  await refused({ models: [one], methods: ['linear'] }, /at least two/)
  await refused({ methods: ['lineer'] }, /did you mean linear/)
  await refused({ methods: ['linear'], args: { maxSteps: 1 } }, /nothing is trained/)
  await refused({ methods: ['linear'], parameters: { ties: {} } }, /a method that is not tried/)
  await refused({ methods: ['linear'], parameters: { linear: 1 } }, /parameters\.linear/)
})
