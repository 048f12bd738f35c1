import { PairTokenizer } from '../data/pairs.js'
import { invalidArgument } from '../errors.js'
import { throwIfAborted } from '../io/abort.js'
import type { NativeAddon, NativeEncoder } from '../native/types.js'
import { checkInteger } from '../options.js'
import type { BaseParts } from './base-model.js'
import { type CrossEncoderFolder, classificationModule, readCrossEncoderFolder } from './cross-encoder-folder.js'
import { type CrossEncoderLoadOptions, checkCrossEncoderLoadOptions } from './cross-encoder-options.js'
import { resolveModel } from './hub.js'
import { noSuchPrompt } from './load-errors.js'
import { filled, findAdapter, makeTokenizer, startEngine, withAdapter } from './load-parts.js'
import { WeightFiles } from './weights.js'

/** What a loaded cross-encoder is made of. */
export interface CrossEncoderParts extends BaseParts {
  pairs: PairTokenizer
  folder: CrossEncoderFolder
}

/**
 * Finds, reads and checks a model and hands its weights to the engine; what a bare transformer lacks gets random values.
 * @param getAddon brings the engine, once there is a folder with a config.json.
 */
export async function loadCrossEncoderParts(
  getAddon: () => NativeAddon,
  idOrPath: string,
  options: CrossEncoderLoadOptions,
): Promise<CrossEncoderParts> {
  if (typeof idOrPath !== 'string' || idOrPath === '')
    throw invalidArgument('idOrPath', 'a folder or a hub id', idOrPath)
  checkCrossEncoderLoadOptions(options)
  const { signal } = options
  const what = `Loading ${idOrPath}`
  throwIfAborted(signal, what)
  const { path, id } = await resolveModel(idOrPath, { ...options, organization: 'cross-encoder' })
  const adapter = await findAdapter(path, options)
  const folder = await readCrossEncoderFolder(path, getAddon, options, adapter?.base.path)
  const { positions, tokenTypes } = folder.description
  checkInteger('maxLength', options.maxLength, 1, positions ?? undefined)
  Object.assign(folder.prompts, options.prompts)
  folder.defaultPromptName = options.defaultPromptName ?? folder.defaultPromptName
  if (folder.defaultPromptName !== null && !Object.hasOwn(folder.prompts, folder.defaultPromptName)) {
    throw noSuchPrompt('defaultPromptName', folder.defaultPromptName, folder.prompts)
  }
  const tokenizer = makeTokenizer({ ...folder, first: 'Transformer' })
  const pairs = new PairTokenizer(tokenizer, { types: tokenTypes > 1 })
  throwIfAborted(signal, what)
  const weights = await WeightFiles.open(
    { ...folder, modules: [] },
    options.ignoreTensors,
  )
  try {
    throwIfAborted(signal, what)
    // The pooler belongs to the classification module here, which trains it.
    const engine = startEngine(getAddon(), { ...folder, modules: [classificationModule(folder)] }, false, options)
    const { encoder } = engine
    return await filled(encoder, async () => {
      const head = folder.classifier.tensors.map(({ name }) => `0.${name}`)
      const { names, missing } = await weights.load(encoder, folder.isClassifier ? [] : head, signal)
      await initialize(encoder, missing, folder.path, options.seed ?? 0)
      const parts = { ...engine, tokenizer, pairs, folder, names, id }
      return adapter ? withAdapter(parts, path, adapter) : parts
    })
  } finally {
    await weights.close()
  }
}

/** As transformers makes a new head. */
async function initialize(encoder: NativeEncoder, names: string[], path: string, seed: number): Promise<void> {
  if (names.length === 0) return
  await encoder.initialize(names, seed)
  const list = names.map((name) => name.slice('0.'.length)).join(', ')
  process.emitWarning(
    `Some weights of the cross-encoder were not in ${path} and are newly initialised: ${list}. ` +
      'Train the model before you use its predictions',
    'SentenceTorchWarning',
  )
}
