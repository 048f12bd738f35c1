// One tokenising trial of ours: the model's tokenizer as encode() calls it. --each: all texts in one call, else in calls of 32.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { SentenceTransformer } from 'sentence-torch'
import { engineFacts, say, trialOptions } from './trial.mjs'

const { model: source, columns, warmUp, load } = trialOptions()
const { texts } = columns
const { max_seq_length: length } = JSON.parse(readFileSync(join(source, 'sentence_bert_config.json'), 'utf8'))
const model = await SentenceTransformer.load(source, load)
await model.tokenizer.encodeAll(texts.slice(0, warmUp), length)
const start = performance.now()
const { ids } = await model.tokenizer.encodeAll(texts, length)
const seconds = (performance.now() - start) / 1000
await model.dispose()
say({ perSecond: texts.length / seconds, texts: texts.length, tokens: ids.length, ...(await engineFacts()) })
process.exit()
