// One encoding trial of ours. One JSON line on stdout, the embeddings as raw float32 in --out.
import { writeFileSync } from 'node:fs'
import { evaluation, SentenceTransformer } from 'sentence-torch'
import { engineFacts, trialOptions } from './trial.mjs'

const { model: source, columns, batchSize, load, out } = trialOptions()
const { sentence1: sentences1, sentence2: sentences2, score: scores } = columns
const texts = [...sentences1, ...sentences2]
const model = await SentenceTransformer.load(source, load)
await model.encode(texts.slice(0, 256), { batchSize })

const start = performance.now()
const embeddings = await model.encode(texts, { batchSize })
const seconds = (performance.now() - start) / 1000
if (out) writeFileSync(out, embeddings.data)

const evaluator = new evaluation.EmbeddingSimilarityEvaluator({ sentences1, sentences2, scores, writeCsv: false })
const { metrics } = await evaluator.evaluate(model)
await model.dispose()
console.log(
  JSON.stringify({
    theme: 'encode',
    program: 'sentence-torch',
    sentencesPerSecond: texts.length / seconds,
    sentences: texts.length,
    batchSize,
    devSpearman: metrics.spearman_cosine,
    ...engineFacts(),
  }),
)
