import { access } from 'node:fs/promises'
import { join } from 'node:path'
import { SentenceTorchError } from '../../errors.js'
import type { TensorFile } from '../../io/tensor-file.js'
import type { AdapterSpec, Description, TensorInfo } from '../../native/types.js'
import { NamesOfFiles } from '../checkpoint-names.js'
import type { AdapterConfig } from './config.js'
import { ADAPTER_WEIGHTS } from './config.js'
import type { LinearModule } from './targets.js'
import { valueFor } from './targets.js'

/** In front of the names of modules, as PEFT writes them. */
const PREFIX = 'base_model.model.'
const KEY = /^(.+)\.lora_([AB])\.weight$/

/** The name of a factor in PEFT's files. */
export function peftName(module: string, factor: 'A' | 'B'): string {
  return `${PREFIX}${module}.lora_${factor}.weight`
}

/** The name of a factor in the engine. */
export function engineName(adapter: string, { tensor }: Pick<LinearModule, 'tensor'>, factor: 'A' | 'B'): string {
  return `adapter.${adapter}.${tensor.replace(/\.weight$/, '')}.lora_${factor}.weight`
}

/** The file of an adapter's tensors. @throws SentenceTorchError ERR_INVALID_MODEL without one */
export async function adapterFile(folder: string): Promise<string> {
  for (const name of ADAPTER_WEIGHTS) {
    const path = join(folder, name)
    const found = await access(path).then(
      () => true,
      () => false,
    )
    if (found) return path
  }
  throw new SentenceTorchError('ERR_INVALID_MODEL', `Expected ${ADAPTER_WEIGHTS[0]} in ${folder}, found none`)
}

/** What a file's tensors belong to. */
export interface AdapterTensors {
  targets: { module: LinearModule; rank: number }[]
  /** The engine's names of the file's tensors. */
  names: Map<string, string>
}

/** The layers of a model, and how files call them. */
export interface AdaptedModel {
  modules: readonly LinearModule[]
  /** All tensors of the model, whether adapters are built for them or not. */
  tensors: readonly Pick<TensorInfo, 'name'>[]
  description: Description
}

/**
 * Finds the layers that the tensors of an adapter's file belong to.
 * @param name of the adapter
 * @throws SentenceTorchError ERR_INVALID_TENSORS naming the first tensor that does not fit the model
 */
export function placeTensors(
  file: TensorFile,
  { modules, tensors, description }: AdaptedModel,
  name: string,
): AdapterTensors {
  const naming = new NamesOfFiles(description.names)
  const byTensor = new Map(modules.map((module) => [module.tensor, module]))
  const byModule = new Map(modules.map((module) => [module.module, module]))
  const found = new Map<LinearModule, number>()
  const names = new Map<string, string>()
  for (const [key, { shape }] of file.tensors) {
    const [, path, factor] = KEY.exec(key.startsWith(PREFIX) ? key.slice(PREFIX.length) : key) ?? []
    if (path === undefined) throw misfit(file, key, 'is no lora_A.weight or lora_B.weight')
    const own = naming.engine(naming.bare(`${path}.weight`))
    const module = byModule.get(path) ?? byTensor.get(`0.${own}`)
    if (module === undefined) {
      // PEFT adapts the pooler with all other layers, whether a model uses it or not.
      if (own !== undefined && description.names.pooler.includes(own)) continue
      if (tensors.some((tensor) => tensor.name === `0.${own}`)) {
        const message = `${file.path} has ${key}: an adapter for this layer is not built`
        throw new SentenceTorchError('ERR_NOT_IMPLEMENTED', message)
      }
      throw misfit(file, key, 'has no layer in this model')
    }
    const { inputs, outputs } = module
    const fits = shape.length === 2 && (factor === 'A' ? shape[1] === inputs : shape[0] === outputs)
    if (!fits)
      throw misfit(file, key, `is [${shape}], expected ${factor === 'A' ? `[r, ${inputs}]` : `[${outputs}, r]`}`)
    const rank = factor === 'A' ? shape[0]! : shape[1]!
    if ((found.get(module) ?? rank) !== rank) throw misfit(file, key, `is [${shape}], expected r ${found.get(module)}`)
    found.set(module, rank)
    names.set(key, engineName(name, module, factor as 'A' | 'B'))
  }
  if (found.size === 0) throw new SentenceTorchError('ERR_INVALID_TENSORS', `${file.path} has no tensors of an adapter`)
  return { targets: [...found].map(([module, rank]) => ({ module, rank })), names }
}

/** The engine's adapter of a file's tensors. */
export function specOf(name: string, config: AdapterConfig, targets: AdapterTensors['targets']): AdapterSpec {
  return {
    name,
    dropout: config.dropout,
    rankStabilized: config.useRslora,
    targets: targets.map(({ module, rank }) => {
      return { name: module.tensor, rank, alpha: valueFor(config.alphaPattern, module.module, config.alpha) }
    }),
  }
}

function misfit(file: TensorFile, key: string, what: string): SentenceTorchError {
  const message = `The adapter ${file.path} does not fit the model: ${key} ${what}. It belongs to another base model`
  return new SentenceTorchError('ERR_INVALID_TENSORS', message)
}
