import type { Target } from './target.js'
export const checkpoint = undefined as unknown as Target
