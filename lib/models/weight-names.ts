/** Prefixes under which checkpoints keep the bare transformer, the longest first. */
const PREFIXES = ['0.auto_model.bert.', '0.auto_model.', '0.model.', 'model.bert.', 'bert.', 'model.']

/**
 * The engine's name of a checkpoint's transformer tensor: without prefix, with LayerNorm's gamma and beta as weight and bias.
 * `undefined` for tensors that carry nothing an encoder needs: position indices and pre-training heads.
 * Source: transformers' checkpoint conversion for BERT.
 */
export function engineName(name: string): string | undefined {
  const prefix = PREFIXES.find((candidate) => name.startsWith(candidate)) ?? ''
  const bare = name.slice(prefix.length)
  if (/(^|\.)position_ids$/.test(bare) || /^cls\./.test(bare)) return undefined
  return bare.replace(/LayerNorm\.gamma$/, 'LayerNorm.weight').replace(/LayerNorm\.beta$/, 'LayerNorm.bias')
}
