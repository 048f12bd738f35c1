// Golden models of every architecture: what the JSON files of make_architectures.py say of them.
import { readdirSync, readFileSync } from 'node:fs'
import type { ConfigObject } from '../../lib/native/types.js'

/** The architectures that the engine has: their tests cannot be skipped. Others are skipped until their name is here. */
export const BUILT: readonly string[] = [
  'bert',
  'camembert',
  'deberta-v2',
  'distilbert',
  'electra',
  'gemma3_text',
  'gte',
  'modernbert',
  'mpnet',
  'mt5',
  'nomic_bert',
  'qwen2',
  'qwen3',
  'roberta',
  't5',
  'xlm-roberta',
]

/** Architectures whose classifier the engine refuses by name. */
export const WITHOUT_CLASSIFIER: readonly string[] = ['mt5', 'nomic_bert', 't5']

/** Architectures without a masked language model. */
export const WITHOUT_MASKED: readonly string[] = ['deberta-v2', 'gemma3_text', 'qwen2', 'qwen3']

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
  /** Tokens of the longest row that the model takes; null: of any length. */
  positions: number | null
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

/** An encoder-decoder model, by make_seq2seq.py. */
export interface Seq2SeqGolden {
  name: string
  covers: string
  config: ConfigObject
  /** Whether the last layer has a matrix of its own. */
  ownHead: boolean
  /** Tokens of every source and target text. */
  lengths: number[]
  targetLengths: number[]
  /** Mean cross-entropy. */
  loss: number
  /** Its mean and standard deviation over many masks of dropout; null: not measured. */
  dropout: { rate: number; draws: number; mean: number; deviation: number } | null
  /** How far PyTorch itself is off: in float32, gradients as a part of what is allowed; in bfloat16, 1 - cosine of all gradients. */
  python: { loss: number; gradients: number; bfloat16: number }
}

const seq2seq = readFileSync(new URL('../seq2seq.json', FOLDER), 'utf8')
export const SEQ2SEQ: readonly Seq2SeqGolden[] = Object.entries(
  JSON.parse(seq2seq) as Record<string, Omit<Seq2SeqGolden, 'name'>>,
).map(([name, model]) => ({ name, ...model }))

export const ARCHITECTURES: readonly ArchitectureGolden[] = readdirSync(FOLDER)
  .filter((file) => file.endsWith('.json'))
  .map((file) => JSON.parse(readFileSync(new URL(file, FOLDER), 'utf8')) as ArchitectureGolden)
