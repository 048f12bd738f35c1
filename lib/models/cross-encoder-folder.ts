import { join } from 'node:path'
import { describe, invalidArgument, SentenceTorchError } from '../errors.js'
import type {
  ClassifierDescription,
  ConfigObject,
  ConfigValue,
  Description,
  ModuleSpec,
  NativeAddon,
} from '../native/types.js'
import { type ActivationName, activationOfPath } from './activations.js'
import { type FolderChat, findTemplate, readChatFormat, templateArguments } from './chat-format.js'
import { maxSeqLength, readTransformerConfig, tokenizerFolder } from './first-module.js'
import {
  CLASSIFICATION,
  modelConfigSchema,
  NEXT_TOKEN,
  NO_SENTENCE_CONFIG,
  promptsOf,
  readSentenceConfig,
} from './folder-config.js'
import { isObject, readJson } from './json.js'
import {
  type CausalModel,
  causalModel,
  causalNames,
  isCausal,
  isLogitScore,
  type LogitScore,
  logitScoreSpec,
  readLogitScore,
} from './logit-score.js'
import { type ModelFolder, modulesSchema } from './model-folder.js'
import { checkModelClass } from './model-type.js'
import { CHAT_TEMPLATE_FILE, readTokenizerFiles } from './tokenizer-files.js'

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
  /** Whether the folder is of a model with its head, so that it must have the head's weights. */
  isClassifier: boolean
  /** A model for the next token, whose logits make the score; undefined: a transformer with a classifier. */
  causal: CausalModel | undefined
  /** Undefined of a transformer with a classifier; of a folder without the module until its tokenizer is known. */
  logitScore: LogitScore | undefined
  /** How pairs pass the chat template; undefined: the tokenizer joins their texts. */
  chat: FolderChat | undefined
  /** `processing_kwargs` as read, to be written back. */
  processing: ConfigValue | undefined
  numLabels: number
  activationFn: ActivationName
  /** What the engine says of the classifier, or of the last layer over the words. */
  classifier: ClassifierDescription
}

/** Far beyond every classifier that there is. */
const MAX_LABELS = 1_000_000

interface Overrides {
  numLabels?: number | undefined
  maxLength?: number | undefined
  activationFn?: ActivationName | undefined
  chatTemplate?: string | undefined
}

/**
 * Reads what CrossEncoder of sentence-transformers 2.x to 6.x saves, any …ForSequenceClassification or …ForCausalLM folder, or a
 * bare transformer (then: one label unless told otherwise, and a classifier to be trained).
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
  const configFile = join(transformerPath, 'config.json')
  const { own, prompts, defaultPromptName, activation, extra } = await readOwnConfig(path)
  // Of another kind of model only the transformer counts, as in Python.
  const modules = own ? await readModules(path) : undefined
  const scores = modules ? modules.length > 1 : isCausal(config)
  const head = scores
    ? causalHead(causalModel(description, config, configFile), overrides.numLabels)
    : classifierHead(description, config, configFile, overrides.numLabels)
  const sentence = own ? await readSentenceConfig(path, scores ? NEXT_TOKEN : CLASSIFICATION) : NO_SENTENCE_CONFIG
  const tokenizerPath = await tokenizerFolder(path, base)
  const tokenizerFiles = await readTokenizerFiles(tokenizerPath, config)
  if (overrides.chatTemplate !== undefined) {
    tokenizerFiles.set(CHAT_TEMPLATE_FILE, new TextEncoder().encode(overrides.chatTemplate))
  }
  const template = await findTemplate(tokenizerFiles, tokenizerPath)
  // Python saves whether pairs pass the template. Of a folder where it has saved nothing, they do where there is one.
  const chats = sentence.message !== undefined || overrides.chatTemplate !== undefined || (!modules && template)
  const settings = templateArguments(sentence)
  const length = overrides.maxLength ?? sentence.maxSeqLength
  return {
    path,
    transformerPath,
    architecture: config.model_type as string,
    config,
    ...head,
    logitScore: modules?.[1] && (await readLogitScore(path, modules[1].path, description)),
    activationFn: overrides.activationFn ?? readActivation(activation, config, configFile, head.numLabels),
    maxSeqLength: maxSeqLength(length, tokenizerFiles, description.positions, path),
    doLowerCase: sentence.doLowerCase,
    chat: chats ? await readChatFormat(template, sentence, settings, tokenizerPath) : undefined,
    processing: sentence.processing,
    prompts,
    defaultPromptName,
    extraSentenceConfig: sentence.extra,
    extraModelConfig: extra,
    tokenizerFiles,
  }
}

type Head = Pick<CrossEncoderFolder, 'description' | 'classifier' | 'isClassifier' | 'causal' | 'numLabels'>

function causalHead(causal: CausalModel, numLabels: number | undefined): Head {
  if (numLabels !== undefined && numLabels !== 1) {
    const expected = '1, as a model for the next token has with LogitScore,'
    throw invalidArgument('numLabels', expected, numLabels)
  }
  return { description: causal, classifier: causalNames(causal), isClassifier: true, causal, numLabels: 1 }
}

function classifierHead(
  description: Description,
  config: ConfigObject,
  file: string,
  numLabels: number | undefined,
): Head {
  const { classifier } = description
  if (classifier === null) {
    const message = `${file} has model_type ${describe(config.model_type)}, whose classifier is not built yet`
    throw new SentenceTorchError('ERR_NOT_IMPLEMENTED', message)
  }
  const architectures = Array.isArray(config.architectures) ? config.architectures : []
  const isClassifier = architectures.some(
    (name) => typeof name === 'string' && name.endsWith('ForSequenceClassification'),
  )
  const labels = numLabels ?? (isClassifier ? labelsOf(config, file) : 1)
  return { description, classifier, isClassifier, causal: undefined, numLabels: labels }
}

/** The engine's module of the head. */
export function headModule({ numLabels, logitScore }: CrossEncoderFolder): { spec: ModuleSpec } {
  return { spec: logitScore ? logitScoreSpec(logitScore) : { type: 'SequenceClassification', numLabels } }
}

/** config_sentence_transformers.json; `own` where it is of a cross-encoder. */
async function readOwnConfig(folder: string) {
  const file = join(folder, 'config_sentence_transformers.json')
  const found = await readJson(file, modelConfigSchema)
  const none = { own: false, prompts: {}, defaultPromptName: null, activation: undefined, extra: {} }
  // The transformer of a SentenceTransformer may become a cross-encoder; what others have would be lost without a word.
  if (found?.model_type !== 'SentenceTransformer') checkModelClass(found?.model_type, 'CrossEncoder', file)
  if (found?.model_type !== 'CrossEncoder') return none
  const { prompts, default_prompt_name, activation_fn, model_type, __version__, ...extra } = found
  return { own: true, ...promptsOf(found, {}, file), activation: activation_fn, extra: extra as ConfigObject }
}

/** modules.json: a transformer, alone or with LogitScore behind it; undefined without the file. */
async function readModules(folder: string) {
  const file = join(folder, 'modules.json')
  const list = await readJson(file, modulesSchema)
  if (list === undefined) return undefined
  const types = list.map(({ type }) => type.split('.').at(-1))
  const [first, ...others] = list
  const known = others.length === 0 || (others.length === 1 && isLogitScore(others[0]!.type))
  if (types[0] === 'Transformer' && known) return [first!, ...others]
  throw new SentenceTorchError(
    'ERR_NOT_IMPLEMENTED',
    `${file} lists the modules ${types.join(', ') || '(none)'}; a cross-encoder that is built has one Transformer, or a ` +
      'Transformer and a LogitScore',
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
