import { realpath } from 'node:fs/promises'
import type { Tokenizer } from '../data/tokenizer.js'
import { invalidArgument, SentenceTorchError } from '../errors.js'
import type { ClassifierDescription, ConfigObject, Description, NativeAddon, NativeEncoder } from '../native/types.js'
import { checkOptions, checkType } from '../options.js'
import type { SavedAdapter } from './adapters/config.js'
import { type AdapterState, DEFAULT_NAME, type ModelAdapters, newAdapters } from './adapters/model-adapters.js'
import type { AdapterOptions } from './adapters/options.js'
import type { TrainingFacts } from './card/facts.js'
import { resolveModel } from './hub.js'
import { checkLoaded, noSuchPrompt } from './load-errors.js'
import { checkSourceOptions } from './load-options.js'
import type { ModuleName } from './modules/index.js'
import type { ExportOnnxOptions } from './onnx/export.js'
import { notForRouters, type RouterFolder } from './router/networks.js'
import { saveModelFolder } from './save-folder.js'
import type { StoredNames } from './stored-names.js'
import { SOURCE_OPTIONS, type SourceOptions } from './types.js'
import { guardOf } from './weight-guard.js'
import type { WeightFiles } from './weights.js'

/** What a loaded model of any kind is made of. */
export interface BaseParts {
  addon: NativeAddon
  encoder: NativeEncoder
  tokenizer: Tokenizer
  /** Of a model with a Router: of each network. The first one is `tokenizer`. */
  tokenizers?: Tokenizer[]
  folder: {
    config: ConfigObject
    architecture: string
    description: Description
    transformerPath: string | undefined
    classifier?: ClassifierDescription
    prompts: Record<string, string>
    defaultPromptName: string | null
    router?: RouterFolder
  }
  /** What the files call the tensors. */
  names: StoredNames
  /** Hub id it came from. */
  id: string | undefined
  device: string
  dtype: 'float32' | 'bfloat16' | 'int8'
  /** Path or hub id of the base model, where the model came as an adapter. */
  base?: string | undefined
  adapters?: ModelAdapters
}

export interface SaveOptions {
  /**
   * Of a model with an adapter: whether only the active adapter is saved, as PEFT saves it, with all but the transformer's weights,
   * or the whole model with the adapter merged into its weights. Default true, as in Python.
   */
  adapterOnly?: boolean
}

export interface LoadAdapterOptions extends SourceOptions {
  /** By which the adapter is called. Default `default`. */
  name?: string
}

/** What SentenceTransformer and CrossEncoder have in common. */
export abstract class BaseModel<P extends BaseParts> {
  readonly #parts: P
  readonly #kind: string
  /** @internal What the model card says of the last training, as soon as it is known. */
  trainingFacts: (() => TrainingFacts) | undefined
  #disposed: Promise<void> | undefined

  /** @param kind the name of the class */
  protected constructor(kind: string, parts: P) {
    checkLoaded(kind, parts)
    this.#kind = kind
    this.#parts = parts
  }

  /** @internal Hub id of the folder that was loaded, if it came from the hub. */
  get hubId(): string | undefined {
    return this.#parts.id
  }

  /** Device that computes: `cpu`, `cuda:0`, … */
  get device(): string {
    return this.#parts.device
  }

  /** Number type of the computation. */
  get dtype(): 'float32' | 'bfloat16' | 'int8' {
    return this.#parts.dtype
  }

  /** Prompts by name, to be put in front of texts (of a pair: in front of the first one); '' for none. May be edited. */
  get prompts(): Record<string, string> {
    return this.#parts.folder.prompts
  }

  /** The prompt that is used when none is asked for. */
  get defaultPromptName(): string | null {
    return this.#parts.folder.defaultPromptName
  }

  /** The transformer's config.json as it was read. Do not change it. */
  get config(): ConfigObject {
    return this.#parts.folder.config
  }

