/** How large a model is, and how fast. */
import type { SentenceTransformer } from '../models/sentence-transformer.js'

/** Texts that are encoded for the speed. */
const MOST_TEXTS = 256
const RUNS = 2

export interface ModelFacts {
  /** Of the transformer; null: it has none. */
  layers: number | null
  parameters: number
  /** On this machine, with nothing else on it. */
  textsPerSecond: number
}

/** @param texts of which the first are encoded */
export async function modelFacts(
  model: SentenceTransformer,
  texts: readonly string[],
  signal?: AbortSignal,
): Promise<ModelFacts> {
  const { layers } = model.modules[0]!
  const parameters = model.encoder
    .tensors()
    .reduce((sum, { shape }) => sum + shape.reduce((product, n) => product * n, 1), 0)
  const some = texts.slice(0, MOST_TEXTS)
  const times: number[] = []
  // The first one pays for what is made once.
  for (let i = 0; i <= RUNS; i++) {
    const start = performance.now()
    await model.encode(some, signal ? { signal } : {})
    times.push(performance.now() - start)
  }
  const fastest = Math.min(...times)
  return {
    layers: typeof layers === 'number' ? layers : null,
    parameters,
    textsPerSecond: (1000 * some.length) / fastest,
  }
}
