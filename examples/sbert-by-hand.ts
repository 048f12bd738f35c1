// The first SBERT (Reimers and Gurevych 2019, https://arxiv.org/abs/1908.10084) with its training loop written out: a classifier over
// (u, v, |u − v|) tells whether a premise entails a hypothesis (0), neither (1) or contradicts it (2). After `npm run build`:
//
//     node dist/examples/sbert-by-hand.js MODEL OUTPUT snli.jsonl mnli.jsonl
//
// The recipe `softmax` does the same with the Trainer (docs/recipes/softmax.md).
import { fileURLToPath } from 'node:url'
import { Dataset, recipes, SentenceTransformer } from 'sentence-torch'
import {
  cat,
  crossEntropy,
  forward,
  optim,
  parameter,
  rand,
  schedules,
  scope,
  type Tensor,
  tensor,
} from 'sentence-torch/tensor'

const CLASSES = 3
const BATCH = 16
const LEARNING_RATE = 2e-5

/** What torch's nn.Linear starts from: evenly between ±1 / √inputs. */
export function classifier(inputs: number, seed = 0) {
  const bound = 1 / Math.sqrt(inputs)
  return scope(() => {
    const even = (shape: number[], own: number) => parameter(rand(shape, own).mul(2).sub(1).mul(bound))
    return { weight: even([CLASSES, inputs], seed), bias: even([CLASSES], seed + 1) }
  })
}

/**
 * One pass over the rows, in their order.
 * @param dataset columns `premise`, `hypothesis` and `label`
 * @param onLoss gets the mean loss of every `every` steps
 */
export async function train(
  model: SentenceTransformer,
  dataset: Dataset,
  head: { weight: Tensor; bias: Tensor },
  onLoss: (step: number, loss: number) => void,
  every = 100,
): Promise<void> {
  const [premises, hypotheses] = [dataset.texts('premise'), dataset.texts('hypothesis')]
  const labels = dataset.labels() as number[]
  const totalSteps = Math.ceil(dataset.length / BATCH)
  const parameters = { 'classifier.weight': head.weight, 'classifier.bias': head.bias }
  const optimizer = new optim.AdamW(model, { lr: LEARNING_RATE, weightDecay: 0, maxGradNorm: 1, parameters })
  const schedule = schedules.linear(optimizer, { warmupSteps: Math.ceil(totalSteps * 0.1), totalSteps })
  let sum = 0
  for (let step = 1; step <= totalSteps; step++) {
    const [from, to] = [(step - 1) * BATCH, step * BATCH]
    const texts = [premises.slice(from, to), hypotheses.slice(from, to)]
    const features = await Promise.all(texts.map((column) => model.tokenize(column)))
    // Whatever is made in a scope is gone at its end.
    sum += await scope(async () => {
      const [u, v] = forward(model, features) as [Tensor, Tensor]
      const logits = cat([u, v, u.sub(v).abs()], 1)
        .matmul(head.weight.transpose())
        .add(head.bias)
      const loss = crossEntropy(logits, tensor(labels.slice(from, to), { dtype: 'int64' }))
      await loss.backward()
      await optimizer.step()
      return loss.item()
    })
    schedule.step()
    if (step % every === 0) {
      onLoss(step, sum / every)
      sum = 0
    }
  }
  await optimizer.dispose()
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [path, output, ...files] = process.argv.slice(2)
  if (path === undefined || output === undefined || files.length === 0) {
    console.error('Usage: node dist/examples/sbert-by-hand.js MODEL OUTPUT snli.jsonl mnli.jsonl')
    process.exit(2)
  }
  // One dataset of all files; rows without a gold label (-1) are dropped.
  const datasets = await Promise.all(files.map((file) => Dataset.fromFile(file)))
  const { dataset, dropped } = await recipes.nliRows(datasets)
  console.log(`${dataset.length} rows, ${dropped} without a label left out`)
  const model = await SentenceTransformer.load(path)
  const head = classifier(3 * model.embeddingDimension)
  await train(model, await dataset.shuffle(42), head, (step, loss) =>
    console.log(`step ${step}: loss ${loss.toFixed(4)}`),
  )
  await model.save(output)
  await model.dispose()
}
