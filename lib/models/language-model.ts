import { join } from 'node:path'
import { describe, fromNative, SentenceTorchError } from '../errors.js'
import { openTensorFile, type TensorFile } from '../io/tensor-file.js'
import type {
  ConfigObject,
  Description,
  LanguageModelDescription,
  NativeAddon,
  TensorInfo,
  TensorRange,
} from '../native/types.js'
import { NamesOfFiles } from './checkpoint-names.js'
import { readTransformerConfig } from './first-module.js'
import { type HubOptions, resolveModel } from './hub.js'
import { readJson } from './json.js'
import { modulesSchema } from './model-folder.js'
import { areDifferent, byteLength, RANGE_BYTES } from './stored-bytes.js'
import { encoderConfig } from './transformer-config.js'
import { checkTensors, FLOAT_BYTES, type FloatDType, placesOf, type StoredTensor } from './weight-check.js'
import { weightFile } from './weight-file.js'

/** Where a model came from. */
export interface ModelSource {
  /** Folder of the transformer's files. */
  readonly transformerPath: string | undefined
  /** Hub id; undefined for a local folder. */
  readonly id: string | undefined
  readonly addon: NativeAddon
}

/** A model of up to this many parameters, or of 4 times what is stored, may lack tensors. */
const SMALL = 2 ** 26

/**
 * The tensors of a checkpoint by the names of transformers' class with a language-model head (of a BERT `bert.…`,
 * `cls.predictions.…`), however the file calls them; checkpoints of the bare transformer, and of classes with this head among others, are understood.
 *
 * What of the head is tied is decided as `from_pretrained` of transformers 5 does: as config.json says, but a matrix or bias
 * that the file has twice, with different values, is not.
 */
export class LanguageModelWeights {
  private constructor(
    /** Folder of the checkpoint. */
    readonly path: string,
    /** Its config.json. */
    readonly config: ConfigObject,
    /** Whether the last layer of the head is the table of word embeddings. */
    readonly tieWordEmbeddings: boolean,
    private readonly languageModel: LanguageModelDescription,
    private readonly file: TensorFile,
    private readonly tensors: ReadonlyMap<string, StoredTensor>,
  ) {}

  /**
   * @param own the model that the loss trains
   * @param nameOrPath a folder or a hub id as `SentenceTransformer.load` takes it; undefined: what `own` was loaded from
   * @throws as `SentenceTransformer.load`
   */
  static async open(own: ModelSource, nameOrPath?: string, options: HubOptions = {}): Promise<LanguageModelWeights> {
    const isOwn = nameOrPath === undefined || nameOrPath === own.id
    if (isOwn && own.transformerPath === undefined) {
      const message = 'The model is new, so it has no checkpoint that its loss could start from: name one as pretrained'
      throw new SentenceTorchError('ERR_INVALID_ARGUMENT', message)
    }
    const path = isOwn ? own.transformerPath! : await transformerFolder((await resolveModel(nameOrPath, options)).path)
    const { config, description } = await readTransformerConfig(path, () => own.addon, { decoder: true })
    const { languageModel } = description
    if (languageModel === null) {
      const message = `The language model of model_type ${describe(config.model_type)} in ${path} is not built yet`
      throw new SentenceTorchError('ERR_NOT_IMPLEMENTED', message)
    }
    const file = await openTensorFile(await weightFile(path, ''))
    try {
      const tensors = storedTensors(file, description, languageModel, transformerTensors(own.addon, config))
      const { matrix, bias } = languageModel
      const tied = config.tie_word_embeddings !== false
      const differ = (one: string, other: string) => areDifferent(tensors.get(one), tensors.get(other))
      const tieWordEmbeddings = tied && !(await differ(matrix, wordsOf(languageModel)))
      if (bias !== null && bias.second !== null) {
        // The forward pass of the head reads the second; where they are tied, it is another name of the first.
        const isOther = !tied || !tensors.has(bias.name) || (await differ(bias.name, bias.second))
        const chosen = tensors.get(isOther ? bias.second : bias.name)
        tensors.delete(bias.name)
        if (chosen !== undefined) tensors.set(bias.name, chosen)
      }
      return new LanguageModelWeights(path, config, tieWordEmbeddings, languageModel, file, tensors)
    } catch (error) {
      await file.close()
      throw error
    }
  }

  /** transformers' class with the head. */
  get className(): string {
    return this.languageModel.className
  }

  /** Whether the class with the head has such names. */
  isNamed(name: string): boolean {
    return name.startsWith(this.languageModel.prefix) || headNames(this.languageModel).has(name)
  }

  /** Shape of a tensor; undefined where the file does not have it. */
  shape(name: string): readonly number[] | undefined {
    return this.tensors.get(name)?.shape
  }

