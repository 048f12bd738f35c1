// Multiple negatives ranking on NLI with its training loop written out: a premise is to be closer to the hypothesis that it entails than
// to all others of the batch, and to one that contradicts it. After `npm run build`:
//
//     node dist/examples/mnr-by-hand.js MODEL OUTPUT snli.jsonl mnli.jsonl
//
// The recipe `multipleNegatives` does the same with the Trainer (docs/recipes/multiple-negatives.md).
// Papers: Henderson et al. 2017, https://arxiv.org/abs/1705.00652; Gao et al. 2021, https://arxiv.org/abs/2104.08821.
import { fileURLToPath } from 'node:url'
import { Dataset, recipes, SentenceTransformer } from 'sentence-torch'
import { arange, cat, crossEntropy, forward, optim, schedules, scope, type Tensor } from 'sentence-torch/tensor'

const BATCH = 32
const SCALE = 20
const LEARNING_RATE = 2e-5
const COLUMNS = ['anchor', 'positive', 'negative']

/** Row numbers of batches in which no text stands twice: it would be a negative of a row whose positive it is. */
export function batchesWithoutDuplicates(dataset: Dataset): number[][] {
  const columns = COLUMNS.map((name) => dataset.texts(name))
  let waiting = Array.from({ length: dataset.length }, (_, row) => row)
  const batches: number[][] = []
  while (waiting.length > 0) {
    const [batch, texts, left]: [number[], Set<string>, number[]] = [[], new Set(), []]
    for (const row of waiting) {
      const own = columns.map((column) => column[row]!)
      if (batch.length === BATCH || own.some((text) => texts.has(text))) left.push(row)
      else {
        batch.push(row)
        for (const text of own) texts.add(text)
      }
    }
    batches.push(batch)
    waiting = left
  }
  return batches
}

/**
 * One pass over the rows.
 * @param dataset columns `anchor`, `positive` and `negative`
 * @param onLoss gets the mean loss of every `every` steps
 */
export async function train(
  model: SentenceTransformer,
  dataset: Dataset,
  onLoss: (step: number, loss: number) => void,
  every = 100,
): Promise<void> {
  const columns = COLUMNS.map((name) => dataset.texts(name))
  const batches = batchesWithoutDuplicates(dataset)
  const optimizer = new optim.AdamW(model, { lr: LEARNING_RATE, weightDecay: 0, maxGradNorm: 1 })
  const totalSteps = batches.length
  const schedule = schedules.linear(optimizer, { warmupSteps: Math.ceil(totalSteps * 0.1), totalSteps })
  let sum = 0
  for (const [i, rows] of batches.entries()) {
    const features = await Promise.all(columns.map((column) => model.tokenize(rows.map((row) => column[row]!))))
    sum += await scope(async () => {
      const [anchors, ...documents] = forward(model, features) as [Tensor, ...Tensor[]]
      // Row i of the scores: anchor i with all positives, then with all negatives. Its own positive is number i.
      const scores = anchors.normalize().matmul(cat(documents).normalize().transpose()).mul(SCALE)
      const loss = crossEntropy(scores, arange(0, rows.length))
      await loss.backward()
      await optimizer.step()
      return loss.item()
    })
    schedule.step()
    if ((i + 1) % every === 0) {
      onLoss(i + 1, sum / every)
      sum = 0
    }
  }
  await optimizer.dispose()
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [path, output, ...files] = process.argv.slice(2)
  if (path === undefined || output === undefined || files.length === 0) {
    console.error('Usage: node dist/examples/mnr-by-hand.js MODEL OUTPUT snli.jsonl mnli.jsonl')
    process.exit(2)
  }
  const { dataset: rows } = await recipes.nliRows(await Promise.all(files.map((file) => Dataset.fromFile(file))))
  const { dataset } = await recipes.nliPairs(rows, { negatives: 'hard' })
  console.log(`${dataset.length} entailed pairs whose premise also has a contradiction`)
  const model = await SentenceTransformer.load(path)
  await train(model, await dataset.shuffle(42), (step, loss) => console.log(`step ${step}: loss ${loss.toFixed(4)}`))
  await model.save(output)
  await model.dispose()
}
