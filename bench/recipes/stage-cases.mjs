// What stages.mjs runs: recipes with several stages, on ../shared.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import {
  CrossEncoder,
  CrossEncoderTrainer,
  crossEncoderLosses,
  Dataset,
  evaluation,
  recipes,
  SentenceTransformer,
  util,
} from 'sentence-torch'
import { file, MODEL, squad, squadDev, squadEvaluator } from './squad.mjs'

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

/** The questions that people asked about 800 passages, in place of a generator; measured on 200 passages. */
async function genq(outputDir, context) {
  const { pairs } = await squad('train')
  const given = { model: MODEL, outputDir, queries: pairs, test: squadEvaluator(await squadDev(200)), seed: 1 }
  return recipes.genq({ ...given, args: { learningRate: 4e-5, maxSteps: 25, maxSeqLength: 96 } }, context)
}

/**
 * A cross-encoder from the same small model. It learns from the training questions which of four texts answers each: the right
 * passage (or sentence), or three that the model finds near the question.
 */
export async function squadTeacher(folder) {
  if (existsSync(join(folder, 'config.json'))) return folder
  const sentences = await Dataset.fromFile(file('squad/train-question-sentences.jsonl'), {
    columns: ['question', 'answer_sentence'],
  })
  const parts = [
    (await (await squad('train')).pairs.shuffle(1)).head(1500),
    sentences.renameColumns({ question: 'query', answer_sentence: 'passage' }).head(3000),
  ]
  const miner = await SentenceTransformer.load(MODEL)
  const negatives = { rangeMax: 20, numNegatives: 3, samplingStrategy: 'random', seed: 1, outputFormat: 'labeled-pair' }
  const mined = []
  for (const pairs of parts) mined.push(await util.mineHardNegatives(pairs, miner, { ...negatives, verbose: false }))
  await miner.dispose()
  const model = await CrossEncoder.load(MODEL, { numLabels: 1, seed: 1 })
  await new CrossEncoderTrainer({
    ...{ model, trainDataset: await Dataset.concatenate(mined) },
    loss: new crossEncoderLosses.BinaryCrossEntropyLoss({ posWeight: 3 }),
    args: {
      ...{ numTrainEpochs: 1, perDeviceTrainBatchSize: 32, learningRate: 1e-4, warmupSteps: 0.1 },
      ...{ maxSeqLength: 160, saveStrategy: 'no', loggingSteps: 25 },
    },
  }).train()
  await model.save(folder)
  await model.dispose()
  return folder
}

/** The same questions, with margins of a cross-encoder that learned from them. */
async function gpl(outputDir, context) {
  const { pairs } = await squad('train')
  const crossEncoder = await squadTeacher(`${outputDir}-teacher`)
  const test = squadEvaluator(await squadDev(200))
  const given = { model: MODEL, outputDir, queries: pairs, crossEncoder, test, seed: 1 }
  return recipes.gpl({ ...given, args: { learningRate: 2e-5, maxSteps: 150, maxSeqLength: 160 } }, context)
}

export const STAGE_CASES = { augmentedSbert, genq, gpl }