  /**
   * Saves the model as a folder that `load` and Python read (sentence-transformers 2.x to 6.x, of cross-encoders 4.x to 6.x and
   * transformers; text-embeddings-inference): weights in float32, tokenizer, settings, a model card. An older folder at `path` is
   * replaced as a whole, or left as it was if anything fails; files in it that belong to no model are kept. A mount point, the
   * working directory and a folder in a parent that may not be written are filled where they are.
   *
   * A model with an adapter is saved as that, beside the name of its base model, unless `adapterOnly` is false.
   * Beside a training the folder has the weights of one step: the training waits until they are written.
   * @throws SentenceTorchError ERR_DISPOSED, ERR_INVALID_ARGUMENT; NotSavedError (ERR_NOT_SAVED) when `path` cannot be written:
   * its `savedIn` is the temporary folder where the model was saved instead, its `cause` the file system's error
   */
  async save(path: string, options: SaveOptions = {}): Promise<void> {
    this.use()
    if (typeof path !== 'string' || path === '') throw invalidArgument('path', 'the path of a folder', path)
    const write = this.#heldWriter(path, options)
    if (options.adapterOnly !== false) await this.#keepBase(path)
    await saveModelFolder(path, write)
  }

  /** `save` by the name that it has in transformers. Source: `save_pretrained`. */
  savePretrained(path: string, options: SaveOptions = {}): Promise<void> {
    return this.save(path, options)
  }

  /**
   * Writes the folder of `save` with the model as a graph of ONNX beside its weights, in the layout of transformers.js:
   * `onnx/model.onnx` (fp32) and `onnx/model_quantized.onnx` (q8), weights beyond 2 GB in `model.onnx_data`. onnxruntime,
   * transformers.js and sentence-transformers read it. Graphs that an older folder has are replaced or removed. An adapter is merged.
   *
   * The inputs are `input_ids`, `attention_mask` and, where the model reads it, `token_type_ids`, int64 [batch, sequence]. The outputs
   * are `last_hidden_state` [batch, sequence, width] and `sentence_embedding` [batch, dimension] (not where the pooling leaves the
   * prompt out), of a cross-encoder `logits` [batch, labels].
   *
   * ```ts
   * await model.exportOnnx('models/web', { dtype: ['fp32', 'q8'] })
   * ```
   * @throws as `save`; SentenceTorchError ERR_NOT_IMPLEMENTED, ERR_UNKNOWN_OPTION
   */
  async exportOnnx(path: string, options: ExportOnnxOptions = {}): Promise<void> {
    const { encoder, addon, folder, tokenizer } = this.use()
    if (typeof path !== 'string' || path === '') throw invalidArgument('path', 'the path of a folder', path)
    const { checkExportOptions, exportModel } = await import('./onnx/export.js')
    const dtypes = checkExportOptions(options)
    const write = this.#heldWriter(path, { adapterOnly: false })
    const parts = {
      ...{ encoder, write, version: addon.runtime().addonVersion },
      config: { ...folder.config, model_type: folder.architecture },
      tokenizerConfig: { tokenizer_class: 'PreTrainedTokenizerFast', model_max_length: tokenizer.maxSeqLength },
    }
    await guardOf(encoder).hold(() => exportModel(path, parts, dtypes))
  }

  /** @internal Writes the files of `save` into an empty folder, of which `target` is the path to be. */
  async writeFiles(folder: string, target: string): Promise<void> {
    const write = this.#heldWriter(target, {})
    await this.#keepBase(target)
    await write(folder)
  }

  /**
   * Adds a LoRA adapter, which becomes the active one. From then on the transformer is frozen: a trainer trains the adapter, and the
   * modules behind the transformer. At first it changes nothing, since B is 0. Call it before the trainer is made.
   *
   * ```ts
   * await model.addAdapter({ r: 16, alpha: 32, dropout: 0.1, targetModules: 'all-linear' })
   * ```
   * Source: sentence-transformers `add_adapter`, peft `LoraConfig`.
   * @throws SentenceTorchError ERR_INVALID_ARGUMENT (`targetModules` that find nothing: the message has the names there are),
   * ERR_UNKNOWN_OPTION, ERR_NOT_IMPLEMENTED, ERR_UNSUPPORTED (dtype int8), ERR_BUSY during a training
   */
  async addAdapter(options: AdapterOptions = {}): Promise<void> {
    await this.#adapters().add(options)
  }

