import { join } from 'node:path'
import { describe, invalidArgument, SentenceTorchError } from '../errors.js'
import { throwIfAborted } from '../io/abort.js'
import type { ConfigObject, NativeAddon } from '../native/types.js'
import { checkInteger } from '../options.js'
import type { BaseParts } from './base-model.js'
import { maxSeqLength, readTransformerConfig, tokenizerFolder } from './first-module.js'
import { type GenerationDefaults, readGenerationConfig } from './generation-config.js'
import { resolveModel } from './hub.js'
import { isObject, readIfPresent } from './json.js'
import { findAdapter, withAdapter } from './load-parts.js'
import { checkSeq2SeqLoadOptions, type Seq2SeqLoadOptions } from './seq2seq-options.js'
import { openSeq2SeqWeights, type WholeDescription } from './seq2seq-weights.js'
import { filled, makeTokenizer, startEngine } from './start-engine.js'
import { readTokenizerFiles } from './tokenizer-files.js'

/** A model for text to text as read: everything but the weights. */
export interface Seq2SeqFolder {
  path: string
  transformerPath: string
  architecture: string
  config: ConfigObject
  description: WholeDescription
  /** generation_config.json; undefined without one. */
  generationConfig: ConfigObject | undefined
  generation: GenerationDefaults
  maxSeqLength: number
  doLowerCase: boolean
  tokenizerFiles: Map<string, Uint8Array>
  prompts: Record<string, string>
  defaultPromptName: string | null
}

/** What a loaded model is made of. */
export interface Seq2SeqParts extends BaseParts {
  folder: Seq2SeqFolder
}

/**
 * Finds, reads and checks a model and hands its weights to the engine.
 * @param getAddon brings the engine, once there is a folder with a config.json.
 */
export async function loadSeq2SeqParts(
  getAddon: () => NativeAddon,
  idOrPath: string,
  options: Seq2SeqLoadOptions,
): Promise<Seq2SeqParts> {
  if (typeof idOrPath !== 'string' || idOrPath === '')
    throw invalidArgument('idOrPath', 'a folder or a hub id', idOrPath)
  checkSeq2SeqLoadOptions(options)
  const { signal } = options
  const what = `Loading ${idOrPath}`
  throwIfAborted(signal, what)
  const { path, id } = await resolveModel(idOrPath, { ...options, files: ['generation_config.json'] })
  checkInteger('maxSeqLength', options.maxSeqLength, 1)
  const adapter = await findAdapter(path, options)
  const folder = await readSeq2SeqFolder(path, getAddon, options.maxSeqLength, adapter?.base.path)
  Object.assign(folder.prompts, options.prompts)
  const tokenizer = makeTokenizer({ ...folder, first: 'Transformer' })
  if (tokenizer.vocabSize > folder.description.vocabulary) {
    throw new SentenceTorchError(
      'ERR_INVALID_MODEL',
      `Expected a tokenizer of at most ${folder.description.vocabulary} tokens in ${path}, as the model has in config.json, ` +
        `found ${tokenizer.vocabSize}: they are not of the same model`,
    )
  }
  throwIfAborted(signal, what)
  const { weights, ownHead } = await openSeq2SeqWeights({ ...folder, modules: [] }, options.ignoreTensors)
  try {
    throwIfAborted(signal, what)
    const engine = startEngine(getAddon(), { ...folder, modules: [] }, false, options, { decoder: true, ownHead })
    return await filled(engine.encoder, async () => {
      const { names } = await weights.load(engine.encoder, [], signal)
      const parts = { ...engine, tokenizer, folder, names, id }
      return adapter ? withAdapter(parts, path, adapter) : parts
    })
  } finally {
    await weights.close()
  }
}

async function readSeq2SeqFolder(
  path: string,
  getAddon: () => NativeAddon,
  longest: number | undefined,
  base: string | undefined,
): Promise<Seq2SeqFolder> {
  const transformerPath = base ?? path
  const { config, description } = await readTransformerConfig(transformerPath, getAddon, { adapter: base === path })
  const { generator } = description
  if (generator === null) {
    const found = `the model_type ${describe(config.model_type)}`
    const message = `Expected a model for text to text (T5, mT5) in ${path}, found ${found}`
    throw new SentenceTorchError('ERR_NOT_IMPLEMENTED', message)
  }
  const tokenizerFiles = await readTokenizerFiles(await tokenizerFolder(path, base), config)
  const hasOwn = (await readIfPresent(join(path, 'generation_config.json'))) !== undefined
  const { file, defaults } = await readGenerationConfig(hasOwn ? path : transformerPath, config, generator)
  return {
    path,
    transformerPath,
    architecture: config.model_type as string,
    config,
    description: { ...description, generator },
    generationConfig: file,
    generation: defaults,
    maxSeqLength: longest ?? maxSeqLength(undefined, tokenizerFiles, description.positions, path),
    doLowerCase: false,
    tokenizerFiles,
    prompts: promptsOf(config),
    defaultPromptName: null,
  }
}

/** What config.json puts in front of the texts of tasks, by the names of the tasks: `translation_en_to_de`. */
function promptsOf({ task_specific_params: tasks }: ConfigObject): Record<string, string> {
  if (!isObject(tasks)) return {}
  const named = Object.entries(tasks).flatMap(([name, task]) => {
    const prefix = isObject(task) ? task.prefix : undefined
    return typeof prefix === 'string' ? [[name, prefix] as const] : []
  })
  return Object.fromEntries(named)
}
