// Every recipe with data of the tiny model's words: a run takes a second.
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Dataset, evaluation } from '../../lib/index.js'
import { tinyFolder, tinyWords } from './tiny-folder.js'

const golden = (path: string) => fileURLToPath(new URL(`../../../test/parity/golden/${path}`, import.meta.url))

const word = (i: number) => tinyWords[i % tinyWords.length]!
const sentence = (i: number) => `${word(i)} ${word(i * 7 + 1)} is ${word(i * 3 + 2)} ${word(i + 9)}`
const range = (count: number) => Array.from({ length: count }, (_, i) => i)

const pairs = () => range(32).map((i) => ({ anchor: sentence(i), positive: `the ${sentence(i)}` }))
const scored = () => range(32).map((i) => ({ sentence1: sentence(i), sentence2: sentence(i * 5), score: (i % 6) / 5 }))
const nli = () => range(32).map((i) => ({ premise: sentence(i), hypothesis: sentence(i * 3), label: i % 3 }))
const sentences = () => range(32).map((i) => ({ text: sentence(i) }))
const documents = () => Dataset.fromRows(sentences())

/** Options of each recipe without `model` and `outputDir`; recipes that need another folder write it below `folder`. */
export const TINY_RECIPES: Readonly<Record<string, (folder: string) => Promise<object> | object>> = {
  finetune: () => ({ train: Dataset.fromRows(scored()) }),
  softmax: () => ({ train: Dataset.fromRows(nli()) }),
  multipleNegatives: () => ({ train: Dataset.fromRows(pairs()) }),
  scoredPairs: () => ({ train: Dataset.fromRows(scored()) }),
  tsdae: () => ({ train: documents() }),
  simcse: () => ({ train: documents() }),
  contrastiveTension: () => ({ train: documents() }),
  adaptivePretraining: () => ({ domain: documents(), train: Dataset.fromRows(pairs()), domainArgs: FAST }),
  augmentedSbert: () => ({ train: Dataset.fromRows(scored()), pairing: 'bm25', crossEncoderArgs: FAST }),
  genq: () => ({ documents: documents(), generator: golden('seq2seq-folder'), queriesPerPassage: 1 }),
  gpl: () => ({
    ...{ documents: documents(), generator: golden('seq2seq-folder'), queriesPerPassage: 1 },
    crossEncoder: golden('cross-encoder/one'),
  }),
  fewShot: () => ({
    train: Dataset.fromRows(range(16).map((i) => ({ text: `${word(i % 4)} ${word(i + 12)}`, category: word(i % 4) }))),
  }),
  distillation: async (folder: string) => ({
    ...{ train: documents(), teacher: await tinyFolder(join(folder, 'teacher'), 3) },
  }),
  matryoshka: () => ({ train: Dataset.fromRows(pairs()), compare: false }),
  multilingual: async (folder: string) => ({
    train: Dataset.fromRows(range(32).map((i) => ({ en: sentence(i), de: `the ${sentence(i)}` }))),
    ...{ holdOut: 0, teacher: await tinyFolder(join(folder, 'teacher'), 3) },
  }),
  staticModel: () => ({ train: Dataset.fromRows(pairs()), pcaDims: 8, leastDims: 4 }),
  merging: async (folder: string) => ({
    models: [await tinyFolder(join(folder, 'one'), 2), await tinyFolder(join(folder, 'two'), 3)],
    ...{ methods: ['linear'], args: {} },
  }),
}

/** Arguments that save and log at every step. */
export const FAST = { perDeviceTrainBatchSize: 8, saveSteps: 1, loggingSteps: 1 }

/** Scored pairs of such sentences. */
export function tinyEvaluator(name: string) {
  const rows = range(12)
  return new evaluation.EmbeddingSimilarityEvaluator({
    sentences1: rows.map((i) => sentence(i + 3)),
    sentences2: rows.map((i) => sentence(i * 4 + 1)),
    scores: rows.map((i) => (i * 7) % 12),
    name,
  })
}

/** All options of a recipe, for a run in `folder/name`. */
export async function tinyOptions(recipe: string, folder: string, name = 'run'): Promise<object> {
  const own = await TINY_RECIPES[recipe]!(folder)
  return { model: await tinyFolder(join(folder, 'tiny')), outputDir: join(folder, name), seed: 1, args: FAST, ...own }
}
