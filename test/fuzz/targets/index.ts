import type { Target } from './target.js'

/** One line per target. */
export const targets: Readonly<Record<string, () => Promise<Target>>> = {
  safetensors: async () => (await import('./safetensors.js')).safetensors,
  torch: async () => (await import('./torch.js')).torch,
  folder: async () => (await import('./folder.js')).folder,
  tokenizer: async () => (await import('./tokenizer.js')).tokenizer,
  template: async () => (await import('./template.js')).template,
  dataset: async () => (await import('./dataset.js')).dataset,
  texts: async () => (await import('./texts.js')).texts,
  parquet: async () => (await import('./parquet.js')).parquet,
  index: async () => (await import('./embedding-index.js')).embeddingIndex,
  encoded: async () => (await import('./encoded-files.js')).encodedFiles,
  hub: async () => (await import('./hub.js')).hub,
  checkpoint: async () => (await import('./checkpoint.js')).checkpoint,
  boundary: async () => (await import('./boundary.js')).boundary,
}

/** The target of this name; `harness` for tests of the fuzzer itself. */
export async function targetOf(name: string): Promise<Target> {
  return name === 'harness' ? (await import('./harness.js')).harness : targets[name]!()
}
