import type { Tokenizer } from '../../data/tokenizer.js'
import type { FolderModule } from '../modules/index.js'
import { warn } from '../modules/module.js'

/**
 * The modules with the token ids of their skip lists.
 * Words that are no token of the vocabulary are left out with a warning, as in Python, where they would else be the unknown token.
 */
export function withSkippedIds(modules: readonly FolderModule[], tokenizer: Tokenizer): FolderModule[] {
  return modules.map((module) => {
    if (module.type !== 'MultiVectorMask') return module
    const words = module.config!.skiplist_words as string[]
    const missing = words.filter((word) => tokenizer.tokenId(word) === undefined)
    if (missing.length > 0) {
      const list = missing.map((word) => JSON.stringify(word)).join(', ')
      warn(`Words of the skip list that are no token of the vocabulary are left out: ${list}`)
    }
    const skipIds = words.flatMap((word) => tokenizer.tokenId(word) ?? [])
    return { ...module, spec: { ...module.spec, skipIds } }
  })
}
