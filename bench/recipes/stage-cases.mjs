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

/** Questions of SQuAD with their passages, and all passages. */
async function squad(split) {
  const rows = await Dataset.fromFile(file(`squad/${split}-passages.jsonl`))
  const questions = await Dataset.fromFile(file(`squad/${split}-questions.jsonl`))
  const texts = new Map(rows.texts('passage_id').map((id, i) => [id, rows.texts('passage')[i]]))
  const ids = questions.texts('passage_id')
  const pairs = questions.texts('question').map((query, i) => ({ query, passage: texts.get(ids[i]) }))
  return { pairs: Dataset.fromRows(pairs), ids, texts }
}

/** Passages of articles that are not in the training data, and every third question on them. */
async function squadDev(passages) {
  const { pairs, ids, texts } = await squad('dev')
  const corpus = new Map([...texts].slice(0, passages))
  const rows = pairs.texts('query').flatMap((query, i) => {
    return i % 3 === 0 && corpus.has(ids[i]) ? [[`q${i}`, query, ids[i]]] : []
  })
  return new evaluation.InformationRetrievalEvaluator({
    queries: Object.fromEntries(rows.map(([id, query]) => [id, query])),
    corpus,
    relevantDocs: Object.fromEntries(rows.map(([id, , passage]) => [id, [passage]])),
    name: 'squad',
  })
}

/** The questions that people asked about 800 passages, in place of a generator; measured on 200 passages. */
async function genq(outputDir, context) {
  const { pairs } = await squad('train')
  const given = { model: MODEL, outputDir, queries: pairs, test: await squadDev(200), seed: 1 }
  return recipes.genq({ ...given, args: { learningRate: 4e-5, maxSteps: 25, maxSeqLength: 96 } }, context)
}

export const STAGE_CASES = { augmentedSbert, genq }
