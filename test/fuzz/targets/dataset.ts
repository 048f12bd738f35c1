import type { Target } from './target.js'
export const dataset = undefined as unknown as Target
