import { join } from 'node:path'
import type { Tokenizer } from '../data/tokenizer.js'
import { describe, SentenceTorchError } from '../errors.js'
import type {
  CausalDescription,
  ClassifierDescription,
  ConfigObject,
  Description,
  ModuleSpec,
} from '../native/types.js'
import { jsonObject, readJson } from './json.js'
import { type ModelFiles, WeightFiles } from './weights.js'

/** The module that makes a score of a language model's logits after the last token of a pair. */
export interface LogitScore {
  /** The token whose logit says that a pair belongs together. */
  trueTokenId: number
  /** The token whose logit is subtracted; null: none is. */
  falseTokenId: number | null
  /** Members of its config.json that this package does not know. */
  extra: ConfigObject
}

/** What an architecture says of its model for the next token. */
export type CausalModel = Description & { causal: CausalDescription }

const INPUT = 'causal_logits'

/** Whether transformers would make a model for the next token of a config.json, as CrossEncoder in Python asks. */
export function isCausal({ architectures }: ConfigObject): boolean {
  const first = Array.isArray(architectures) ? architectures[0] : undefined
  return typeof first === 'string' && first.endsWith('ForCausalLM')
}

/** @throws SentenceTorchError ERR_NOT_IMPLEMENTED for an architecture whose model for the next token is not built */
export function causalModel(description: Description, config: ConfigObject, file: string): CausalModel {
  const { causal, names } = description
  if (causal === null) {
    const message = `${file} has model_type ${describe(config.model_type)}, whose model for the next token is not built yet`
    throw new SentenceTorchError('ERR_NOT_IMPLEMENTED', message)
  }
  return { ...description, causal, names: { ...names, leftOut: causal.leftOut } }
}

/** Reads the module's folder. @throws SentenceTorchError ERR_INVALID_MODEL, ERR_NOT_IMPLEMENTED naming file and key */
export async function readLogitScore(root: string, path: string, { vocabulary }: Description): Promise<LogitScore> {
  const file = join(root, path, 'config.json')
  const found = await readJson(file, jsonObject)
  if (found === undefined) {
    throw new SentenceTorchError('ERR_INVALID_MODEL', `The model folder has no ${file}, which modules.json calls for`)
  }
  const { true_token_id, false_token_id, module_input_name, ...extra } = found
  const token = (key: string, value: unknown) => {
    if (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value < vocabulary) return value
    const message = `Expected a token from 0 to ${vocabulary - 1}, the last of config.json's vocab_size, as ${key} in ${file}, found ${describe(value)}`
    throw new SentenceTorchError('ERR_INVALID_MODEL', message)
  }
  if ((module_input_name ?? INPUT) !== INPUT) {
    const message = `${file} has module_input_name ${describe(module_input_name)}, which is not built: expected ${INPUT}`
    throw new SentenceTorchError('ERR_NOT_IMPLEMENTED', message)
  }
  return {
    trueTokenId: token('true_token_id', true_token_id),
    falseTokenId:
      false_token_id === undefined || false_token_id === null ? null : token('false_token_id', false_token_id),
    extra,
  }
}

/**
 * Of a folder without the module: the tokens `yes` and `no`, as in Python.
 * @throws SentenceTorchError ERR_INVALID_MODEL for a tokenizer without them
 */
export function usualLogitScore(tokenizer: Tokenizer, path: string, { vocabulary }: Description): LogitScore {
  const [trueTokenId, falseTokenId] = ['yes', 'no'].map((name) => {
    const id = tokenizer.tokenId(name)
    if (id !== undefined && id < vocabulary) return id
    const message = `Expected the tokens yes and no in the vocabulary of ${path}, whose logits make the score of a model for the next token, found no ${name}`
    throw new SentenceTorchError('ERR_INVALID_MODEL', message)
  }) as [number, number]
  return { trueTokenId, falseTokenId, extra: {} }
}

/** The engine's module. */
export function logitScoreSpec({ trueTokenId, falseTokenId }: LogitScore): ModuleSpec {
  return { type: 'LogitScore', trueTokenId, falseTokenId }
}

/** config.json of the module, as Python writes it. */
export function logitScoreConfig({ trueTokenId, falseTokenId, extra }: LogitScore): ConfigObject {
  return { true_token_id: trueTokenId, false_token_id: falseTokenId, module_input_name: INPUT, ...extra }
}

/** The names of a checkpoint, where the last layer lies beside the body. */
export function causalNames({ causal }: CausalModel): ClassifierDescription {
  const { className, prefix, head } = causal
  return { className, prefix, tensors: [{ name: head, outside: true }] }
}

/** Where the modules of a cross-encoder lie. @param type its last component counts, as in Python */
export function isLogitScore(type: string): boolean {
  return type.split('.').at(-1) === 'LogitScore'
}

/** Where `save` puts the module. */
export const LOGIT_SCORE_FOLDER = '1_LogitScore'

/**
 * Opens the weight files of a model for the next token. What is tied is decided as `from_pretrained` of transformers 5 does: as
 * config.json says, but a last layer with other values than the table of words is a matrix of its own.
 * @throws SentenceTorchError as {@link WeightFiles.open}
 */
export async function openCausalWeights(
  folder: ModelFiles & { description: CausalModel },
  ignoreTensors: readonly (string | RegExp)[] = [],
): Promise<{ weights: WeightFiles; ownHead: boolean }> {
  const { head, table, tied } = folder.description.causal
  const weights = await WeightFiles.open(folder, ignoreTensors)
  try {
    return { weights, ownHead: !tied || (await weights.leaveOutCopy(`0.${head}`, `0.${table}`)) }
  } catch (error) {
    await weights.close()
    throw error
  }
}
