import { posix } from 'node:path'
import { SentenceTorchError } from '../errors.js'
import { checkRelativePath } from '../io/safe-path.js'
import { arrayOf, object, optional, text } from '../io/schema.js'
import { SENTENCE_CONFIG_FILES } from './folder-config.js'
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
 * Chooses the files that make a model from a repository's listing: safetensors and configuration, never the ONNX, OpenVINO,
 * TensorFlow, Flax or pickle copies. `modulesJson` is the parsed modules.json, undefined when there is none.
 * @throws ERR_INVALID_MODEL for a modules.json that is none, or that names what is outside the folder
 */
export function planFiles(files: ReadonlySet<string>, modulesJson: unknown): FilePlan {
  const entries = modules(modulesJson, { file: 'modules.json', key: '', code: 'ERR_INVALID_MODEL' }) ?? []
  const [root = '', ...paths] = entries.map(({ path }) => path ?? '')
  const types = entries.slice(1).map(({ type }) => type ?? '')
  // Of a vocab.txt a BERT's tokenizer.json can be made, and of the other two a RoBERTa's.
  const vocabularies = [['tokenizer.json'], ['vocab.txt'], ['vocab.json', 'merges.txt']]
  const present = vocabularies.find((names) => names.every((name) => files.has(posix.join(root, name))))
  const required = ['config.json', ...(present ?? ['tokenizer.json'])].map((name) => posix.join(root, name))
  const optional = ['modules.json', 'config_sentence_transformers.json']
  for (const name of [...TOKENIZER_FILES, ...SENTENCE_CONFIG_FILES]) optional.push(posix.join(root, name))

  const whole = posix.join(root, 'model.safetensors')
  const index = `${whole}.index.json`
  if (files.has(whole) || !files.has(index)) required.push(whole)
  else required.push(index, ...[...files].filter((file) => isShard(file, root)))

  paths.forEach((path, i) => {
    const config = posix.join(path, 'config.json')
    const weights = posix.join(path, 'model.safetensors')
    ;(/\.(Pooling|Dense)$/.test(types[i]!) ? required : optional).push(config)
    ;(/\.Dense$/.test(types[i]!) ? required : optional).push(weights)
  })
  const wanted = new Set([...required, ...optional])
  for (const file of wanted) checkRelativePath(file, 'modules.json', 'ERR_INVALID_MODEL')
  return {
    needed: [...wanted].filter((file) => files.has(file)),
    missing: required.filter((file) => !files.has(file)),
  }
}

/** The error for a repository or folder without its weights or tokenizer in a form that can be read here. */
export function unusable(id: string, missing: string[], files: ReadonlySet<string>): SentenceTorchError {
  const pickles = [...files].filter((file) => /(^|\/)pytorch_model.*\.bin$/.test(file))
  if (pickles.length > 0 && missing.some((file) => file.endsWith('.safetensors'))) {
    return new SentenceTorchError(
      'ERR_UNSUPPORTED',
      `${id} has its weights only as ${pickles.join(', ')}, a pickle, which is not read because it can run code. ` +
        `Python makes the safetensors file: SentenceTransformer(${JSON.stringify(id)}).save('folder'); then load that folder`,
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

function isShard(file: string, root: string): boolean {
  return posix.dirname(file) === (root || '.') && /^model-\d+-of-\d+\.safetensors$/.test(posix.basename(file))
}
