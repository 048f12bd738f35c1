import { posix } from 'node:path'
import { SentenceTorchError } from '../errors.js'
import { checkRelativePath } from '../io/safe-path.js'
import { arrayOf, object, optional, text } from '../io/schema.js'
import { WEIGHT_FILES } from '../io/tensor-file.js'
import { ADAPTER_CONFIG, ADAPTER_WEIGHTS } from './adapters/config.js'
import { SENTENCE_CONFIG_FILES } from './folder-config.js'
import { filesOfType } from './modules/index.js'
import { TOKENIZER_FILES } from './tokenizer-files.js'

/** Which files of a model repository are needed, and which of those it lacks. */
export interface FilePlan {
  /** Present and needed. */
  needed: string[]
  /** Needed, but not among the files. */
  missing: string[]
}

const MAX_MODULES = 1000
const modules = optional(arrayOf(object({ path: optional(text()), type: optional(text()) }), { max: MAX_MODULES }))

/**
 * Chooses the files that make a model from a repository's listing: configuration and weights, safetensors before what torch.save
 * wrote, never the ONNX, OpenVINO, TensorFlow or Flax copies.
 * @param modulesJson the parsed modules.json, undefined when there is none
 * @param shards what the index of the weights names, where `weightIndex` finds one
 * @param more files that are taken, too, where they exist
 * @throws ERR_INVALID_MODEL for a modules.json that is none, or that names what is outside the folder
 */
export function planFiles(
  files: ReadonlySet<string>,
  modulesJson: unknown,
  shards: readonly string[] = [],
  more: readonly string[] = [],
): FilePlan {
  const { root, isStatic, others } = readModules(modulesJson)
  // Of a vocab.txt a BERT's tokenizer.json can be made, and of the other two a RoBERTa's.
  const vocabularies = [['tokenizer.json'], ['vocab.txt'], ['vocab.json', 'merges.txt']]
  const present = vocabularies.find((names) => names.every((name) => files.has(posix.join(root, name))))
  const config = isStatic ? [] : ['config.json']
  // An adapter has weights of its own, and may leave all else to its base model.
  const isAdapter =
    !isStatic && files.has(posix.join(root, ADAPTER_CONFIG)) && !files.has(posix.join(root, 'config.json'))
  const own = isAdapter ? [ADAPTER_CONFIG] : [...config, ...(present ?? ['tokenizer.json'])]
  const required = own.map((name) => posix.join(root, name))
  const optional = ['modules.json', 'config_sentence_transformers.json', posix.join(root, ADAPTER_CONFIG), ...more]
  for (const name of [...TOKENIZER_FILES, ...SENTENCE_CONFIG_FILES]) optional.push(posix.join(root, name))
  if (files.has(posix.join(root, ADAPTER_CONFIG))) required.push(weightsOf(files, root, ADAPTER_WEIGHTS))
  if (!isAdapter) required.push(weightsOf(files, root), ...shards.map((name) => posix.join(root, name)))
  for (const { path, type } of others) {
    // The first module of another route.
    if (/\.((MLM)?Transformer|(Sparse)?StaticEmbedding)$/.test(type)) {
      const { needed, missing } = planFiles(files, [{ path, type }])
      required.push(...missing)
      optional.push(...needed.filter((file) => posix.dirname(file) === path))
      continue
    }
    const needed = filesOfType(type)
    ;(needed.config ? required : optional).push(posix.join(path, 'config.json'))
    ;(needed.weights ? required : optional).push(weightsOf(files, path, whole))
  }
  const wanted = new Set([...required, ...optional])
  for (const file of wanted) checkRelativePath(file, 'modules.json', 'ERR_INVALID_MODEL')
  return {
    needed: [...wanted].filter((file) => files.has(file)),
    missing: required.filter((file) => !files.has(file)),
  }
}

/**
 * The index of the transformer's weights, which tells the names of their shards; undefined for weights in one file.
 * @throws as `planFiles`
 */
export function weightIndex(files: ReadonlySet<string>, modulesJson: unknown): string | undefined {
  const chosen = weightsOf(files, readModules(modulesJson).root)
  return chosen.endsWith('.json') ? checkRelativePath(chosen, 'modules.json', 'ERR_INVALID_MODEL') : undefined
}

/** Other modules than the transformer have their weights in one file. */
const whole = WEIGHT_FILES.filter((name) => !name.endsWith('.json'))

/** The weights in a folder of a listing; the preferred name where there are none. */
function weightsOf(files: ReadonlySet<string>, folder: string, names: readonly string[] = WEIGHT_FILES): string {
  const paths = names.map((name) => posix.join(folder, name))
  return paths.find((path) => files.has(path)) ?? paths[0]!
}

function readModules(modulesJson: unknown) {
  const entries = modules(modulesJson, { file: 'modules.json', key: '', code: 'ERR_INVALID_MODEL' }) ?? []
  const [root = { path: '', type: '' }, ...others] = entries.map(({ path = '', type = '' }) => ({ path, type }))
  return { root: root.path, isStatic: root.type.endsWith('.StaticEmbedding'), others }
}

/** Weights in formats that are not read. */
const OTHER_FORMATS =
  /(^|\/)(tf_model\.h5|flax_model\.msgpack|(pytorch_)?model\.[^/]+\.(bin|safetensors)|[^/]+\.(onnx|gguf))$/

/** The error for a repository or folder without its weights or tokenizer in a form that can be read here. */
export function unusable(id: string, missing: string[], files: ReadonlySet<string>): SentenceTorchError {
  const others = [...files].filter((file) => OTHER_FORMATS.test(file)).slice(0, 10)
  if (others.length > 0 && missing.some((file) => posix.basename(file) === WEIGHT_FILES[0])) {
    return new SentenceTorchError(
      'ERR_UNSUPPORTED',
      `${id} has its weights only as ${others.join(', ')}, but ${WEIGHT_FILES[0]} or pytorch_model.bin is needed. ` +
        `Python makes it: SentenceTransformer(${JSON.stringify(id)}).save('folder'); then load that folder`,
    )
  }
  return new SentenceTorchError(
    'ERR_INVALID_MODEL',
    `${id} lacks ${missing.join(', ')}` +
      (missing.some((file) => file.endsWith('tokenizer.json'))
        ? `. Python makes tokenizer.json: AutoTokenizer.from_pretrained(${JSON.stringify(id)}).save_pretrained('folder')`
        : ''),
  )
}
