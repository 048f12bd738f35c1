// Golden models of every architecture: what the JSON files of make_architectures.py say of them.
import { readdirSync, readFileSync } from 'node:fs'
import type { ConfigObject } from '../../lib/native/types.js'

/** The architectures that the engine has: their tests cannot be skipped. Others are skipped until their name is here. */
export const BUILT: readonly string[] = [
  'bert',
  'camembert',
  'distilbert',
  'electra',
  'gemma3_text',
  'gte',
  'modernbert',
  'mpnet',
  'nomic_bert',
  'qwen2',
  'qwen3',
  'roberta',
  'xlm-roberta',
]

/** Architectures whose classifier the engine refuses by name. */
export const WITHOUT_CLASSIFIER: readonly string[] = ['nomic_bert']

/** Architectures without a masked language model. */
export const WITHOUT_MASKED: readonly string[] = ['gemma3_text', 'qwen2', 'qwen3']

export const FOLDER = new URL('../../../test/parity/golden/architectures/', import.meta.url)

export interface SetupGolden {
  /** What of this configuration changes numbers. */
  covers: string
  /** config.json as transformers writes it. */
  config: ConfigObject
  /** The same configuration in other words. */
  variants: Record<string, ConfigObject>
  pooler: boolean
  /** No published model has it: the engine may refuse it by name. */
  optional: boolean
  /** Tokens of the longest row that the model takes. */
  positions: number
  lengths: number[]
  /** The rows whose token embeddings are kept. */
  tokenRows: number[]
  /** How far PyTorch's own float32 is off: embeddings, and gradients as a part of what is allowed. */
  python: { embeddings: number; gradients: number }
}

/** How a file on the hub names the encoder's tensors. */
export interface CheckpointGolden {
  /** Of every tensor that `renamed` does not have. */
  prefix: string
  /** Name in the file, name of the tensor here, first of its rows, number of rows. */
  renamed: [file: string, tensor: string, start: number, rows: number][]
  /** Tensors that no encoder needs. */
  extra: [name: string, shape: number[], dtype: string][]
}

/** A model for a task: a head over an encoder. */
export interface HeadGolden {
  covers: string
  config: ConfigObject
  /** What transformers puts before the names of the encoder's tensors in the checkpoint; here they are without. */
  prefix: string
  lengths: number[]
  python: { logits: number; gradients: number }
  /** Of a classifier. */
  numLabels: number
  /** Of a masked language model: mean cross-entropy of the tokens with a label. */
  loss: number
}

interface ArchitectureGolden {
  architecture: string
  setups: Record<string, SetupGolden>
  checkpoints: Record<string, CheckpointGolden>
  classifiers: Record<string, HeadGolden>
  masked: Record<string, HeadGolden>
}

export const ARCHITECTURES: readonly ArchitectureGolden[] = readdirSync(FOLDER)
  .filter((file) => file.endsWith('.json'))
  .map((file) => JSON.parse(readFileSync(new URL(file, FOLDER), 'utf8')) as ArchitectureGolden)
