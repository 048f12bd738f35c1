import { isAbsolute, join } from 'node:path'
import { Tokenizer } from '../data/tokenizer.js'
import { SentenceTorchError } from '../errors.js'
import type { TensorEntry } from '../io/safetensors-header.js'
import { parseUnchecked } from '../io/schema.js'
import { openTensorFile, type TensorFile } from '../io/tensor-file.js'
import type { ConfigObject, NativeAddon } from '../native/types.js'
import { type FirstModule, maxSeqLength, NO_LIMIT } from './first-module.js'
import { jsonObject, readJson } from './json.js'
import { readTokenizerFiles } from './tokenizer-files.js'
import { describeConfig } from './transformer-config.js'
import { weightFile } from './weight-file.js'

/** The tensor of a SparseStaticEmbedding: one weight for each token. */
const WEIGHT = 'weight'

/** `model_type` of what the engine makes of it: a table that is one number wide. */
const ARCHITECTURE = 'sparse_static_embedding'

/**
 * Reads the folder of a SparseStaticEmbedding: weights and a tokenizer.
 * Source: sentence-transformers `SparseStaticEmbedding.load`.
 * @throws SentenceTorchError naming the file
 */
export async function readWordWeights(folder: string, getAddon: () => NativeAddon): Promise<FirstModule> {
  const file = join(folder, 'config.json')
  const { frozen = false, path: _, ...extra } = (await readJson(file, jsonObject)) ?? {}
  if (typeof frozen !== 'boolean')
    throw invalid(`Expected true or false as frozen in ${file}, found ${JSON.stringify(frozen)}`)
  const tokenizerFiles = await readTokenizerFiles(folder, {})
  const weights = await openWordWeights(folder)
  const [tokens] = weights.tensors.get(WEIGHT)!.shape as [number]
  await weights.close()
  return { ...wordWeightsModule(tokens, frozen, tokenizerFiles, folder, getAddon), extraSentenceConfig: extra }
}

/** A SparseStaticEmbedding of so many tokens. @param folder of the tokenizer's files */
export function wordWeightsModule(
  vocab_size: number,
  frozen: boolean,
  tokenizerFiles: Map<string, Uint8Array>,
  folder: string,
  getAddon: () => NativeAddon,
): FirstModule {
  const config = { model_type: ARCHITECTURE, vocab_size, frozen }
  return {
    first: 'SparseStaticEmbedding',
    transformerPath: folder,
    architecture: ARCHITECTURE,
    config,
    description: describeConfig(getAddon, config, folder),
    maxSeqLength: maxSeqLength(undefined, tokenizerFiles, null, folder),
    doLowerCase: false,
    extraSentenceConfig: {},
    tokenizerFiles,
  }
}

/** Its weights as the engine has them: [tokens, 1]. @throws SentenceTorchError ERR_INVALID_MODEL that names file and tensor */
export async function openWordWeights(folder: string): Promise<TensorFile> {
  const { path } = (await readJson(join(folder, 'config.json'), jsonObject)) ?? {}
  if (path !== undefined && path !== null) return openIdf(folder, path)
  const file = await openTensorFile(await weightFile(folder, ''))
  const found = file.tensors.get(WEIGHT)
  if (found?.shape.length !== 1) {
    await file.close()
    const what = found
      ? `of shape [${found.shape}]`
      : `missing among ${[...file.tensors.keys()].slice(0, 10).join(', ')}`
    throw invalid(`Expected the tensor ${WEIGHT} of shape [tokens] in ${file.path}, found it ${what}`)
  }
  const tensors = new Map(file.tensors).set(WEIGHT, { ...found, shape: [...found.shape, 1] })
  return {
    path: file.path,
    tensors,
    metadata: file.metadata,
    read: (...given) => file.read(...given),
    readInto: (...given) => file.readInto(...given),
    close: () => file.close(),
  }
}

/** The weights of the JSON file that config.json names. */
async function openIdf(folder: string, path: unknown): Promise<TensorFile> {
  const config = join(folder, 'config.json')
  if (typeof path !== 'string' || !path.endsWith('.json'))
    throw invalid(`Expected a file that ends in .json as path of ${config}, found ${JSON.stringify(path)}`)
  const tokenizerFiles = await readTokenizerFiles(folder, {})
  // Beside the module, or, as Python has it, below the working directory.
  const places = isAbsolute(path) ? [path] : [join(folder, path), path]
  for (const file of places) {
    const idf = await readJson(file, jsonObject)
    if (idf) return inMemory(file, weightsOf(idf, file, tokenizerFiles, folder))
  }
  throw invalid(`There is no ${path}, the path of ${config}: looked for ${places.join(' and ')}`)
}

/**
 * A weight for each token of the tokenizer, of a JSON object of weights by token; 0 where it has none.
 * Source: sentence-transformers `SparseStaticEmbedding.from_json`, which gives unknown tokens' weights to the unknown token.
 * @param folder of the tokenizer's files
 * @throws SentenceTorchError ERR_INVALID_MODEL for a token that the tokenizer does not have, and for what is no number
 */
export function weightsOf(
  idf: ConfigObject,
  file: string,
  tokenizerFiles: Map<string, Uint8Array>,
  folder: string,
): Float32Array {
  const tokenizer = wordTokenizer(tokenizerFiles, folder)
  const weights = new Float32Array(tokenizer.vocabSize)
  for (const [token, weight] of Object.entries(idf)) {
    const id = tokenizer.tokenId(token)
    if (id === undefined)
      throw invalid(
        `Expected tokens of the tokenizer in ${file}, found ${JSON.stringify(token)}, which it does not have`,
      )
    if (typeof weight !== 'number' || !Number.isFinite(Math.fround(weight)))
      throw invalid(`Expected a number for ${JSON.stringify(token)} in ${file}, found ${JSON.stringify(weight)}`)
    weights[id] = weight
  }
  return weights
}

/** The tokenizer of a SparseStaticEmbedding, for its tokens alone. @throws SentenceTorchError ERR_INVALID_MODEL */
export function wordTokenizer(tokenizerFiles: Map<string, Uint8Array>, folder: string): Tokenizer {
  const bytes = tokenizerFiles.get('tokenizer.json') ?? new TextEncoder().encode('{}')
  const json = parseUnchecked(bytes, join(folder, 'tokenizer.json'), 'ERR_INVALID_MODEL') as object
  const options = { doLowerCase: false, maxSeqLength: NO_LIMIT }
  return Tokenizer.fromFiles(json, { tokenizer_class: 'PreTrainedTokenizerFast' }, options)
}

function inMemory(path: string, weights: Float32Array): TensorFile {
  const bytes = new Uint8Array(weights.buffer)
  const entry: TensorEntry = { dtype: 'F32', shape: [weights.length, 1], byteLength: bytes.length }
  return {
    path,
    tensors: new Map([[WEIGHT, entry]]),
    metadata: {},
    read: async (_, start = 0, end = bytes.length) => bytes.slice(start, end),
    readInto: async (_, start, target) => target.set(bytes.subarray(start, start + target.length)),
    close: async () => {},
  }
}

/** What Python shows of it, and writes as its config.json. */
export function wordWeightsConfig({
  config,
  extraSentenceConfig,
}: Pick<FirstModule, 'config' | 'extraSentenceConfig'>) {
  return { frozen: config.frozen ?? false, ...extraSentenceConfig }
}

function invalid(message: string): SentenceTorchError {
  return new SentenceTorchError('ERR_INVALID_MODEL', message)
}
