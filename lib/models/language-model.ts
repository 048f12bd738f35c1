import { join } from 'node:path'
import { SentenceTorchError } from '../errors.js'
import { openTensorFile, type TensorFile } from '../io/tensor-file.js'
import type { ConfigObject, TensorRange } from '../native/types.js'
import { checkConfigSizes } from './config-sizes.js'
import { type HubOptions, resolveModel } from './hub.js'
import { readJson } from './json.js'
import { modulesSchema, readTransformerConfig } from './model-folder.js'
import { engineName } from './weight-names.js'
import { FLOAT_BYTES, type FloatDType, weightFile } from './weights.js'

/** Where a model came from. */
export interface ModelSource {
  /** Folder of the transformer's files. */
  readonly transformerPath: string
  /** Hub id; undefined for a local folder. */
  readonly id: string | undefined
}

const WORDS = 'bert.embeddings.word_embeddings.weight'
const DECODER = 'cls.predictions.decoder.weight'
const BIAS = 'cls.predictions.bias'
const DECODER_BIAS = 'cls.predictions.decoder.bias'
/** Bytes that are read at once. */
const RANGE_BYTES = 4 * 1024 * 1024

/** A tensor in the file, under the name that it has there. */
interface StoredTensor {
  readonly name: string
  readonly dtype: FloatDType
  readonly shape: readonly number[]
}

/**
 * The tensors of a checkpoint by the names of transformers' BERT with a language-model head (`bert.…`, `cls.predictions.…`),
 * however the file calls them; BertModel, BertForMaskedLM, BertForPreTraining and BertLMHeadModel are understood.
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
    const path = isOwn ? own.transformerPath : await transformerFolder((await resolveModel(nameOrPath, options)).path)
    const config = await readTransformerConfig(path, { decoder: true })
    const file = await openTensorFile(await weightFile(path, ''))
    try {
      const tensors = storedTensors(file, path)
      const shapes = new Map([...tensors].map(([name, { shape }]) => [name.replace(/^bert\./, ''), shape]))
      checkConfigSizes(config, { path: file.path, shapes }, true)
      const tied = config.tie_word_embeddings !== false
      const differ = (one: string, other: string) => areDifferent(file, tensors.get(one), tensors.get(other))
      const tieWordEmbeddings = tied && !(await differ(DECODER, WORDS))
      // The forward pass of the head reads decoder.bias; where they are tied, bias is another name of it.
      const isOther = !tied || !tensors.has(BIAS) || (await differ(BIAS, DECODER_BIAS))
      const chosen = tensors.get(isOther ? DECODER_BIAS : BIAS)
      tensors.delete(BIAS)
      if (chosen !== undefined) tensors.set(BIAS, chosen)
      return new LanguageModelWeights(path, config, tieWordEmbeddings, file, tensors)
    } catch (error) {
      await file.close()
      throw error
    }
  }

  /** Shape of a tensor; undefined where the file does not have it. */
  shape(name: string): readonly number[] | undefined {
    return this.tensors.get(name)?.shape
  }

  /** The values of a tensor that is there, in ranges for the engine, under the name `as`. */
  async *ranges(name: string, as: string): AsyncGenerator<TensorRange, void, undefined> {
    const { name: stored, dtype, shape } = this.tensors.get(name)!
    const total = byteLength(shape, dtype)
    for (let start = 0; start < total; start += RANGE_BYTES) {
      const data = await this.file.read(stored, start, Math.min(start + RANGE_BYTES, total))
      yield { name: as, start: start / FLOAT_BYTES[dtype], dtype, data }
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

function storedTensors(file: TensorFile, path: string): Map<string, StoredTensor> {
  const tensors = new Map<string, StoredTensor>()
  for (const [name, { dtype, shape }] of file.tensors) {
    const known = languageModelName(name)
    if (known === undefined) continue
    if (!Object.hasOwn(FLOAT_BYTES, dtype)) {
      const expected = Object.keys(FLOAT_BYTES).join(', ')
      throw new SentenceTorchError('ERR_INVALID_TENSORS', `Expected ${expected} for ${name} in ${path}, found ${dtype}`)
    }
    tensors.set(known, { name, dtype: dtype as FloatDType, shape })
  }
  return tensors
}

/** The name in BertForMaskedLM of a tensor of any BERT checkpoint; undefined for those of other heads. */
function languageModelName(name: string): string | undefined {
  const head = /(?:^|\.)(cls\.predictions\..+)$/.exec(name)?.[1]
  if (head !== undefined)
    return head.replace(/LayerNorm\.gamma$/, 'LayerNorm.weight').replace(/LayerNorm\.beta$/, 'LayerNorm.bias')
  const bare = engineName(name)
  return bare === undefined || !/^(embeddings|encoder)\./.test(bare) ? undefined : `bert.${bare}`
}

/** Whether both are there and have different bytes. */
async function areDifferent(file: TensorFile, a?: StoredTensor, b?: StoredTensor): Promise<boolean> {
  if (a === undefined || b === undefined) return false
  if (a.dtype !== b.dtype || String(a.shape) !== String(b.shape)) return true
  const total = byteLength(a.shape, a.dtype)
  for (let start = 0; start < total; start += RANGE_BYTES) {
    const end = Math.min(start + RANGE_BYTES, total)
    const [one, other] = await Promise.all([file.read(a.name, start, end), file.read(b.name, start, end)])
    if (Buffer.compare(one, other) !== 0) return true
  }
  return false
}

function byteLength(shape: readonly number[], dtype: FloatDType): number {
  return shape.reduce((product, n) => product * n, FLOAT_BYTES[dtype])
}
