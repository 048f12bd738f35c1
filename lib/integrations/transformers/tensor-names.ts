/** Members of transformers.js' Tensor that this package does not have. */
const REFUSED: ReadonlySet<string> = new Set([
  ...['sigmoid', 'sigmoid_', 'map', 'map_', 'mul', 'mul_', 'div', 'div_', 'add', 'add_', 'sub', 'sub_', 'remainder'],
  ...['remainder_', 'permute', 'transpose', 'sum', 'norm', 'normalize_', 'stride', 'squeeze', 'squeeze_', 'unsqueeze'],
  ...['unsqueeze_', 'flatten', 'flatten_', 'view', 'neg', 'neg_', 'gt', 'lt', 'clamp', 'clamp_', 'round', 'round_'],
  ...['mean', 'min', 'max', 'argmin', 'argmax', 'repeat', 'tile', 'to', 'ort_tensor', 'dispose'],
])

export function isRefused(key: string | symbol): boolean {
  return typeof key === 'string' && REFUSED.has(key)
}
