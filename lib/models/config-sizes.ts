import { SentenceTorchError } from '../errors.js'
import type { ConfigObject } from '../native/types.js'
import { parameterCount } from './transformer-config.js'

/** Where the sizes of config.json are seen in the weights: key, tensor, which of its dimensions. */
const SEEN: readonly [key: string, tensor: string, dimension: 0 | 1][] = [
  ['vocab_size', 'embeddings.word_embeddings.weight', 0],
  ['hidden_size', 'embeddings.word_embeddings.weight', 1],
  ['max_position_embeddings', 'embeddings.position_embeddings.weight', 0],
  ['type_vocab_size', 'embeddings.token_type_embeddings.weight', 0],
  ['intermediate_size', 'encoder.layer.0.intermediate.dense.weight', 0],
]

/** A model of up to this many parameters, or of 4 times what is stored, may be made to say which of its tensors are missing. */
const SMALL = 2 ** 26

/** The tensors of a transformer's files. */
export interface StoredShapes {
  /** For messages. */
  path: string
  /** By the engine's names, without the number of the module. */
  shapes: ReadonlyMap<string, readonly number[]>
}

/**
 * Compares the sizes of config.json with the files, before anything of these sizes is made.
 * @param mayLack whether tensors may be missing; a model that is much larger than its files is refused all the same
 * @throws SentenceTorchError ERR_INVALID_TENSORS, one error that names every key and what the tensors say
 */
export function checkConfigSizes(config: ConfigObject, { path, shapes }: StoredShapes, mayLack = false): void {
  const problems = SEEN.flatMap(([key, tensor, dimension]) => {
    const shape = shapes.get(tensor)
    if (shape === undefined) return mayLack ? [] : [`missing: 0.${tensor}, which shows the ${key}`]
    if (shape[dimension] === config[key]) return []
    return [`${key} is ${config[key]} in config.json, but ${tensor} is [${shape}] in ${path}`]
  })
  const layers = new Set([...shapes.keys()].flatMap((name) => /^encoder\.layer\.(\d+)\./.exec(name)?.[1] ?? []))
  if (!mayLack && layers.size < (config.num_hidden_layers as number)) {
    const found = `there are tensors of ${layers.size} layers in ${path}`
    problems.push(`num_hidden_layers is ${config.num_hidden_layers} in config.json, but ${found}`)
  }
  const stored = [...shapes.values()].reduce((sum, shape) => sum + shape.reduce((product, n) => product * n, 1), 0)
  const described = parameterCount(config)
  // With every size as it should be, the layers may still be empty.
  if (problems.length === 0 && described > SMALL + 4 * stored) {
    const sizes = 'hidden_size, intermediate_size and num_hidden_layers'
    problems.push(`${sizes} of config.json make ${described} parameters, but there are ${stored} in ${path}`)
  }
  if (problems.length === 0) return
  throw new SentenceTorchError(
    'ERR_INVALID_TENSORS',
    `The sizes of config.json do not fit the tensors:\n  ${problems.join('\n  ')}`,
  )
}
