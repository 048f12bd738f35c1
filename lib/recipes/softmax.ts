import type { Dataset } from '../data/dataset.js'
import { LabelAccuracyEvaluator } from '../evaluation/label-accuracy.js'
import { SoftmaxLoss } from '../losses/softmax.js'
import { needed, optionValues } from '../options/kinds.js'
import { SentenceTransformerTrainer } from '../training/index.js'
import { NLI_LABELS, nliRows } from './nli-rows.js'
import {
  COMMON,
  type DataOption,
  described,
  type Recipe,
  type RecipeContext,
  type RecipeOptions,
  type RecipeResult,
  type RecipeTable,
  severalData,
} from './recipe.js'
import { runRecipe } from './run-recipe.js'

export interface SoftmaxOptions extends RecipeOptions {
  /** NLI rows: columns `premise`, `hypothesis` and `label` (0 entailment, 1 neutral, 2 contradiction). */
  train: DataOption | readonly DataOption[]
  /** Such rows for the accuracy of the classifier. Default: none. */
  testNli?: DataOption | readonly DataOption[]
}

const OPTIONS = {
  ...COMMON,
  train: described(needed(severalData(undefined)), 'NLI rows: `premise`, `hypothesis`, `label`'),
  testNli: described(severalData(undefined), 'Such rows, held out, for the accuracy of the classifier'),
} satisfies RecipeTable<SoftmaxOptions>

/**
 * The first SBERT: a classifier over (u, v, |u − v|) tells whether a hypothesis follows from a premise, contradicts it, or neither.
 * It teaches a plain BERT what sentences mean. A model that is good already loses by it, and `multipleNegatives` makes a better
 * model of the same data.
 *
 * Paper: Reimers and Gurevych 2019, https://arxiv.org/abs/1908.10084.
 */
export async function softmax(options: SoftmaxOptions, context: RecipeContext = {}): Promise<RecipeResult> {
  const given = optionValues('softmax', options, OPTIONS)
  return runRecipe('softmax', given, context, async (run) => {
    // 1. Data: SNLI, MultiNLI, … as one, without the rows on which the annotators did not agree.
    const train = await nliRows(await run.datasets(given.train))
    run.count('rows', train.dataset.length)
    run.count('rowsWithoutLabel', train.dropped)
    const test =
      given.testNli === undefined ? undefined : (await nliRows(await run.datasets(given.testNli, 'test'))).dataset

    // 2. The model and its trainer, which checks all arguments before anything is measured. A plain BERT is pooled by the mean; one
    // epoch in batches of 16, as in the paper.
    const model = await run.loadModel()
    const loss = new SoftmaxLoss({ numLabels: NLI_LABELS.length })
    const trainer = new SentenceTransformerTrainer({
      model,
      trainDataset: train.dataset,
      loss,
      ...run.training({ perDeviceTrainBatchSize: 16, learningRate: 2e-5, warmupSteps: 0.1 }),
    })

    // 3. The model as it is, and training.
    await run.before(model)
    const { lossTensors } = await run.train(trainer)

    // 4. The model as it has become, and the classifier, which is no part of it.
    await run.after(model)
    if (test === undefined) {
      run.note('The classifier was not measured: there are no testNli rows.')
      return
    }
    const pairs = { sentences1: test.texts('premise'), sentences2: test.texts('hypothesis') }
    const labels = test.labels() as number[]
    const evaluator = new LabelAccuracyEvaluator({ ...pairs, labels, loss, lossTensors, name: 'nli' })
    const { metrics } = await evaluator.evaluate(model, { signal: run.signal })
    const before = shareOfLargestClass(test)
    run.metric({
      ...{ name: 'nli_accuracy', evaluator: 'nli', data: 'test', higherIsBetter: true },
      ...{ before, after: metrics.nli_accuracy! },
    })
    run.note(
      'nli_accuracy before training is the share of the most frequent class, because there is no classifier yet.',
    )
  })
}

function shareOfLargestClass(dataset: Dataset): number {
  const counts = NLI_LABELS.map((_, label) => dataset.labels()!.filter((found) => found === label).length)
  return Math.max(...counts) / dataset.length
}

export const RECIPE: Recipe = {
  name: 'softmax',
  summary: 'NLI pairs: the classifier of the first SBERT, which makes sentence embeddings of a plain BERT',
  options: OPTIONS,
  run: softmax,
}
