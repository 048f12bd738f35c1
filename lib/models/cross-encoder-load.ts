import { ChatPairTokenizer } from '../data/chat-pairs.js'
import { type PairEncoder, PairTokenizer } from '../data/pairs.js'
import type { Tokenizer } from '../data/tokenizer.js'
import { invalidArgument, SentenceTorchError } from '../errors.js'
import { throwIfAborted } from '../io/abort.js'
import type { NativeAddon, NativeEncoder } from '../native/types.js'
import { checkInteger } from '../options.js'
import type { BaseParts } from './base-model.js'
import { type CrossEncoderFolder, headModule, readCrossEncoderFolder } from './cross-encoder-folder.js'
import { type CrossEncoderLoadOptions, checkCrossEncoderLoadOptions } from './cross-encoder-options.js'
import { resolveModel } from './hub.js'
import { noSuchPrompt } from './load-errors.js'
import { findAdapter, withAdapter } from './load-parts.js'
import { openCausalWeights, usualLogitScore } from './logit-score.js'
import { filled, makeTokenizer, startEngine } from './start-engine.js'
import { WeightFiles } from './weights.js'

/** What a loaded cross-encoder is made of. */
export interface CrossEncoderParts extends BaseParts {
  pairs: PairEncoder
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
  const { positions } = folder.description
  checkInteger('maxLength', options.maxLength, 1, positions ?? undefined)
  Object.assign(folder.prompts, options.prompts)
  folder.defaultPromptName = options.defaultPromptName ?? folder.defaultPromptName
  if (folder.defaultPromptName !== null && !Object.hasOwn(folder.prompts, folder.defaultPromptName)) {
    throw noSuchPrompt('defaultPromptName', folder.defaultPromptName, folder.prompts)
  }
  const tokenizer = makeTokenizer({ ...folder, first: 'Transformer' })
  const pairs = pairEncoder(tokenizer, folder)
  if (folder.causal) folder.logitScore ??= usualLogitScore(tokenizer, path, folder.causal)
  throwIfAborted(signal, what)
  const { weights, ownHead } = await openWeights(
    { path, transformerPath: folder.transformerPath },
    folder,
    options.ignoreTensors,
  )
  try {
    throwIfAborted(signal, what)
    // The pooler belongs to the classification module here, which trains it.
    const engine = startEngine(getAddon(), { ...folder, modules: [headModule(folder)] }, false, options, { ownHead })
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

/** Weights of a folder of this model, and whether its last layer over the words has a matrix of its own. */
export async function openWeights(
  place: { path: string; transformerPath: string },
  { description, causal }: Pick<CrossEncoderFolder, 'description' | 'causal'>,
  ignoreTensors: readonly (string | RegExp)[] = [],
): Promise<{ weights: WeightFiles; ownHead: boolean }> {
  const files = { ...place, modules: [] }
  if (causal) return openCausalWeights({ ...files, description: causal }, ignoreTensors)
  return { weights: await WeightFiles.open({ ...files, description }, ignoreTensors), ownHead: false }
}

/** @throws SentenceTorchError ERR_INVALID_MODEL for a chat template that cannot carry a pair */
function pairEncoder(tokenizer: Tokenizer, { chat, description }: CrossEncoderFolder): PairEncoder {
  if (chat === undefined) return new PairTokenizer(tokenizer, { types: description.tokenTypes > 1 })
  const pairs = new ChatPairTokenizer(tokenizer, { ...chat, values: { ...tokenizer.namedTokens, ...chat.values } })
  const failure = pairs.failure()
  if (failure === undefined) return pairs
  const message =
    `The chat template ${chat.template.file} cannot carry a pair (${failure}): it gets one message of the role query and one ` +
    'of the role document. Expected a template that writes both: give one as chatTemplate'
  throw new SentenceTorchError('ERR_INVALID_MODEL', message)
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
