import type {
  ConfigObject,
  EncoderSpec,
  LossSpec,
  NativeAddon,
  NativeEncoder,
  PackedBatch,
  TensorInfo,
  TrainerSpec,
} from '../../lib/native/types.js'

/** A BERT that computes in microseconds but has every part of a real one. */
export const tinyConfig = {
  model_type: 'bert',
  vocab_size: 50,
  hidden_size: 32,
  num_hidden_layers: 2,
  num_attention_heads: 2,
  intermediate_size: 64,
  max_position_embeddings: 40,
  type_vocab_size: 2,
  hidden_act: 'gelu',
  layer_norm_eps: 1e-12,
  hidden_dropout_prob: 0.1,
  attention_probs_dropout_prob: 0.1,
  position_embedding_type: 'absolute',
} satisfies ConfigObject

export function tinySpec(config: ConfigObject = {}, rest: Partial<EncoderSpec> = {}): EncoderSpec {
  return {
    architecture: 'bert',
    config: { ...tinyConfig, ...config },
    modules: [{ type: 'Pooling', modes: ['mean'], includePrompt: true }],
    pooler: false,
    device: process.env.SENTENCE_TORCH_DEVICE || 'cpu',
    dtype: 'float32',
    ...rest,
  }
}

/** An encoder with random weights, the same ones for the same seed. */
export async function tinyEncoder(
  addon: NativeAddon,
  spec: EncoderSpec = tinySpec(),
  seed = 1,
): Promise<NativeEncoder> {
  const encoder = new addon.Encoder(spec)
  await loadRandom(encoder, seed)
  return encoder
}

/** Loads every tensor with small random values (norm weights around 1) and returns them by name. */
export async function loadRandom(encoder: NativeEncoder, seed = 1): Promise<Map<string, Float32Array>> {
  const random = mulberry32(seed)
  const values = new Map<string, Float32Array>()
  for (const tensor of encoder.tensors()) {
    const centre = tensor.name.endsWith('LayerNorm.weight') ? 1 : 0
    values.set(
      tensor.name,
      Float32Array.from({ length: elements(tensor) }, () => centre + (random() - 0.5) * 0.4),
    )
  }
  await encoder.load(
    [...values].map(([name, data]) => ({ name, start: 0, dtype: 'F32' as const, data: new Uint8Array(data.buffer) })),
  )
  return values
}

export function elements(tensor: TensorInfo): number {
  return tensor.shape.reduce((product, size) => product * size, 1)
}

/** Rows of random token ids with these lengths. */
export function tinyBatch(lengths: number[], columns = 1, seed = 1): PackedBatch {
  const random = mulberry32(seed)
  const offsets = new Int32Array(lengths.length + 1)
  for (const [row, length] of lengths.entries()) offsets[row + 1] = offsets[row]! + length
  const ids = Int32Array.from({ length: offsets.at(-1)! }, () => Math.floor(random() * tinyConfig.vocab_size))
  return { ids, offsets, columns }
}

/** A batch that keeps the executor busy for a while. */
export function longBatch(rows = 1000, columns = 1): PackedBatch {
  return tinyBatch(new Array<number>(rows).fill(tinyConfig.max_position_embeddings), columns)
}

export function tinyTrainerSpec(loss: LossSpec = { type: 'MultipleNegativesRankingLoss', scale: 20 }): TrainerSpec {
  return {
    losses: [{ name: '', spec: loss }],
    optimizer: { type: 'adamw', beta1: 0.9, beta2: 0.999, epsilon: 1e-8 },
    weightDecay: 0,
    maxGradNorm: 1,
    seed: 42,
  }
}

/** Numbers in [0, 1), the same ones for the same seed. */
export function mulberry32(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
