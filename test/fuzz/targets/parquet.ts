import type { Target } from './target.js'
export const parquet = undefined as unknown as Target
