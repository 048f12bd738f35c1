/** The training of a version on feedback. */
import { join } from 'node:path'
import { Dataset } from '../../data/dataset.js'
import type { Loss } from '../../losses/loss.js'
import { MultipleNegativesRankingLoss } from '../../losses/multiple-negatives-ranking.js'
import type { SentenceTransformer } from '../../models/sentence-transformer.js'
import { type PartialTrainingArguments, SentenceTransformerTrainer } from '../../training/index.js'
import type { Feedback } from './feedback.js'
import type { FrozenDocuments } from './frozen-documents.js'
import type { LearnerSettings } from './options.js'
import { towerRows } from './query-tower.js'
import { queryTowerLoss } from './query-tower-loss.js'

const ARGUMENTS = {
  ...{ perDeviceTrainBatchSize: 16, learningRate: 2e-5, numTrainEpochs: 1, warmupSteps: 0.1 },
  ...{ saveStrategy: 'no', reportTo: 'none' },
} satisfies PartialTrainingArguments
/** The documents stay where they are, so that queries may move far. */
const TOWER_ARGUMENTS = { perDeviceTrainBatchSize: 32, learningRate: 1e-4, numTrainEpochs: 3 }

/** Trains `model` in place. Its prompts stand before the texts, as they do when it serves. */
export async function learn(
  model: SentenceTransformer,
  pairs: readonly Feedback[],
  { corpus, loss, args, folder }: Pick<LearnerSettings, 'corpus' | 'loss' | 'args' | 'folder'>,
  { documents, signal, round }: { documents: FrozenDocuments | undefined; signal: AbortSignal; round: number },
): Promise<void> {
  const outputDir = join(folder, 'training')
  const seed = args.seed ?? 42 + round
  const parts: { trainDataset: Record<string, Dataset>; loss: Loss } =
    documents === undefined
      ? { trainDataset: textRows(pairs), loss: loss?.() ?? new MultipleNegativesRankingLoss() }
      : { trainDataset: await towerRows(model, documents, pairs, { corpus, seed, signal }), loss: queryTowerLoss() }
  const [only, ...others] = Object.values(parts.trainDataset)
  const columns = new Set(Object.values(parts.trainDataset).flatMap(({ columnNames }) => columnNames))
  const trainer = new SentenceTransformerTrainer({
    model,
    trainDataset: others.length === 0 ? only! : parts.trainDataset,
    loss: parts.loss,
    args: {
      ...ARGUMENTS,
      ...(documents !== undefined && TOWER_ARGUMENTS),
      ...(loss === null && { batchSampler: 'no_duplicates' }),
      prompts: promptsOf(model, columns),
      ...args,
      ...{ outputDir, loggingDir: outputDir, seed },
    },
    progress: false,
  })
  await trainer.train({ signal })
}

/** Pairs, and triplets: data sets of their own, because a batch has one kind of row. */
function textRows(pairs: readonly Feedback[]): Record<string, Dataset> {
  const triplets = pairs.filter(({ negative }) => negative !== undefined)
  const others = pairs.filter(({ negative }) => negative === undefined)
  return {
    ...(others.length > 0 && { pairs: Dataset.fromRows(others.map(({ query, positive }) => ({ query, positive }))) }),
    ...(triplets.length > 0 && {
      triplets: Dataset.fromRows(triplets.map(({ query, positive, negative }) => ({ query, positive, negative }))),
    }),
  }
}

/** Names of prompts for documents, as sentence-transformers looks for them. */
const DOCUMENT = ['document', 'passage', 'corpus']

function promptsOf({ prompts }: SentenceTransformer, columns: ReadonlySet<string>): Record<string, string> | null {
  const name = DOCUMENT.find((each) => Object.hasOwn(prompts, each))
  const ofDocuments = name === undefined ? '' : prompts[name]!
  const all = { query: prompts.query ?? '', positive: ofDocuments, negative: ofDocuments }
  const used = Object.entries(all).filter(([column, prompt]) => prompt !== '' && columns.has(column))
  return used.length === 0 ? null : Object.fromEntries(used)
}
