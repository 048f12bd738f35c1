/** What a search tries: losses that fit the columns, and values of training arguments. */
import { Random } from '../../data/random.js'
import { invalidArgument, SentenceTorchError } from '../../errors.js'
import { option } from '../../options/kinds.js'
import { isPlainObject } from '../../options.js'
import { ARGUMENTS } from '../../training/arguments/table/index.js'
import type { PartialTrainingArguments } from '../../training/index.js'
import { checkLossSpec, type LossSpec, lossName } from '../make-loss.js'
import type { LossSuggestion } from '../suggest-loss.js'

/** Values to choose from, or the ends of a range, within which values are drawn evenly by their logarithm: whole ones between whole ends. */
export type Choices = readonly unknown[] | { readonly min: number; readonly max: number }

/** Losses and training arguments to try, by name. What is absent has the defaults. */
export interface SearchSpace {
  readonly loss?: readonly LossSpec[]
  readonly [argument: string]: Choices | readonly LossSpec[] | undefined
}

/** What a trial trains with. */
export interface TrialSettings {
  loss: LossSpec
  args: PartialTrainingArguments
}

/** Arguments that a search decides by itself. */
export const DECIDED: readonly string[] = [
  'maxSteps',
  'outputDir',
  'loggingDir',
  'seed',
  'evalStrategy',
  'saveStrategy',
  'evalSteps',
  'saveSteps',
  'loadBestModelAtEnd',
  'metricForBestModel',
]

export const searchSpace = option<SearchSpace, undefined>({
  type: 'SearchSpace',
  default: undefined,
  expected: 'an object: loss or a training argument → a list of values, or { min, max }',
  check(name, value) {
    if (!isPlainObject(value)) throw invalidArgument(name, 'an object with loss and training arguments', value)
    for (const [key, choices] of Object.entries(value)) checkChoices(name, key, choices)
  },
})

function checkChoices(name: string, key: string, choices: unknown): void {
  const where = `${name}.${key}`
  const isRange = isPlainObject(choices)
  if (key === 'loss') {
    if (!Array.isArray(choices) || choices.length === 0) throw invalidArgument(where, 'a list of losses', choices)
    for (const [i, loss] of choices.entries()) checkLossSpec(loss, `${where}[${i}]`)
    return
  }
  const argument = Object.hasOwn(ARGUMENTS, key) ? ARGUMENTS[key as keyof typeof ARGUMENTS] : undefined
  if (argument === undefined || DECIDED.includes(key)) {
    const message = `${name} has ${JSON.stringify(key)}: expected loss or a training argument that the search does not decide itself`
    throw new SentenceTorchError('ERR_UNKNOWN_OPTION', message)
  }
  if (isRange) {
    const { min, max, ...more } = choices as { min?: unknown; max?: unknown }
    const isFine = typeof min === 'number' && typeof max === 'number' && min > 0 && max > min
    if (!isFine || Object.keys(more).length > 0) throw invalidArgument(where, 'min and max, 0 < min < max,', choices)
  } else if (!Array.isArray(choices) || choices.length === 0) {
    throw invalidArgument(where, 'a list of values, or { min, max }', choices)
  }
  for (const value of isRange ? Object.values(choices) : (choices as unknown[])) argument.check(where, value)
}

/** Rows of a batch that are tried; for in-batch negatives also more. */
const BATCHES = [16, 32, 64]
const WITH_NEGATIVES = [...BATCHES, 128]

/**
 * The losses and arguments to try.
 * @param loss the config's own: it is always tried, and alone where it is none of the usual ones
 * @param rows of the training data: batches may have a quarter of them
 */
export function spaceOf(
  given: SearchSpace | undefined,
  loss: LossSpec,
  { kind, loss: usual, others }: LossSuggestion,
  rows: number,
): { losses: readonly LossSpec[]; choices: Readonly<Record<string, Choices>> } {
  const { loss: losses, ...own } = given ?? {}
  const batches = (kind === 'pairs' || kind === 'triplets' ? WITH_NEGATIVES : BATCHES).filter(
    (size) => 4 * size <= rows,
  )
  const known = [usual, ...others.filter((name) => !name.startsWith('Cached'))]
  const isKnown = known.some((one) => lossName(one) === lossName(loss))
  const all = isKnown ? [loss, ...known.filter((one) => lossName(one) !== lossName(loss))] : [loss]
  return {
    losses: losses ?? all,
    choices: {
      learningRate: { min: 1e-5, max: 2e-4 },
      perDeviceTrainBatchSize: batches.length > 0 ? batches : [Math.max(2, Math.floor(rows / 4))],
      numTrainEpochs: [1, 2, 4, 8],
      ...(own as Readonly<Record<string, Choices>>),
    },
  }
}

/**
 * Settings of `count` trials. Each choice is divided into `count` equal parts, of which every trial gets another one (a Latin
 * hypercube), so that few trials cover losses and rates evenly.
 * Paper: McKay et al. 1979, https://doi.org/10.2307/1268522.
 */
export function drawTrials(
  { losses, choices }: ReturnType<typeof spaceOf>,
  count: number,
  seed: number,
  bracket: number,
): TrialSettings[] {
  const random = new Random(seed, bracket, 0)
  const draw = () => {
    const parts = random.permutation(count)
    return Array.from(parts, (part) => (part + random.float()) / count)
  }
  const byLoss = draw()
  const columns = Object.entries(choices).map(([name, values]) => [name, values, draw()] as const)
  return byLoss.map((share, i) => ({
    loss: losses[Math.floor(share * losses.length)]!,
    args: Object.fromEntries(columns.map(([name, values, shares]) => [name, valueAt(values, shares[i]!)])),
  }))
}

/** The config's own trial in place of a drawn one with its loss, if there is one, so that all losses are still tried. */
export function withFirst(first: TrialSettings, drawn: readonly TrialSettings[]): TrialSettings[] {
  const same = drawn.findIndex(({ loss }) => lossName(loss) === lossName(first.loss))
  return [first, ...drawn.toSpliced(Math.max(same, 0), 1)]
}

function valueAt(choices: Choices, share: number): unknown {
  if (!('min' in choices)) return choices[Math.floor(share * choices.length)]
  const { min, max } = choices
  const value = min * (max / min) ** share
  return Number.isInteger(min) && Number.isInteger(max) ? Math.round(value) : Number(value.toPrecision(3))
}
