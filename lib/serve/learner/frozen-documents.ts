import { type Embeddings, embeddings } from '../../models/embeddings.js'
import type { SentenceTransformer } from '../../models/sentence-transformer.js'
import type { EncodeOptions } from '../../models/types.js'

type SentenceOptions = EncodeOptions & { outputValue?: 'sentence_embedding' }

/**
 * A model of documents that stays as it is: what it has embedded once is kept, since every training and evaluation needs it again. So it is
 * for the documents of the corpus and of the evaluator, and not for whatever feedback brings.
 */
export class FrozenDocuments {
  /** Vectors by what `encodeDocument` was told, by text. */
  readonly #kept = new Map<string, Map<string, Float32Array>>()

  constructor(readonly model: SentenceTransformer) {}

  async encode(texts: readonly string[], options: SentenceOptions = {}): Promise<Embeddings> {
    const { signal: _, showProgressBar: __, batchSize: ___, ...telling } = options
    const key = JSON.stringify(telling)
    const kept = this.#kept.get(key) ?? new Map<string, Float32Array>()
    this.#kept.set(key, kept)
    const missing = [...new Set(texts)].filter((text) => !kept.has(text))
    if (missing.length > 0) {
      const found = await this.model.encodeDocument(missing, options)
      for (const [i, text] of missing.entries()) kept.set(text, found.row(i))
    }
    const width = kept.get(texts[0] ?? '')?.length ?? this.model.embeddingDimension
    const all = embeddings(new Float32Array(texts.length * width), texts.length, width)
    for (const [i, text] of texts.entries()) all.row(i).set(kept.get(text)!)
    return all
  }
}
