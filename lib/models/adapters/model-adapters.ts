import { resolve } from 'node:path'
import { fromNative, invalidArgument, SentenceTorchError } from '../../errors.js'
import { openTensorFile } from '../../io/tensor-file.js'
import type {
  AdapterSpec,
  ClassifierDescription,
  ConfigObject,
  Description,
  NativeEncoder,
  TensorRange,
} from '../../native/types.js'
import { pythonPath } from '../checkpoint-names.js'
import type { StoredNames } from '../stored-names.js'
import { guardOf } from '../weight-guard.js'
import { type ModelFiles, WeightFiles } from '../weights.js'
import { type AdapterConfig, readAdapterConfig, type SavedAdapter } from './config.js'
import { adapterFile, engineName, peftName, placeTensors, specOf } from './files.js'
import { type AdapterOptions, checkAdapterName, checkAdapterOptions } from './options.js'
import { chooseTargets, type LinearModule, linearModules, valueFor } from './targets.js'

/** The tensors of an adapter, by PEFT's names. */
export type AdapterState = Readonly<Record<string, { readonly shape: readonly number[]; readonly data: Float32Array }>>

/** A layer with the rank of its adapter. */
interface Target extends LinearModule {
  rank: number
}

interface Adapter {
  name: string
  targets: Target[]
  /** The members of its adapter_config.json, without those that depend on the base model. */
  config: ConfigObject
}

/** What adapters have to know of their model. */
export interface AdapterHost {
  encoder: NativeEncoder
  names: StoredNames
  architecture: string
  description: Description
  /** Path or hub id of the base model, for adapter_config.json; undefined where it has none. */
  base: string | undefined
  /** The name in Python of a bare name. */
  pathOf: (own: string, bare: string) => string
}

export const DEFAULT_NAME = 'default'

/** What a model with adapters consists of. */
export interface AdapterParts extends Pick<AdapterHost, 'encoder' | 'names'> {
  folder: Pick<AdapterHost, 'architecture' | 'description'> & {
    transformerPath: string | undefined
    classifier?: ClassifierDescription
  }
  /** Hub id that it came from. */
  id: string | undefined
  base?: string | undefined
}

/** The adapters of a model that has none yet. */
export function newAdapters({ encoder, names, folder, id, base }: AdapterParts): ModelAdapters {
  const { architecture, description, transformerPath, classifier } = folder
  const path = transformerPath === undefined ? undefined : resolve(transformerPath)
  const pathOf = (own: string, bare: string) => (classifier ? pythonPath(own, bare, classifier) : bare)
  return new ModelAdapters({ encoder, names, architecture, description, base: base ?? id ?? path, pathOf })
}

/** The adapters of a model: by name, one of them active. */
export class ModelAdapters {
  readonly #host: AdapterHost
  readonly #all = new Map<string, Adapter>()
  #active: string | undefined
  #enabled = true

  constructor(host: AdapterHost) {
    this.#host = host
  }

