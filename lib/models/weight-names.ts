/** Prefixes under which checkpoints keep the bare transformer, the longest first. */
const PREFIXES = ['0.auto_model.bert.', '0.auto_model.', '0.model.', 'model.bert.', 'bert.', 'model.']

/**
 * The engine's name of a checkpoint's transformer tensor: without prefix, with LayerNorm's gamma and beta as weight and bias.
 * `undefined` for tensors that carry nothing an encoder needs: indices, and pre-training heads, which losses read where they
 * train them.
 * Source: transformers' checkpoint conversion for BERT.
 */
export function engineName(name: string): string | undefined {
  const prefix = PREFIXES.find((candidate) => name.startsWith(candidate)) ?? ''
  const bare = name.slice(prefix.length)
  if (/(^|\.)(position_ids|token_type_ids)$/.test(bare) || /^cls\./.test(bare)) return undefined
  return bare.replace(/LayerNorm\.gamma$/, 'LayerNorm.weight').replace(/LayerNorm\.beta$/, 'LayerNorm.bias')
}

/** What transformers' classes for tasks call their heads beside an encoder of the BERT kind. */
const HEADS = new Set([
  ...['classifier', 'pre_classifier', 'sop_classifier', 'score', 'qa_outputs', 'sequence_summary', 'logit_scale'],
  ...['lm_head', 'predictions', 'vocab_transform', 'vocab_layer_norm', 'vocab_projector', 'seq_relationship'],
  ...['discriminator_predictions', 'generator_predictions', 'generator_lm_head'],
])

/** What a tensor that the model does not have belongs to, where that is no part of any encoder; undefined where it may be. */
export type Surplus = 'head' | 'layer' | undefined

/** @param bare an `engineName` @param layers of the model */
export function surplusOf(bare: string, layers: number): Surplus {
  if (HEADS.has(bare.split('.', 1)[0]!)) return 'head'
  const layer = /^encoder\.layer\.(\d+)\./.exec(bare)?.[1]
  return layer !== undefined && Number(layer) >= layers ? 'layer' : undefined
}