  /**
   * Adds an adapter that PEFT or `save` wrote, which becomes the active one.
   * @param idOrPath a folder, or a hub id
   * Source: sentence-transformers `load_adapter`.
   * @throws SentenceTorchError as `load`; ERR_INVALID_TENSORS for an adapter of another base model, naming the first tensor that
   * does not fit
   */
  async loadAdapter(idOrPath: string, options: LoadAdapterOptions = {}): Promise<void> {
    const adapters = this.#adapters()
    if (typeof idOrPath !== 'string' || idOrPath === '') {
      throw invalidArgument('idOrPath', 'a folder or a hub id', idOrPath)
    }
    checkOptions('loadAdapter', options, [...SOURCE_OPTIONS, 'name'])
    checkSourceOptions(options)
    checkType('name', options.name, 'string')
    const { path } = await resolveModel(idOrPath, options)
    await adapters.load(path, options.name)
  }

  /** Makes another adapter the active one. Source: sentence-transformers `set_adapter`. */
  async setAdapter(name: string): Promise<void> {
    await this.#adapters().set(name)
  }

  /** From now on the model computes with its active adapter again. Source: sentence-transformers `enable_adapters`. */
  async enableAdapters(): Promise<void> {
    await this.#adapters().enable(true)
  }

  /** From now on the model computes as its base. Source: sentence-transformers `disable_adapters`. */
  async disableAdapters(): Promise<void> {
    await this.#adapters().enable(false)
  }

  /** The names of all adapters, in the order in which they came. */
  get adapterNames(): string[] {
    return this.#parts.adapters?.names ?? []
  }

  /** The active adapter, whether adapters are enabled or not: one name or none. Source: sentence-transformers `active_adapters`. */
  activeAdapters(): string[] {
    const active = this.#parts.adapters?.active
    return active === undefined ? [] : [active]
  }

  /** Takes an adapter away. Without any, the transformer is trained again. Source: sentence-transformers `delete_adapter`. */
  async deleteAdapter(name: string): Promise<void> {
    await this.#adapters().delete(name)
  }

  /**
   * Adds an adapter to the weights for good, and takes it away. The model computes the same as before.
   * @param name default: the active one
   * Source: peft `merge_and_unload`.
   */
  async merge(name?: string): Promise<void> {
    checkType('name', name, 'string')
    await this.#adapters().merge(name)
  }

  /**
   * The tensors of an adapter, by PEFT's names.
   * @param name default: the active one
   * Source: sentence-transformers `get_adapter_state_dict`.
   */
  async getAdapterStateDict(name: string = this.activeAdapters()[0] ?? DEFAULT_NAME): Promise<AdapterState> {
    return this.#adapters().state(name)
  }

  /**
   * Keeps the weights as they are until `work` has ended: a training of this model waits between two steps meanwhile. For what
   * takes several calls and is to see one step; `save` and evaluators do so by themselves. Encoding goes on. Do not wait for a
   * training inside: it would wait, too.
   * @returns what `work` returns
   */
  async hold<T>(work: () => Promise<T>): Promise<T> {
    const { encoder } = this.use()
    if (typeof work !== 'function') throw invalidArgument('work', 'a function', work)
    return guardOf(encoder).hold(work)
  }

  /** Frees the weights once the work that is queued is done; later calls throw ERR_DISPOSED. Idempotent. */
  async dispose(): Promise<void> {
    const { encoder, tokenizer, tokenizers = [tokenizer] } = this.#parts
    this.#disposed ??= Promise.all([encoder, ...tokenizers].map((one) => one.dispose())).then(() => {})
    await this.#disposed
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.dispose()
  }

