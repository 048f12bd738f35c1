import type { GuideModel } from '../../losses/loss.js'

/** At most this many values are kept for later epochs: 256 MiB. */
const CACHE_VALUES = 64 * 1024 * 1024

/** Embeddings of texts by a frozen model. Each text is encoded once, as long as there is room to keep its embedding. */
export class GuideEmbeddings {
  readonly dimension: number
  readonly #model: GuideModel
  readonly #kept = new Map<string, Float32Array>()

  constructor(model: GuideModel) {
    this.#model = model
    this.dimension = model.embeddingDimension
  }

  /** Embeddings of texts × dimension. The texts have their prompts already, so the guide's own prompt is not added. */
  async of(texts: readonly string[]): Promise<Float32Array> {
    const missing = [...new Set(texts)].filter((text) => !this.#kept.has(text))
    const fresh = new Map<string, Float32Array>()
    if (missing.length > 0) {
      const { data } = await this.#model.encode(missing, { prompt: '' })
      missing.forEach((text, i) => {
        const row = data.slice(i * this.dimension, (i + 1) * this.dimension)
        fresh.set(text, row)
        if ((this.#kept.size + 1) * this.dimension <= CACHE_VALUES) this.#kept.set(text, row)
      })
    }
    const all = new Float32Array(texts.length * this.dimension)
    texts.forEach((text, i) => {
      all.set(this.#kept.get(text) ?? fresh.get(text)!, i * this.dimension)
    })
    return all
  }
}
