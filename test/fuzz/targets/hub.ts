import type { Target } from './target.js'
export const hub = undefined as unknown as Target