  get names(): string[] {
    return [...this.#all.keys()]
  }

  /** The one that `set` chose last, whether adapters are enabled or not. */
  get active(): string | undefined {
    return this.#active
  }

  get enabled(): boolean {
    return this.#enabled
  }

  async add(options: AdapterOptions): Promise<void> {
    checkAdapterOptions(options)
    const { name = DEFAULT_NAME, r = 8, alpha = 8, dropout = 0, useRslora = false, seed = 0 } = options
    const { rankPattern = {}, alphaPattern = {} } = options
    this.#checkNew(name)
    const { encoder, architecture } = this.#host
    const chosen = chooseTargets(this.#modules(), options.targetModules, architecture)
    const targets = chosen.map((module) => ({ ...module, rank: valueFor(rankPattern, module.module, r) }))
    const alphas = targets.map(({ module }) => valueFor(alphaPattern, module, alpha))
    const spec: AdapterSpec = {
      name,
      dropout,
      rankStabilized: useRslora,
      targets: targets.map(({ tensor, rank }, i) => ({ name: tensor, rank, alpha: alphas[i]! })),
    }
    await this.#change(() => encoder.addAdapter(spec, seed), 'addAdapter')
    const others = (values: readonly number[], usual: number) =>
      Object.fromEntries(targets.flatMap(({ module }, i) => (values[i] === usual ? [] : [[module, values[i]!]])))
    const config = {
      r,
      lora_alpha: alpha,
      lora_dropout: dropout,
      use_rslora: useRslora,
      target_modules: savedTargets(options.targetModules, targets),
      rank_pattern: others(
        targets.map(({ rank }) => rank),
        r,
      ),
      alpha_pattern: others(alphas, alpha),
    }
    this.#begin({ name, targets, config })
  }

  /** Reads an adapter of PEFT. @param config of that folder, if it was read before */
  async load(folder: string, name: string = DEFAULT_NAME, given?: AdapterConfig): Promise<void> {
    checkAdapterName(name)
    this.#checkNew(name)
    const config = given ?? (await readAdapterConfig(folder))
    if (config === undefined) {
      throw new SentenceTorchError('ERR_NOT_FOUND', `There is no adapter in ${folder}: it has no adapter_config.json`)
    }
    const { encoder, description } = this.#host
    const path = await adapterFile(folder)
    const file = await openTensorFile(path)
    let placed: ReturnType<typeof placeTensors>
    try {
      placed = placeTensors(file, { modules: this.#modules(), tensors: encoder.tensors(), description }, name)
    } finally {
      await file.close()
    }
    const before = this.#enabled ? (this.#active ?? '') : ''
    await this.#change(() => encoder.addAdapter(specOf(name, config, placed.targets), 0), 'addAdapter')
    try {
      const weights = await WeightFiles.openAdapter({ path, description, modules: [] }, { name, names: placed.names })
      try {
        await weights.replace(encoder)
      } finally {
        await weights.close()
      }
    } catch (error) {
      await encoder.deleteAdapter(name).catch(() => {})
      await encoder.setAdapter(before).catch(() => {})
      throw error
    }
    const { base_model_name_or_path, revision, inference_mode, ...members } = config.members
    const targets = placed.targets.map(({ module, rank }) => ({ ...module, rank }))
    this.#begin({ name, targets, config: members })
  }

  /** The weights of the active adapter and of the modules behind the transformer in a folder that was saved. */
  async open(files: Omit<ModelFiles, 'transformerPath'>): Promise<WeightFiles> {
    const name = this.#active!
    const { encoder, description } = this.#host
    const path = await adapterFile(files.path)
    const file = await openTensorFile(path)
    try {
      const { names } = placeTensors(file, { modules: this.#modules(), tensors: encoder.tensors(), description }, name)
      return await WeightFiles.openAdapter(files, { name, names, path })
    } finally {
      await file.close()
    }
  }

  async set(name: string): Promise<void> {
    this.#find(name)
    if (this.#enabled) await this.#change(() => this.#host.encoder.setAdapter(name), 'setAdapter')
    this.#active = name
  }

  async enable(enabled: boolean): Promise<void> {
    this.#checkAny()
    await this.#change(() => this.#host.encoder.setAdapter(enabled ? (this.#active ?? '') : ''), 'setAdapter')
    this.#enabled = enabled
  }

  async delete(name: string): Promise<void> {
    this.#find(name)
    await this.#change(() => this.#host.encoder.deleteAdapter(name), 'deleteAdapter')
    this.#end(name)
  }

  async merge(name: string | undefined): Promise<void> {
    this.#checkAny()
    const chosen = this.#find(name ?? this.#active ?? '')
    const { encoder } = this.#host
    await this.#change(() => encoder.mergeAdapter(chosen.name), 'mergeAdapter')
    this.#end(chosen.name)
    if (this.#active !== undefined && this.#enabled) {
      await this.#change(() => encoder.setAdapter(this.#active!), 'setAdapter')
    }
  }

  async state(name: string | undefined): Promise<AdapterState> {
    this.#checkAny()
    const adapter = this.#find(name ?? this.#active ?? '')
    const state: Record<string, { shape: readonly number[]; data: Float32Array }> = {}
    const ranges: TensorRange[] = []
    for (const { name: key, tensor, shape } of this.#tensorsOf(adapter)) {
      const data = new Float32Array(shape.reduce((product, n) => product * n, 1))
      ranges.push({ name: tensor, start: 0, dtype: 'F32', data: new Uint8Array(data.buffer) })
      state[key] = { shape, data }
    }
    try {
      await this.#host.encoder.dump(ranges)
    } catch (error) {
      throw fromNative(error, 'Encoder.dump')
    }
    return state
  }

  /** The active adapter for a folder; undefined without one. */
  saved(): SavedAdapter | undefined {
    const adapter = this.#active === undefined ? undefined : this.#all.get(this.#active)
    if (adapter === undefined) return undefined
    const { base } = this.#host
    return {
      config: {
        ...PEFT_DEFAULTS,
        ...adapter.config,
        peft_type: 'LORA',
        base_model_name_or_path: base ?? null,
        inference_mode: true,
      },
      tensors: this.#tensorsOf(adapter),
    }
  }

  #tensorsOf({ name, targets }: Adapter): SavedAdapter['tensors'] {
    return targets.flatMap((target) => [
      {
        name: peftName(target.module, 'A'),
        tensor: engineName(name, target, 'A'),
        shape: [target.rank, target.inputs],
      },
      {
        name: peftName(target.module, 'B'),
        tensor: engineName(name, target, 'B'),
        shape: [target.outputs, target.rank],
      },
    ])
  }

  #modules(): LinearModule[] {
    const { encoder, names, pathOf } = this.#host
    return linearModules(encoder.tensors(), names, pathOf)
  }

  #begin(adapter: Adapter): void {
    this.#all.set(adapter.name, adapter)
    this.#active = adapter.name
    this.#enabled = true
  }

  #end(name: string): void {
    this.#all.delete(name)
    if (this.#active === name) this.#active = undefined
    if (this.#all.size === 0) this.#enabled = true
  }

  #checkNew(name: string): void {
    if (!this.#all.has(name)) return
    const message = `There is an adapter named ${name} already: give another name, or delete it first`
    throw new SentenceTorchError('ERR_INVALID_ARGUMENT', message)
  }

  #checkAny(): void {
    if (this.#all.size > 0) return
    throw new SentenceTorchError(
      'ERR_INVALID_ARGUMENT',
      'The model has no adapter: call addAdapter or loadAdapter first',
    )
  }

  #find(name: string): Adapter {
    this.#checkAny()
    const found = this.#all.get(name)
    if (found === undefined) throw invalidArgument('name', `one of ${this.names.join(', ')}`, name)
    return found
  }

  /** A job that changes what the model computes. */
  async #change(job: () => Promise<void>, where: string): Promise<void> {
    try {
      await guardOf(this.#host.encoder).change(job)
    } catch (error) {
      throw fromNative(error, `Encoder.${where}`)
    }
  }
}

/** What PEFT writes beside. */
const PEFT_DEFAULTS: ConfigObject = {
  auto_mapping: null,
  task_type: null,
  revision: null,
  bias: 'none',
  fan_in_fan_out: false,
  init_lora_weights: true,
  layers_to_transform: null,
  layers_pattern: null,
  modules_to_save: null,
  use_dora: false,
}

function savedTargets(given: AdapterOptions['targetModules'], targets: readonly LinearModule[]): string | string[] {
  if (Array.isArray(given)) return [...given]
  if (given instanceof RegExp) return given.source
  if (typeof given === 'string' && given.toLowerCase() !== 'all-linear') return given
  return targets.map(({ module }) => module)
}
