/** How a static model is distilled. */
export interface DistillationOptions {
  /** Width of the table: that many principal components. Between 0 and 1: as many as have that share of the variance. Null: no PCA. Default 256. */
  pcaDims?: number | null
  /**
   * Weights rows by the frequency that Zipf's law gives a token at its place in the vocabulary: coefficient / (coefficient + p).
   * Null: no weights. Default 1e-4.
   */
  sifCoefficient?: number | null
  /** Tokens that are left out; it has to match at their start. Null: none. Default `\[unused\d+\]`. */
  tokenRemovePattern?: RegExp | null
  signal?: AbortSignal
}

export const DISTILLATION_OPTIONS = ['pcaDims', 'sifCoefficient', 'tokenRemovePattern', 'signal']
