import { SentenceTorchError } from '../../errors.js'
import type { TensorInfo } from '../../native/types.js'
import type { StoredNames } from '../stored-names.js'
import { placesOf } from '../weight-check.js'

/** A linear layer of a model. */
export interface LinearModule {
  /** Its name in Python, below the transformer: `encoder.layer.0.attention.self.query`. */
  module: string
  /** Its weight, as the engine calls it; of layers that a file has as one, the whole. */
  tensor: string
  outputs: number
  inputs: number
}

/**
 * The linear layers of a transformer (and of a cross-encoder's classifier), as the model's files have them.
 * @param names of the files
 * @param pathOf the name in Python of a bare name
 */
export function linearModules(
  tensors: readonly TensorInfo[],
  names: StoredNames,
  pathOf: (own: string, bare: string) => string = (_own, bare) => bare,
): LinearModule[] {
  const infos = tensors.filter(({ name, linear }) => linear === true && name.startsWith('0.'))
  const blocks = new Set(infos.flatMap(({ block }) => (block !== undefined && names.has(block) ? [block] : [])))
  const inBlock = new Set(infos.flatMap(({ name, block }) => (block !== undefined && blocks.has(block) ? [name] : [])))
  return [...placesOf(infos)]
    .filter(([name, { parts }]) => (parts[0] === name ? !inBlock.has(name) : blocks.has(name)))
    .map(([tensor, { shape }]) => {
      const own = tensor.slice('0.'.length)
      const path = pathOf(own, names.get(tensor) ?? own)
      return { module: path.replace(/\.weight$/, ''), tensor, outputs: shape[0]!, inputs: shape[1]! }
    })
}

/** What PEFT adapts where nothing is chosen. Source: peft `TRANSFORMERS_MODELS_TO_LORA_TARGET_MODULES_MAPPING`. */
const CHOICES: Readonly<Record<string, readonly string[]>> = {
  ...Object.fromEntries(['bert', 'roberta', 'xlm-roberta', 'electra'].map((type) => [type, ['query', 'value']])),
  ...Object.fromEntries(['t5', 'mt5'].map((type) => [type, ['q', 'v']])),
  ...Object.fromEntries(['qwen2', 'qwen3', 'gemma3_text'].map((type) => [type, ['q_proj', 'v_proj']])),
}

/** The linear layers that `targetModules` means, as PEFT finds them; each name and pattern has to find one. */
export function chooseTargets(
  modules: readonly LinearModule[],
  targetModules: readonly string[] | string | RegExp | undefined,
  architecture: string,
): LinearModule[] {
  if (modules.length === 0) {
    const message = `A model of type ${architecture} has no linear layers, so no adapters`
    throw new SentenceTorchError('ERR_INVALID_ARGUMENT', message)
  }
  const chosen = targetModules ?? CHOICES[architecture]
  if (chosen === undefined) {
    const message = `PEFT has no targetModules for model_type ${architecture}: choose some of ${listOf(modules)}`
    throw new SentenceTorchError('ERR_INVALID_ARGUMENT', message)
  }
  if (Array.isArray(chosen)) {
    const fits = (module: string, end: string) => module === end || module.endsWith(`.${end}`)
    const idle = chosen.find((end: string) => !modules.some(({ module }) => fits(module, end)))
    if (idle !== undefined) throw nothingFound(idle, modules)
    return modules.filter(({ module }) => chosen.some((end: string) => fits(module, end)))
  }
  const pattern = chosen as string | RegExp
  if (typeof pattern === 'string' && pattern.toLowerCase() === 'all-linear') return [...modules]
  const expression =
    typeof pattern === 'string'
      ? new RegExp(`^(?:${pattern})$`)
      : new RegExp(`^(?:${pattern.source})$`, pattern.flags.replace(/[gy]/g, ''))
  const found = modules.filter(({ module }) => expression.test(module))
  if (found.length === 0) throw nothingFound(String(pattern), modules)
  return found
}

/** The value of the first pattern that fits the end of a name. Source: peft `get_pattern_key`. */
export function valueFor(patterns: Readonly<Record<string, number>>, module: string, otherwise: number): number {
  const found = Object.keys(patterns).find((pattern) => new RegExp(`^(?:.*\\.)?(?:${pattern})$`).test(module))
  return found === undefined ? otherwise : patterns[found]!
}

function nothingFound(pattern: string, modules: readonly LinearModule[]): SentenceTorchError {
  const message = `Expected names of linear layers for targetModules but ${JSON.stringify(pattern)} finds none of ${listOf(modules)}`
  return new SentenceTorchError('ERR_INVALID_ARGUMENT', message)
}

/** The names, with those of all layers as one. */
function listOf(modules: readonly LinearModule[]): string {
  return [...new Set(modules.map(({ module }) => module.replace(/\.\d+(?=\.|$)/g, '.*')))].join(', ')
}
