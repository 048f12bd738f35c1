import type { Target } from './target.js'
export const boundary = undefined as unknown as Target
