// What stages.mjs runs: recipes with several stages, on ../shared.
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Dataset, evaluation, recipes } from 'sentence-torch'

const shared = fileURLToPath(new URL('../../../shared/', import.meta.url))
const MODEL = join(shared, 'models', 'all-MiniLM-L6-v2')
const file = (path) => join(shared, 'data', path)

async function stsDev() {
  const rows = await Dataset.fromFile(file('stsb/dev.tsv'))
  const [sentences1, sentences2] = ['sentence1', 'sentence2'].map((name) => rows.texts(name))
  return new evaluation.EmbeddingSimilarityEvaluator({ sentences1, sentences2, scores: rows.labels(), name: 'sts' })
}

/** 1,000 rows of the STS benchmark have a label; their texts, paired anew, get one. */
async function augmentedSbert(outputDir, context) {
  const train = (await (await Dataset.fromFile(file('stsb/train.tsv'))).shuffle(1)).head(1000)
  const given = { model: MODEL, outputDir, train, scale: 5, test: await stsDev(), seed: 1 }
  const args = { perDeviceTrainBatchSize: 16, learningRate: 2e-5 }
  const crossEncoderArgs = { numTrainEpochs: 4, learningRate: 1e-4 }
  return recipes.augmentedSbert({ ...given, args, crossEncoderArgs }, context)
}

export const STAGE_CASES = { augmentedSbert }
