// What is trained on and encoded: columns of real texts. Both sides read the same rows in the same order.
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'

const lines = (folder, file) => {
  const path = join(folder, file)
  if (!existsSync(path)) throw new Error(`There is no ${path}; --data names the folder that holds ${file}`)
  const bytes = readFileSync(path)
  return (file.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString('utf8').trimEnd().split('\n')
}
const jsonLines = (folder, file) => lines(folder, file).map((line) => JSON.parse(line))

function sts(folder, file) {
  const rows = lines(folder, `stsb/${file}.tsv`)
    .slice(1)
    .map((line) => line.split('\t'))
  return {
    sentence1: rows.map(([first]) => first),
    sentence2: rows.map(([, second]) => second),
    score: rows.map(([, , score]) => Number(score) / 5),
  }
}

/** Premises with an entailed hypothesis, and with a contradiction as the third column. */
function nli(folder, columns) {
  const byPremise = new Map()
  for (const { premise, hypothesis, label } of jsonLines(folder, 'nli/lingnli-train.jsonl.gz')) {
    if (!byPremise.has(premise)) byPremise.set(premise, {})
    byPremise.get(premise)[label] ??= hypothesis
  }
  const rows = [...byPremise].filter(([, found]) => found[0] && found[2])
  const all = {
    anchor: rows.map(([premise]) => premise),
    positive: rows.map(([, found]) => found[0]),
    negative: rows.map(([, found]) => found[2]),
  }
  return Object.fromEntries(Object.entries(all).slice(0, columns))
}

function squad(folder) {
  const passages = new Map(
    jsonLines(folder, 'squad/train-passages.jsonl').map(({ passage_id, passage }) => [passage_id, passage]),
  )
  const questions = jsonLines(folder, 'squad/train-questions.jsonl')
  return {
    anchor: questions.map(({ question }) => question),
    positive: questions.map(({ passage_id }) => passages.get(passage_id)),
  }
}

/** `count` rows from all over the columns, in an order that keeps neighbours apart; from the first again after the last. */
function mixed(columns, count) {
  const total = Object.values(columns)[0].length
  const stride = 1009 // a prime that divides none of the sizes: every row comes once
  return Object.fromEntries(
    Object.entries(columns).map(([name, values]) => [
      name,
      Array.from({ length: count }, (_, i) => values[(i * stride) % total]),
    ]),
  )
}

const MINILM = 'all-MiniLM-L6-v2'
const BASE = 'bert-base-random'
const COSINE = 'CosineSimilarityLoss'
const RANKING = 'MultipleNegativesRankingLoss'

/** `steps` count after `warmUp` that do not. STS: the dev pairs, with whose lengths the bars were set. */
export const TRAINING = {
  sts: {
    label: 'STS pairs, 32',
    model: MINILM,
    loss: COSINE,
    batch: 32,
    steps: 20,
    warmUp: 5,
    read: (f) => sts(f, 'dev'),
  },
  'nli-pairs-64': {
    label: 'NLI pairs, 64',
    model: MINILM,
    loss: RANKING,
    batch: 64,
    steps: 8,
    warmUp: 2,
    read: (f) => nli(f, 2),
  },
  'nli-pairs-128': {
    label: 'NLI pairs, 128',
    model: MINILM,
    loss: RANKING,
    batch: 128,
    steps: 5,
    warmUp: 2,
    read: (f) => nli(f, 2),
  },
  'nli-triplets-64': {
    label: 'NLI triplets, 64',
    model: MINILM,
    loss: RANKING,
    batch: 64,
    steps: 6,
    warmUp: 2,
    read: (f) => nli(f, 3),
  },
  'nli-triplets-128': {
    label: 'NLI triplets, 128',
    model: MINILM,
    loss: RANKING,
    batch: 128,
    steps: 4,
    warmUp: 2,
    read: (f) => nli(f, 3),
  },
  squad: {
    label: 'SQuAD question-passage, 32',
    model: MINILM,
    loss: RANKING,
    batch: 32,
    steps: 4,
    warmUp: 2,
    read: squad,
  },
  'nli-pairs-256': {
    label: 'NLI pairs, 256',
    model: MINILM,
    loss: RANKING,
    batch: 256,
    steps: 3,
    warmUp: 1,
    read: (f) => nli(f, 2),
  },
  'cached-512': {
    label: 'NLI pairs, 512 by gradient caching, 32 at a time',
    model: MINILM,
    loss: `Cached${RANKING}`,
    miniBatch: 32,
    batch: 512,
    steps: 2,
    warmUp: 1,
    read: (f) => nli(f, 2),
  },
  'base-sts': {
    label: 'bert-base, STS pairs, 32',
    model: BASE,
    loss: COSINE,
    batch: 32,
    steps: 3,
    warmUp: 1,
    read: (f) => sts(f, 'dev'),
  },
}

/** Base shapes with random weights, made by bench/architecture_models.py: name of the folder, and of the architecture. */
export const ARCHITECTURES = {
  bert: 'BERT',
  roberta: 'RoBERTa',
  'xlm-roberta': 'XLM-RoBERTa',
  mpnet: 'MPNet',
  distilbert: 'DistilBERT',
  electra: 'ELECTRA',
  nomic_bert: 'NomicBERT',
  gte: 'GTE',
  modernbert: 'ModernBERT',
  qwen3: 'Qwen3',
  gemma3_text: 'Gemma 3',
  'deberta-v2': 'DeBERTa v3',
  t5: 'T5',
}
export const architectureFolder = (name) => `architectures/${name}`

/** `warmUp` texts are encoded before the clock starts. `each`: one text per call, latency instead of throughput. */
export const ENCODING = {
  sts: { label: 'STS dev sentences', model: MINILM, warmUp: 256, read: (f) => stsDev(f) },
  passages: {
    label: 'SQuAD passages',
    model: MINILM,
    warmUp: 64,
    read: (f) => ({ texts: jsonLines(f, 'squad/dev-passages.jsonl').map(({ passage }) => passage) }),
  },
  query: {
    label: 'one short query',
    model: MINILM,
    warmUp: 50,
    each: true,
    read: (f) => ({ texts: sts(f, 'dev').sentence1.slice(0, 350) }),
  },
  short: { label: '100,000 short texts', model: MINILM, warmUp: 256, heavy: true, read: shortTexts },
  repeated: {
    label: '100,000 short texts, 30 % repeated',
    model: MINILM,
    warmUp: 256,
    heavy: true,
    read: repeatedTexts,
  },
  'base-sts': {
    label: 'bert-base, STS dev sentences',
    model: BASE,
    warmUp: 32,
    heavy: true,
    read: (f) => ({ texts: stsDev(f).texts.slice(0, 512) }),
  },
}

function stsDev(folder) {
  const { sentence1, sentence2, score } = sts(folder, 'dev')
  return { texts: [...sentence1, ...sentence2], score }
}

function shortTexts(folder) {
  const snli = jsonLines(folder, 'nli/snli-train-20k.jsonl').flatMap(({ premise, hypothesis }) => [premise, hypothesis])
  const queries = ['train', 'test'].flatMap((part) =>
    jsonLines(folder, `banking77/${part}.jsonl`).map(({ text }) => text),
  )
  const { sentence1, sentence2 } = sts(folder, 'train')
  const all = [...new Set([...snli, ...queries, ...sentence1, ...sentence2])]
  // No text twice: what remains is made by a number in front.
  return {
    texts: Array.from({ length: 100_000 }, (_, i) =>
      i < all.length ? all[i] : `${Math.floor(i / all.length)}: ${all[i % all.length]}`,
    ),
  }
}

/** The first 70,000 of the short texts, and 30,000 of them again in between. */
function repeatedTexts(folder) {
  const { texts } = shortTexts(folder)
  const different = 70_000
  return { texts: texts.map((_, i) => texts[i % 10 < 7 ? Math.floor(i / 10) * 7 + (i % 10) : (i * 1009) % different]) }
}

/** Pairs of a cross-encoder: questions with their passage, and with another one. */
export function scoredPairs(folder, count) {
  const { anchor, positive } = mixed(squad(folder), count)
  return {
    query: anchor,
    passage: positive.map((passage, i) => (i % 2 ? positive[(i + 7) % count] : passage)),
    label: positive.map((_, i) => (i % 2 ? 0 : 1)),
  }
}

/** Questions with their passages, for mining. */
export const questionPassages = (folder, count) => mixed(squad(folder), count)

/** The columns of a training workload, as many rows as its steps need, with `steps` and `warmUp` in place of its own. */
export function trainingColumns(workload, folder, { steps = workload.steps, warmUp = workload.warmUp } = {}) {
  return mixed(workload.read(folder), (steps + warmUp) * workload.batch)
}