  /** The values of a tensor that is there, in ranges for the engine, under the name `as`. */
  async *ranges(name: string, as: string): AsyncGenerator<TensorRange, void, undefined> {
    const { name: stored, dtype, shape } = this.tensors.get(name)!
    const bytes = FLOAT_BYTES[dtype as FloatDType]
    const total = byteLength(shape, dtype)
    for (let start = 0; start < total; start += RANGE_BYTES) {
      const data = await this.file.read(stored, start, Math.min(start + RANGE_BYTES, total))
      yield { name: as, start: start / bytes, dtype: dtype as FloatDType, data }
    }
  }

  async close(): Promise<void> {
    await this.file.close()
  }
}

/** Folder of the transformer in a sentence-transformers folder, or the plain Hugging Face folder itself. */
async function transformerFolder(path: string): Promise<string> {
  const modules = await readJson(join(path, 'modules.json'), modulesSchema)
  // Old folders have it in 0_Transformer.
  return join(path, modules?.[0]?.path ?? '')
}

/** The bare transformer's tensors, laid out and not made. */
function transformerTensors(addon: NativeAddon, config: ConfigObject): TensorInfo[] {
  const spec = {
    architecture: config.model_type as string,
    config: encoderConfig(config),
    modules: [{ type: 'Pooling', modes: ['mean'], includePrompt: true }],
    ...{ pooler: false, device: 'cpu', dtype: 'float32' as const },
  }
  try {
    const encoder = new addon.Encoder(spec)
    const tensors = encoder.tensors()
    void encoder.dispose()
    return tensors
  } catch (error) {
    throw fromNative(error, 'Encoder')
  }
}

/** The names of the head's tensors, second names among them. */
function headNames({ tensors, bias }: LanguageModelDescription): Set<string> {
  const names = new Set(tensors.map(({ name }) => name))
  return bias?.second ? names.add(bias.second) : names
}

function wordsOf({ prefix, table }: LanguageModelDescription): string {
  return prefix + table
}

/**
 * The file's tensors by their names in the class with the head; those of other heads are left out.
 * @param expected of the transformer
 * @throws SentenceTorchError ERR_INVALID_TENSORS for tensors that are not as config.json makes them, or are far fewer
 */
function storedTensors(
  file: TensorFile,
  description: Description,
  languageModel: LanguageModelDescription,
  expected: readonly TensorInfo[],
): Map<string, StoredTensor> {
  const { path } = file
  const naming = new NamesOfFiles(description.names)
  const known = placesOf(expected)
  const head = headNames(languageModel)
  const ofTransformer = new Map<string, StoredTensor>()
  // A decoder's layers have more than the transformer's: cross-attention.
  const ofDecoder = new Map<string, StoredTensor>()
  const ofHead = new Map<string, StoredTensor>()
  const duplicates: string[] = []
  const add = (tensors: Map<string, StoredTensor>, known: string, stored: StoredTensor) => {
    const twin = tensors.get(known)
    if (twin) duplicates.push(`${twin.name} and ${stored.name} in ${path} are the same tensor`)
    tensors.set(known, stored)
  }
  for (const [name, { dtype, shape }] of file.tensors) {
    const bare = naming.bare(name)
    const own = naming.engine(bare)
    const stored = { file, path, name, bare, dtype, shape }
    const renamed = naming.renamed(bare)
    if (head.has(renamed)) add(ofHead, renamed, stored)
    else if (own !== undefined && known.has(`0.${own}`)) add(ofTransformer, `0.${own}`, stored)
    else if (own !== undefined && (naming.layer(own) ?? description.layers) < description.layers)
      add(ofDecoder, `0.${own}`, stored)
  }
  const mayLack = new Set(expected.map(({ name }) => name))
  checkTensors(ofTransformer, expected, { duplicates, mayLack, description })
  const found = [...ofHead, ...ofTransformer, ...ofDecoder].map(
    ([name, tensor]) => [name.replace(/^0\./, languageModel.prefix), tensor] as const,
  )
  const count = (shapes: readonly (readonly number[])[]) =>
    shapes.reduce((sum, shape) => sum + shape.reduce((product, n) => product * n, 1), 0)
  const stored = count(found.map(([, { shape }]) => shape))
  const described = count(expected.map(({ shape }) => shape))
  if (described > SMALL + 4 * stored) {
    const message = `The sizes of config.json make ${described} parameters, but there are ${stored} in ${path}`
    throw new SentenceTorchError('ERR_INVALID_TENSORS', message)
  }
  for (const [, { name, dtype }] of found) {
    if (Object.hasOwn(FLOAT_BYTES, dtype)) continue
    const floats = Object.keys(FLOAT_BYTES).join(', ')
    throw new SentenceTorchError('ERR_INVALID_TENSORS', `Expected ${floats} for ${name} in ${path}, found ${dtype}`)
  }
  return new Map(found)
}
