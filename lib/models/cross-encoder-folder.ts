import { join } from 'node:path'
import { describe, SentenceTorchError } from '../errors.js'
import type { ClassifierDescription, ConfigObject, ModuleSpec, NativeAddon } from '../native/types.js'
import { type ActivationName, activationOfPath } from './activations.js'
import { maxSeqLength, readTransformerConfig, tokenizerFolder } from './first-module.js'
import { CLASSIFICATION, modelConfigSchema, promptsOf, readSentenceConfig } from './folder-config.js'
import { isObject, readJson } from './json.js'
import { type ModelFolder, modulesSchema } from './model-folder.js'
import { readTokenizerFiles } from './tokenizer-files.js'

/** A cross-encoder's folder as read: everything but the weights. */
export interface CrossEncoderFolder
  extends Pick<
    ModelFolder,
    | 'architecture'
    | 'config'
    | 'description'
    | 'maxSeqLength'
    | 'doLowerCase'
    | 'prompts'
    | 'defaultPromptName'
    | 'extraSentenceConfig'
    | 'extraModelConfig'
    | 'tokenizerFiles'
  > {
  path: string
  /** Undefined where the model came from no folder that stays. */
  transformerPath: string | undefined
  /** Whether the folder is of a model with a classifier, so that it must have the classifier's weights. */
  isClassifier: boolean
  numLabels: number
  activationFn: ActivationName
  /** What the engine says of the classifier. */
  classifier: ClassifierDescription
}

/** Far beyond every classifier that there is. */
const MAX_LABELS = 1_000_000

interface Overrides {
  numLabels?: number | undefined
  maxLength?: number | undefined
  activationFn?: ActivationName | undefined
}

/**
 * Reads what CrossEncoder of sentence-transformers 2.x to 6.x saves, any …ForSequenceClassification folder, or a bare
 * transformer (then: one label unless told otherwise, and a classifier to be trained).
 * @param getAddon brings the engine, once there is a config.json
 * @param base folder of the model that the folder has an adapter for
 * @throws SentenceTorchError ERR_NOT_FOUND, ERR_INVALID_MODEL, ERR_NOT_IMPLEMENTED or ERR_UNSUPPORTED, naming the file.
 */
export async function readCrossEncoderFolder(
  path: string,
  getAddon: () => NativeAddon,
  overrides: Overrides = {},
  base?: string,
): Promise<CrossEncoderFolder & { transformerPath: string }> {
  const transformerPath = base ?? path
  const { config, description } = await readTransformerConfig(transformerPath, getAddon, { adapter: base === path })
  const { classifier, positions } = description
  const configFile = join(transformerPath, 'config.json')
  if (classifier === null) {
    const message = `${configFile} has model_type ${describe(config.model_type)}, whose classifier is not built yet`
    throw new SentenceTorchError('ERR_NOT_IMPLEMENTED', message)
  }
  const { own, prompts, defaultPromptName, activation, extra } = await readOwnConfig(path)
  // Of another kind of model only the transformer counts, as in Python.
  const sentence = own
    ? await readSentenceConfig(path, CLASSIFICATION)
    : { maxSeqLength: undefined, doLowerCase: false, extra: {} }
  if (own) await checkModules(path)
  const tokenizerFiles = await readTokenizerFiles(await tokenizerFolder(path, base), config)
  const architectures = Array.isArray(config.architectures) ? config.architectures : []
  const isClassifier = architectures.some(
    (name) => typeof name === 'string' && name.endsWith('ForSequenceClassification'),
  )
  const numLabels = overrides.numLabels ?? (isClassifier ? labelsOf(config, configFile) : 1)
  const length = overrides.maxLength ?? sentence.maxSeqLength
  return {
    path,
    transformerPath,
    architecture: config.model_type as string,
    config,
    description,
    classifier,
    isClassifier,
    numLabels,
    activationFn: overrides.activationFn ?? readActivation(activation, config, configFile, numLabels),
    maxSeqLength: maxSeqLength(length, tokenizerFiles, positions, path),
    doLowerCase: sentence.doLowerCase,
    prompts,
    defaultPromptName,
    extraSentenceConfig: sentence.extra,
    extraModelConfig: extra,
    tokenizerFiles,
  }
}

/** The engine's module of the classifier. */
export function classificationModule({ numLabels }: CrossEncoderFolder): { spec: ModuleSpec } {
  return { spec: { type: 'SequenceClassification', numLabels } }
}

/** config_sentence_transformers.json; `own` where it is of a cross-encoder. */
async function readOwnConfig(folder: string) {
  const file = join(folder, 'config_sentence_transformers.json')
  const found = await readJson(file, modelConfigSchema)
  const none = { own: false, prompts: {}, defaultPromptName: null, activation: undefined, extra: {} }
  if (found?.model_type !== 'CrossEncoder') return none
  const { prompts, default_prompt_name, activation_fn, model_type, __version__, ...extra } = found
  return { own: true, ...promptsOf(found, {}, file), activation: activation_fn, extra: extra as ConfigObject }
}

/** A cross-encoder of one transformer is what is built; others have modules behind it. */
async function checkModules(folder: string): Promise<void> {
  const file = join(folder, 'modules.json')
  const list = await readJson(file, modulesSchema)
  if (list === undefined) return
  const types = list.map(({ type }) => type.split('.').at(-1))
  if (types.join() === 'Transformer') return
  throw new SentenceTorchError(
    'ERR_NOT_IMPLEMENTED',
    `${file} lists the modules ${types.join(', ') || '(none)'}; a cross-encoder that is built has one Transformer`,
  )
}

/** As transformers counts them: `num_labels`, else `id2label`, else 2. */
function labelsOf(config: ConfigObject, file: string): number {
  const count = config.num_labels ?? (isObject(config.id2label) ? Object.keys(config.id2label).length : 2)
  if (typeof count === 'number' && Number.isInteger(count) && count >= 1 && count <= MAX_LABELS) return count
  throw new SentenceTorchError('ERR_INVALID_MODEL', `Expected labels in ${file}, found ${describe(count)} of them`)
}

/** Where 6.x, 4.x to 5.x and older versions keep it, else the default. */
function readActivation(value: unknown, config: ConfigObject, file: string, numLabels: number): ActivationName {
  const block = config.sentence_transformers
  const path = [value, isObject(block) ? block.activation_fn : undefined, config.sbert_ce_default_activation_function]
    .filter((candidate) => candidate !== null)
    .find((candidate) => candidate !== undefined)
  const fallback = numLabels === 1 ? 'sigmoid' : 'identity'
  if (path === undefined) return fallback
  if (typeof path === 'string' && !path.startsWith('torch.')) {
    const message = `The activation function ${describe(path)} of ${file} is Python code; ${fallback} is used instead`
    process.emitWarning(message, 'SentenceTorchWarning')
    return fallback
  }
  const found = typeof path === 'string' ? activationOfPath(path) : undefined
  if (found) return found
  const message = `${file} names the activation function ${describe(path)}, which is not built yet; give activationFn`
  throw new SentenceTorchError('ERR_NOT_IMPLEMENTED', message)
}
