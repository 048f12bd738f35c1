/** What turns the logits of one pair into its scores, by name. */
export type ActivationName = 'sigmoid' | 'identity' | 'tanh' | 'relu' | 'silu' | 'softmax'

/** The dotted path that Python writes for each. */
export const ACTIVATION_PATHS: Readonly<Record<ActivationName, string>> = {
  sigmoid: 'torch.nn.modules.activation.Sigmoid',
  identity: 'torch.nn.modules.linear.Identity',
  tanh: 'torch.nn.modules.activation.Tanh',
  relu: 'torch.nn.modules.activation.ReLU',
  silu: 'torch.nn.modules.activation.SiLU',
  softmax: 'torch.nn.modules.activation.Softmax',
}

export const ACTIVATION_NAMES = Object.keys(ACTIVATION_PATHS) as ActivationName[]

/** The activation that a dotted path of torch names: its class decides, as torch has had them in several modules. */
export function activationOfPath(path: string): ActivationName | undefined {
  const className = path.split('.').at(-1)
  return ACTIVATION_NAMES.find((name) => ACTIVATION_PATHS[name].split('.').at(-1) === className)
}

const sigmoid = (x: number) => 1 / (1 + Math.exp(-x))

const BY_ELEMENT: Readonly<Record<Exclude<ActivationName, 'softmax'>, ((x: number) => number) | undefined>> = {
  sigmoid,
  identity: undefined,
  tanh: Math.tanh,
  relu: (x) => (x > 0 ? x : Number.isNaN(x) ? x : 0),
  silu: (x) => x * sigmoid(x),
}

/** Applies it in place to rows of `width` logits. */
export function applyActivation(name: ActivationName, data: Float32Array, width: number): void {
  if (name === 'softmax') softmaxRows(data, width)
  const f = name === 'softmax' ? undefined : BY_ELEMENT[name]
  if (f) for (let i = 0; i < data.length; i++) data[i] = f(data[i]!)
}

/** Softmax over each row of `width` numbers, in place. */
export function softmaxRows(data: Float32Array, width: number): void {
  for (let start = 0; start < data.length; start += width) {
    const row = data.subarray(start, start + width)
    let largest = Number.NEGATIVE_INFINITY
    for (const value of row) largest = Math.max(largest, value)
    const exps = Float64Array.from(row, (value) => Math.exp(value - largest))
    const sum = exps.reduce((total, value) => total + value, 0)
    row.set(exps.map((value) => value / sum))
  }
}
