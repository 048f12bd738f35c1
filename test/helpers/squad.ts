/** Questions of SQuAD and their passages, beside the repository. */
import { Dataset, evaluation } from '../../lib/index.js'
import { sharedData } from './shared.js'

/** Questions (all on the first `passages` of the file) and their passages. @param split train, or dev: other articles */
export async function squad(split: 'train' | 'dev', passages: number): Promise<{ pairs: Dataset; passages: string[] }> {
  const rows = (await Dataset.fromFile(sharedData(`squad/${split}-passages.jsonl`))).head(passages)
  const questions = await Dataset.fromFile(sharedData(`squad/${split}-questions.jsonl`))
  const texts = new Map(rows.texts('passage_id').map((id, i) => [id, rows.texts('passage')[i]!]))
  const ids = questions.texts('passage_id')
  const pairs = questions.texts('question').flatMap((query, i) => {
    const passage = texts.get(ids[i]!)
    return passage === undefined ? [] : [{ query, passage }]
  })
  return { pairs: Dataset.fromRows(pairs), passages: [...texts.values()] }
}

/** How well a model finds the passages of questions among these. */
export function retrieval(pairs: Dataset, passages: readonly string[], name = 'squad') {
  const id = new Map(passages.map((passage, i) => [passage, `p${i}`]))
  const [queries, found] = [pairs.texts('query'), pairs.texts('passage')]
  return new evaluation.InformationRetrievalEvaluator({
    queries: Object.fromEntries(queries.map((query, i) => [`q${i}`, query])),
    corpus: Object.fromEntries(passages.map((passage, i) => [`p${i}`, passage])),
    relevantDocs: Object.fromEntries(found.map((passage, i) => [`q${i}`, [id.get(passage)!]])),
    name,
  })
}
