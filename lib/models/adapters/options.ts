import { invalidArgument, SentenceTorchError } from '../../errors.js'
import { checkInteger, checkOptions, isPlainObject } from '../../options.js'

/** What `addAdapter` takes: the options of PEFT's LoraConfig, with its defaults. */
export interface AdapterOptions {
  /** By which the adapter is called. Default `default`. */
  name?: string
  /** Rank: the width between A and B. Default 8. */
  r?: number
  /** The adapter adds alpha / r · B A to a weight. Default 8. */
  alpha?: number
  /** Of the input of A, in training. Default 0. */
  dropout?: number
  /**
   * The linear layers that get an adapter: the ends of their names (`['query', 'value']`), or a regular expression over whole names
   * (as text or RegExp), or `all-linear`. Default: what PEFT chooses for the architecture, where it has a choice.
   */
  targetModules?: readonly string[] | string | RegExp
  /** Ranks of some layers, by the ends of their names (regular expressions, the first that fits). */
  rankPattern?: Readonly<Record<string, number>>
  /** The same for `alpha`. */
  alphaPattern?: Readonly<Record<string, number>>
  /** alpha / √r in place of alpha / r (Kalajdzievski 2023). Default false. */
  useRslora?: boolean
  /** Of the initial values. Default 0. */
  seed?: number
}

const OPTIONS = [
  ...['name', 'r', 'alpha', 'dropout', 'targetModules', 'rankPattern', 'alphaPattern', 'useRslora', 'seed'],
]

const NOT_BUILT = {
  useDora: { harmless: [false] },
  useQalora: { harmless: [false] },
  bias: { harmless: ['none'], instead: 'biases are frozen' },
  loraBias: { harmless: [false] },
  modulesToSave: { instead: 'modules behind the transformer are always trained and saved' },
  layerReplication: {},
  trainableTokenIndices: {},
  targetParameters: {},
  excludeModules: { instead: 'use a regular expression for targetModules' },
  layersToTransform: { instead: 'use a regular expression for targetModules' },
  layersPattern: { instead: 'use a regular expression for targetModules' },
  initLoraWeights: { harmless: [true], instead: 'A is drawn as PEFT draws it, and B is 0' },
  fanInFanOut: { harmless: [false] },
}

/** @throws SentenceTorchError ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION, ERR_NOT_IMPLEMENTED */
export function checkAdapterOptions(options: AdapterOptions): void {
  checkOptions('addAdapter', options, OPTIONS, NOT_BUILT)
  checkAdapterName(options.name)
  checkInteger('r', options.r, 1)
  checkNumber('alpha', options.alpha)
  const { dropout, useRslora, targetModules } = options
  if (dropout !== undefined && !(typeof dropout === 'number' && dropout >= 0 && dropout <= 0.9999)) {
    throw invalidArgument('dropout', 'a number from 0 to 0.9999', dropout)
  }
  if (useRslora !== undefined && typeof useRslora !== 'boolean') {
    throw invalidArgument('useRslora', 'true or false', useRslora)
  }
  checkInteger('seed', options.seed, 0)
  const isList = Array.isArray(targetModules) && targetModules.every((one) => typeof one === 'string')
  const isPattern = typeof targetModules === 'string' || targetModules instanceof RegExp
  if (targetModules !== undefined && !isPattern && !(isList && targetModules.length > 0)) {
    throw invalidArgument('targetModules', 'an array of names, a regular expression or "all-linear"', targetModules)
  }
  if (isPattern) checkPattern('targetModules', targetModules)
  checkPatterns('rankPattern', options.rankPattern, (name, value) => checkInteger(name, value ?? null, 1))
  checkPatterns('alphaPattern', options.alphaPattern, (name, value) => checkNumber(name, value ?? null))
}

/** A part of the engine's names, and of a file's in PEFT. */
export function checkAdapterName(name: unknown): void {
  if (name === undefined || (typeof name === 'string' && /^[\w-]{1,100}$/.test(name))) return
  throw invalidArgument('name', 'letters, digits, _ and -', name)
}

function checkNumber(name: string, value: unknown): void {
  if (value !== undefined && !Number.isFinite(value)) throw invalidArgument(name, 'a number', value)
}

function checkPatterns(name: string, value: unknown, check: (name: string, value: unknown) => void): void {
  if (value === undefined) return
  if (!isPlainObject(value)) throw invalidArgument(name, 'numbers by the names of layers', value)
  for (const [pattern, number] of Object.entries(value)) {
    checkPattern(name, pattern)
    check(`${name}[${JSON.stringify(pattern)}]`, number)
  }
}

function checkPattern(name: string, pattern: string | RegExp): void {
  try {
    new RegExp(pattern)
  } catch (cause) {
    const message = `Expected regular expressions for ${name} but received ${pattern}: ${(cause as Error).message}`
    throw new SentenceTorchError('ERR_INVALID_ARGUMENT', message, { cause })
  }
}
