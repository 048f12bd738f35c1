import type { Target } from './target.js'
export const tokenizer = undefined as unknown as Target
