// Questions of SQuAD and their passages. Data and model: ../shared.
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Dataset, evaluation } from 'sentence-torch'

const shared = fileURLToPath(new URL('../../../shared/', import.meta.url))
export const MODEL = join(shared, 'models', 'all-MiniLM-L6-v2')
export const file = (path) => join(shared, 'data', path)

/** @param split train, or dev: other articles. `texts` has all passages by id, `ids` the passage of each pair. */
export async function squad(split) {
  const rows = await Dataset.fromFile(file(`squad/${split}-passages.jsonl`))
  const questions = await Dataset.fromFile(file(`squad/${split}-questions.jsonl`))
  const texts = new Map(rows.texts('passage_id').map((id, i) => [id, rows.texts('passage')[i]]))
  const ids = questions.texts('passage_id')
  const pairs = questions.texts('question').map((query, i) => ({ query, passage: texts.get(ids[i]) }))
  return { pairs: Dataset.fromRows(pairs), ids, texts }
}

/** Passages of articles that are not in the training data, and every third question on them. */
export async function squadDev(passages) {
  const { pairs, ids, texts } = await squad('dev')
  const corpus = Object.fromEntries([...texts].slice(0, passages))
  const [queries, relevantDocs] = [{}, {}]
  for (const [i, query] of pairs.texts('query').entries()) {
    if (i % 3 !== 0 || corpus[ids[i]] === undefined) continue
    queries[`q${i}`] = query
    relevantDocs[`q${i}`] = [ids[i]]
  }
  return { queries, corpus, relevantDocs }
}

export const squadEvaluator = (data) =>
  new evaluation.InformationRetrievalEvaluator({ ...data, name: 'squad', writeCsv: false })
