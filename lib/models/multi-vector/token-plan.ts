import type { Tokenized } from '../../data/pack.js'
import type { Tokenizer } from '../../data/tokenizer.js'
import type { Task } from '../modules/multi-vector-mask.js'
import type { MultiVectorSettings } from './folder.js'
import { expandQueries, expansionId } from './query-expansion.js'

/** How the texts of each kind become tokens. */
export interface TokenPlan {
  /** Tokens to which texts are cut. @param given in place of the model's own length of this kind */
  most(task: Task | undefined, given?: number): number
  /** Fills queries up. */
  expand(queries: Tokenized): Tokenized & { attended?: Int32Array }
}

export function tokenPlan(
  { queryExpansion, queryLength, documentLength }: MultiVectorSettings,
  tokenizer: Tokenizer,
): TokenPlan {
  const { maxSeqLength } = tokenizer
  const expansion = queryExpansion && { ...queryExpansion, id: expansionId(queryExpansion, tokenizer) }
  return {
    most(task, given) {
      const own = task === 'query' ? queryLength : task === 'document' ? documentLength : null
      const length = given ?? own
      if (task !== 'query' || expansion === null) return length ?? maxSeqLength
      // A fixed expansion is its own limit, whatever else is said, and any other one never cuts into itself.
      if (expansion.strategy === 'fixed') return expansion.length
      return length === null ? maxSeqLength : Math.max(length, expansion.length)
    },
    expand: (queries) => (expansion ? expandQueries(queries, expansion, expansion.id) : queries),
  }
}
