// The least time that a workload can take on this machine: floating-point operations of the matrix products and of attention,
// of real tokens alone, divided by the best rate of a matrix product that was measured in this run.
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Tokenizer } from '../../dist/lib/data/tokenizer.js'

const read = (folder, name) => {
  const path = join(folder, name)
  return existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : {}
}

/** Architectures whose feed-forward part has three products: values, their gate, and what comes of both. */
const GATED = ['nomic_bert', 'gte', 'modernbert', 'qwen2', 'qwen3', 'gemma3_text']

/** What is known of a model folder: sizes, and a function from texts to their numbers of tokens. */
export function modelSizes(folder) {
  if (!existsSync(join(folder, 'config.json'))) return undefined
  const config = read(folder, 'config.json')
  const { max_seq_length: maxSeqLength = config.max_position_embeddings, do_lower_case: doLowerCase = false } = read(
    folder,
    'sentence_bert_config.json',
  )
  const tokenizer = Tokenizer.fromFiles(read(folder, 'tokenizer.json'), read(folder, 'tokenizer_config.json'), {
    ...{ maxSeqLength, doLowerCase },
  })
  return {
    // DistilBERT's names are its own.
    layers: config.num_hidden_layers ?? config.n_layers ?? config.num_layers,
    width: config.hidden_size ?? config.dim ?? config.d_model,
    inner: config.intermediate_size ?? config.hidden_dim ?? config.d_ff,
    gated: GATED.includes(config.model_type) || config.is_gated_act === true,
    ...(GATED.includes(config.model_type) &&
      config.head_dim && {
        queries: config.num_attention_heads * config.head_dim,
        keys: config.num_key_value_heads * config.head_dim,
      }),
    lengths(texts) {
      const { offsets } = tokenizer.encode(texts)
      return Array.from({ length: texts.length }, (_, i) => offsets[i + 1] - offsets[i])
    },
  }
}

/** Tokens, and floating-point operations of one forward pass over rows of these lengths, in which all tokens see each other. */
export function forwardWork({ layers, width, inner, gated = false, queries = width, keys = width }, lengths) {
  const tokens = lengths.reduce((sum, length) => sum + length, 0)
  const squares = lengths.reduce((sum, length) => sum + length * length, 0)
  // Query, key, value and output projections, those of the feed-forward part; scores and their product with the values.
  const perToken = 2 * (2 * width * (queries + keys) + (gated ? 3 : 2) * width * inner)
  return { tokens, operations: layers * (perToken * tokens + 4 * queries * squares) }
}

/** The backward pass computes two products for each of the forward pass. */
export const TRAINING_FACTOR = 3

export function floorMs(operations, gflops) {
  return operations / gflops / 1e6
}
