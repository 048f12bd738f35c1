import { stat } from 'node:fs/promises'
import { isAbsolute, resolve } from 'node:path'
import { SentenceTorchError } from '../errors.js'
import { recoverFolder } from '../io/atomic.js'
import type { RepositoryOptions } from '../io/hub-repository.js'

export type { DownloadProgress } from '../io/hub-repository.js'

export interface HubOptions extends RepositoryOptions {
  /** What a bare name belongs to. Default `sentence-transformers`. */
  organization?: string
  /** Files of this kind of model, which it may lack: `generation_config.json`. */
  files?: readonly string[]
}

/** A model on this machine. */
export interface ResolvedModel {
  /** The folder that holds it. */
  path: string
  /** Its hub id; undefined for a local folder. */
  id?: string
}

/** Names without an organisation that are models of their own, not of sentence-transformers. */
const BARE_NAMES =
  /^(bert-(base|large)-(cased|uncased|chinese|german|multilingual)|distilbert-base-(cased|uncased|german|multilingual)|((distil|xlm-)?roberta|camembert)-(base|large)|albert-|xlnet-|(distil)?gpt2|t5-(small|base|large|3b|11b)$)/

/**
 * Finds a model: a local folder, else the Hugging Face cache (shared with Python), else a download of the files that
 * loading needs into that cache. A bare name such as `all-MiniLM-L6-v2` means `sentence-transformers/all-MiniLM-L6-v2`.
 * @throws SentenceTorchError ERR_NOT_FOUND (no such folder, model or revision; or private), ERR_NETWORK, ERR_ABORTED, ERR_FILE_SYSTEM, ERR_UNSUPPORTED
 * (weights only in formats that are not read), ERR_INVALID_MODEL (files missing), ERR_INVALID_FILE (an index of shards that is none).
 */
export async function resolveModel(idOrPath: string, options: HubOptions = {}): Promise<ResolvedModel> {
  const id = await hubIdOf(idOrPath, options.organization)
  if (id === undefined) return { path: idOrPath }
  // Who loads a folder needs nothing of the hub.
  const { HubModel } = await import('./hub-model.js')
  return { path: await new HubModel(id, options, options.files).resolve(), id }
}

/**
 * The id of a model of the hub; undefined for a folder. It asks nothing of the hub, which may not have that model.
 * @throws ERR_NOT_FOUND for what is neither a folder nor an id, ERR_INVALID_MODEL for a file
 */
export async function hubIdOf(idOrPath: string, organization?: string): Promise<string | undefined> {
  await recover(idOrPath)
  const local = await stat(idOrPath).catch(() => undefined)
  if (local?.isDirectory()) return undefined
  if (local) throw new SentenceTorchError('ERR_INVALID_MODEL', `Expected a model folder, but ${idOrPath} is a file`)
  return hubId(idOrPath, organization)
}

/** Ends a save that was cut off. @throws ERR_INVALID_MODEL where that fails: half of the files may be of another model */
async function recover(path: string): Promise<void> {
  try {
    await recoverFolder(resolve(path))
  } catch (cause) {
    const message =
      `A save into ${path} was cut off and cannot be ended: ${(cause as Error).message}. ` +
      'Load the model once where its folder may be written, or save it again'
    throw new SentenceTorchError('ERR_INVALID_MODEL', message, { cause })
  }
}

function hubId(name: string, organization = 'sentence-transformers'): string {
  const looksLikePath = isAbsolute(name) || /^[.~]/.test(name) || name.includes('\\') || name.split('/').length > 2
  const legal = /^[\w.-]+(\/[\w.-]+)?$/.test(name) && !name.includes('..') && !name.includes('--')
  if (looksLikePath || !legal) {
    throw new SentenceTorchError(
      'ERR_NOT_FOUND',
      `There is no model folder ${name}, and it is not a Hugging Face model id`,
    )
  }
  if (name.includes('/') || BARE_NAMES.test(name.toLowerCase())) return name
  return `${organization}/${name}`
}
