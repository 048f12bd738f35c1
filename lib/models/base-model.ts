import type { Tokenizer } from '../data/tokenizer.js'
import { invalidArgument, SentenceTorchError } from '../errors.js'
import type { ConfigObject, NativeAddon, NativeEncoder } from '../native/types.js'
import { checkLoaded, noSuchPrompt } from './load-errors.js'
import { saveModelFolder } from './save-folder.js'
import { guardOf } from './weight-guard.js'
import type { StoredNames, WeightFiles } from './weights.js'

/** What a loaded model of any kind is made of. */
export interface BaseParts {
  addon: NativeAddon
  encoder: NativeEncoder
  tokenizer: Tokenizer
  folder: { config: ConfigObject; prompts: Record<string, string>; defaultPromptName: string | null }
  /** What the files call the tensors. */
  names: StoredNames
  /** Hub id it came from. */
  id: string | undefined
  device: string
  dtype: 'float32' | 'bfloat16' | 'int8'
}

/** What SentenceTransformer and CrossEncoder have in common. */
export abstract class BaseModel<P extends BaseParts> {
  readonly #parts: P
  readonly #kind: string
  #disposed: Promise<void> | undefined

  /** @param kind the name of the class */
  protected constructor(kind: string, parts: P) {
    checkLoaded(kind, parts)
    this.#kind = kind
    this.#parts = parts
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
   * Beside a training the folder has the weights of one step: the training waits until they are written.
   * @throws SentenceTorchError ERR_DISPOSED, ERR_INVALID_ARGUMENT; NotSavedError (ERR_NOT_SAVED) when `path` cannot be written:
   * its `savedIn` is the temporary folder where the model was saved instead, its `cause` the file system's error
   */
  async save(path: string): Promise<void> {
    this.use()
    if (typeof path !== 'string' || path === '') throw invalidArgument('path', 'the path of a folder', path)
    await saveModelFolder(path, this.#heldWriter(path))
  }

  /** `save` by the name that it has in transformers. Source: `save_pretrained`. */
  savePretrained(path: string): Promise<void> {
    return this.save(path)
  }

  /** @internal Writes the files of `save` into an empty folder, of which `target` is the path to be. */
  async writeFiles(folder: string, target: string): Promise<void> {
    await this.#heldWriter(target)(folder)
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
    this.#disposed ??= Promise.all([this.#parts.encoder.dispose(), this.#parts.tokenizer.dispose()]).then(() => {})
    await this.#disposed
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.dispose()
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
    const { encoder } = this.use()
    const weights = await this.openWeights(path)
    try {
      await weights.replace(encoder)
    } finally {
      await weights.close()
    }
  }

  /** The weights of a folder of this model. */
  protected abstract openWeights(path: string): Promise<WeightFiles>

  /** Writes the files of `save`, with the settings at this call, into an empty folder. */
  protected abstract writer(target: string): (folder: string) => Promise<void>

  #heldWriter(target: string): (folder: string) => Promise<void> {
    const { encoder } = this.use()
    const write = this.writer(target)
    return (folder) => guardOf(encoder).hold(() => write(folder))
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
