import { join } from 'node:path'
import { SentenceTorchError } from '../errors.js'
import { openTensorFile, type TensorFile } from '../io/tensor-file.js'
import type { NativeAddon } from '../native/types.js'
import { type FirstModule, maxSeqLength } from './first-module.js'
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
  const { frozen = false, path, ...extra } = (await readJson(file, jsonObject)) ?? {}
  if (typeof frozen !== 'boolean')
    throw invalid(`Expected true or false as frozen in ${file}, found ${JSON.stringify(frozen)}`)
  if (path !== undefined && path !== null) {
    const message = `${file} has path ${JSON.stringify(path)}, weights in a JSON file: not built yet; Python makes ${WEIGHT} of them when it saves the model`
    throw new SentenceTorchError('ERR_NOT_IMPLEMENTED', message)
  }
  const tokenizerFiles = await readTokenizerFiles(folder, {})
  const weights = await openWordWeights(folder)
  const [vocab_size] = weights.tensors.get(WEIGHT)!.shape as [number]
  await weights.close()
  const config = { model_type: ARCHITECTURE, vocab_size, frozen }
  return {
    first: 'SparseStaticEmbedding',
    transformerPath: folder,
    architecture: ARCHITECTURE,
    config,
    description: describeConfig(getAddon, config, file),
    maxSeqLength: maxSeqLength(undefined, tokenizerFiles, null, folder),
    doLowerCase: false,
    extraSentenceConfig: extra,
    tokenizerFiles,
  }
}

/** Its weights as the engine has them: [tokens, 1]. @throws SentenceTorchError ERR_INVALID_MODEL that names file and tensor */
export async function openWordWeights(folder: string): Promise<TensorFile> {
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