  /** @internal SHA-256 of all that decides the embedding of a text, but for what a call of `encode` says. */
  async contentHash(): Promise<string> {
    const { encoder, tokenizer, tokenizers = [tokenizer], folder, dtype } = this.use()
    const { hashModel, sameConfig } = await import('./model-hash.js')
    const configs = (folder.router?.networks ?? [folder]).map(({ config }) => sameConfig(config))
    const { queryLength, documentLength, queryExpansion } = folder as unknown as Record<string, unknown>
    const settings = [this.#kind, String(this), dtype, configs, queryLength, documentLength, queryExpansion]
    return guardOf(encoder).hold(() => hashModel({ encoder, tokenizers, settings }))
  }

  /** @internal The engine's encoder, for the trainer; of a cross-encoder its embeddings are logits. */
  get encoder(): NativeEncoder {
    return this.use().encoder
  }

  /** @internal Texts to token ids, for the trainer. */
  get tokenizer(): Tokenizer {
    return this.use().tokenizer
  }

  /** @internal Takes the weights of a folder that `save` wrote, for the trainer. */
  async loadWeights(path: string): Promise<void> {
    const { encoder, adapters, folder } = this.use()
    const weights =
      adapters?.active === undefined
        ? await this.openWeights(path)
        : await adapters.open({ path, description: folder.description, modules: this.savedModules() })
    try {
      await weights.replace(encoder)
    } finally {
      await weights.close()
    }
  }

  /** The weights of a folder of this model. */
  protected abstract openWeights(path: string): Promise<WeightFiles>

  /** The modules behind the transformer, and where `save` puts their files. */
  protected abstract savedModules(): { type: ModuleName; path: string }[]

  /**
   * Writes the files of `save`, with the settings at this call, into an empty folder.
   * @param adapter in whose place the transformer's weights are left out
   */
  protected abstract writer(target: string, adapter: SavedAdapter | undefined): (folder: string) => Promise<void>

  /** @throws ERR_INVALID_ARGUMENT where an adapter would take the place of the base model that it needs */
  async #keepBase(target: string): Promise<void> {
    const { adapters, folder } = this.use()
    if (adapters?.active === undefined || folder.transformerPath === undefined) return
    const places = [target, folder.transformerPath].map((path) => realpath(path).catch(() => undefined))
    const [place, base] = await Promise.all(places)
    if (place === undefined || place !== base) return
    const expected =
      'another folder than that of the base model, which an adapter needs (adapterOnly: false saves the whole model)'
    throw invalidArgument('path', expected, target)
  }

  #heldWriter(target: string, options: SaveOptions): (folder: string) => Promise<void> {
    const { encoder, adapters } = this.use()
    checkOptions('save', options, ['adapterOnly'])
    checkType('adapterOnly', options.adapterOnly, 'boolean')
    const adapter = adapters?.saved()
    if (options.adapterOnly === true && adapter === undefined) {
      const message = 'Expected a model with an active adapter for adapterOnly: true'
      throw new SentenceTorchError('ERR_INVALID_ARGUMENT', message)
    }
    const write = this.writer(target, options.adapterOnly === false ? undefined : adapter)
    return (folder) => guardOf(encoder).hold(() => write(folder))
  }

  #adapters(): ModelAdapters {
    const parts = this.use()
    if (parts.folder.router) throw notForRouters('An adapter')
    parts.adapters ??= newAdapters(parts)
    return parts.adapters
  }

  /** What the model is made of, whether it is disposed or not. */
  protected get parts(): P {
    return this.#parts
  }

  /** @throws SentenceTorchError ERR_DISPOSED */
  protected use(): P {
    if (this.#disposed) throw new SentenceTorchError('ERR_DISPOSED', `This ${this.#kind} has been disposed`)
    return this.#parts
  }

  /** The prompt that a call asks for. */
  protected promptOf({ prompt, promptName }: { prompt?: string; promptName?: string }): string {
    if (prompt !== undefined && promptName !== undefined) {
      throw new SentenceTorchError('ERR_INVALID_ARGUMENT', 'Expected prompt or promptName, but received both')
    }
    if (prompt !== undefined) return prompt
    const name = promptName ?? this.defaultPromptName
    if (name === null) return ''
    if (Object.hasOwn(this.prompts, name)) return this.prompts[name]!
    throw noSuchPrompt('promptName', name, this.prompts)
  }
}
