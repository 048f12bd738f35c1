import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { writeSafetensors } from '../../lib/io/safetensors.js'
import { tinyConfig } from './tiny-model.js'
import { wordPieceTokenizer } from './word-piece.js'

/** Words of the tiny model, after the special tokens; everything else is `[UNK]`. */
export const tinyWords = [
  ...['red', 'green', 'blue', 'yellow', 'black', 'white', 'cat', 'dog', 'cow', 'horse', 'bird', 'fish'],
  ...['one', 'two', 'three', 'four', 'five', 'six', 'rain', 'sun', 'snow', 'wind', 'storm', 'cloud'],
  ...['bread', 'milk', 'cheese', 'apple', 'the', 'a', 'is', 'and', 'of', 'very', 'not', 'like'],
]

/**
 * Writes the folder of a two-layer BERT with random weights (the same for the same seed), mean pooling; returns `folder`.
 * @param sizes other ones than {@link tinyConfig}'s
 */
export async function tinyFolder(folder: string, seed = 1, sizes: Partial<typeof tinyConfig> = {}): Promise<string> {
  const config = { ...tinyConfig, ...sizes }
  const json = (value: object) => `${JSON.stringify(value, null, 2)}\n`
  await mkdir(join(folder, '1_Pooling'), { recursive: true })
  const files: Record<string, object> = {
    'config.json': { ...config, architectures: ['BertModel'] },
    'tokenizer.json': wordPieceTokenizer(tinyWords),
    'tokenizer_config.json': { tokenizer_class: 'BertTokenizer', do_lower_case: true, model_max_length: 40 },
    'sentence_bert_config.json': { max_seq_length: 24, do_lower_case: false },
    'config_sentence_transformers.json': { similarity_fn_name: 'cosine', prompts: {}, default_prompt_name: null },
    'modules.json': [
      { idx: 0, name: '0', path: '', type: 'sentence_transformers.models.Transformer' },
      { idx: 1, name: '1', path: '1_Pooling', type: 'sentence_transformers.models.Pooling' },
    ],
    '1_Pooling/config.json': {
      word_embedding_dimension: config.hidden_size,
      pooling_mode_cls_token: false,
      pooling_mode_mean_tokens: true,
      pooling_mode_max_tokens: false,
      pooling_mode_mean_sqrt_len_tokens: false,
    },
  }
  for (const [name, value] of Object.entries(files)) await writeFile(join(folder, name), json(value))
  await writeSafetensors(join(folder, 'model.safetensors'), weights(seed, config), { format: 'pt' })
  return folder
}

function weights(seed: number, config: typeof tinyConfig) {
  const { hidden_size: hidden, intermediate_size: inner } = config
  const shapes: [string, number[]][] = [
    ['embeddings.word_embeddings.weight', [config.vocab_size, hidden]],
    ['embeddings.position_embeddings.weight', [config.max_position_embeddings, hidden]],
    ['embeddings.token_type_embeddings.weight', [config.type_vocab_size, hidden]],
    ...norm('embeddings.LayerNorm', hidden),
  ]
  for (let i = 0; i < config.num_hidden_layers; i++) {
    const layer = `encoder.layer.${i}`
    for (const part of ['query', 'key', 'value'])
      shapes.push(...linear(`${layer}.attention.self.${part}`, hidden, hidden))
    shapes.push(...linear(`${layer}.attention.output.dense`, hidden, hidden))
    shapes.push(...norm(`${layer}.attention.output.LayerNorm`, hidden))
    shapes.push(
      ...linear(`${layer}.intermediate.dense`, inner, hidden),
      ...linear(`${layer}.output.dense`, hidden, inner),
    )
    shapes.push(...norm(`${layer}.output.LayerNorm`, hidden))
  }
  let state = seed
  // A linear congruential generator is random enough for weights.
  const next = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
  return shapes.map(([name, shape]) => {
    const centre = name.endsWith('LayerNorm.weight') ? 1 : 0
    const size = shape.reduce((product, n) => product * n, 1)
    const values = Float32Array.from({ length: size }, () => centre + (next() - 0.5) * 0.3)
    return { name, dtype: 'F32' as const, shape, data: new Uint8Array(values.buffer) }
  })
}

function linear(name: string, out: number, input: number): [string, number[]][] {
  return [
    [`${name}.weight`, [out, input]],
    [`${name}.bias`, [out]],
  ]
}

function norm(name: string, size: number): [string, number[]][] {
  return [
    [`${name}.weight`, [size]],
    [`${name}.bias`, [size]],
  ]
}
