import { invalidArgument } from '../../errors.js'
import type { NativeEncoder, NativeTrainer, TensorInfo } from '../../native/types.js'
import type { TrainingArguments } from './arguments.js'

/** What `NativeTrainer.setGroups` takes, and the peak learning rate of every group. */
export interface ParameterGroups {
  weightDecays: number[]
  rates: number[]
  /** Names of tensors → number of the group; -1: not trained. */
  groups: Record<string, number>
}

/**
 * The name of a tensor in Python's `loss.named_parameters()`: `model.0.model.encoder.layer.0.…`, `model.2.linear.weight`,
 * `classifier.weight`. With losses by dataset, a tensor of a loss is `<dataset>.classifier.weight`, and the names of the model's
 * tensors begin with the name of the first dataset. Of an adapter: `model.0.model.encoder.….lora_A.default.weight`.
 * @param first the dataset of the first loss; '' for a single loss
 * @param pathOf the name of a tensor within the model
 */
export function pythonName(name: string, first = '', pathOf = pathOfTransformer): string {
  if (name.startsWith('loss.')) return name.slice('loss.'.length)
  const [, adapter, path, factor] = /^adapter\.([^.]+)\.(.+)\.(lora_[AB])\.weight$/.exec(name) ?? []
  const own = adapter === undefined ? name : `${path}.${factor}.${adapter}.weight`
  return `${first === '' ? '' : `${first}.`}model.${pathOf(own)}`
}

function pathOfTransformer(name: string): string {
  return name.replace(/^0\./, '0.model.')
}

/**
 * Groups for `learningRateMapping` and `freeze`; undefined if the engine's own two groups are enough.
 *
 * As in sentence-transformers, a parameter that several patterns of `learningRateMapping` match belongs to the last one, and
 * biases and norms never have weight decay.
 * @throws ERR_INVALID_ARGUMENT for a pattern that matches no parameter, or when nothing is left to train
 */
export function parameterGroups(
  args: Readonly<Pick<TrainingArguments, 'learningRateMapping' | 'freeze' | 'learningRate' | 'weightDecay'>>,
  tensors: readonly TensorInfo[],
  first = '',
  pathOf?: (name: string) => string,
): ParameterGroups | undefined {
  const { learningRateMapping, learningRate, weightDecay } = args
  const freeze = [args.freeze].flat()
  const mapping = Object.entries(learningRateMapping)
  if (mapping.length === 0 && freeze.length === 0) return undefined
  const trained = tensors.filter(({ group }) => group !== 'frozen')
  const find = (argument: string, pattern: string | RegExp): TensorInfo[] => {
    // Without `g` and `y`, which would remember where the last search ended.
    const flags = typeof pattern === 'string' ? '' : pattern.flags.replace(/[gy]/g, '')
    const expression = new RegExp(pattern, flags)
    const found = trained.filter(({ name }) => expression.test(pythonName(name, first, pathOf)))
    if (found.length > 0) return found
    const example = trained[0] === undefined ? '' : `, such as ${pythonName(trained[0].name, first, pathOf)}`
    throw invalidArgument(argument, `patterns that find the name of a parameter${example}`, String(pattern))
  }
  const result: ParameterGroups = {
    weightDecays: [weightDecay, 0],
    rates: [learningRate, learningRate],
    groups: {},
  }
  for (const [pattern, rate] of mapping) {
    const decayed = result.weightDecays.push(weightDecay, 0) - 2
    result.rates.push(rate, rate)
    for (const { name, group } of find('learningRateMapping', pattern)) {
      result.groups[name] = group === 'decay' ? decayed : decayed + 1
    }
  }
  for (const pattern of freeze) for (const { name } of find('freeze', pattern)) result.groups[name] = -1
  if (trained.every(({ name }) => result.groups[name] === -1)) {
    throw invalidArgument('freeze', 'patterns that leave something to train', freeze.join(', '))
  }
  return result
}

/** All tensors that can be trained: the model's, those of its active adapter, then those of the losses. */
export function trainableTensors(
  encoder: Pick<NativeEncoder, 'tensors'>,
  native: Pick<NativeTrainer, 'tensors'>,
): TensorInfo[] {
  const all = native.tensors()
  const ofAdapter = all
    .filter(({ name }) => name.startsWith('grad.adapter.'))
    .map((tensor) => ({ ...tensor, name: tensor.name.slice('grad.'.length) }))
  return [...encoder.tensors(), ...ofAdapter, ...all.filter(({ name }) => name.startsWith('loss.'))]
}
