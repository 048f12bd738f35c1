import { stat } from 'node:fs/promises'
import { isAbsolute, join, resolve } from 'node:path'
import { SentenceTorchError } from '../errors.js'
import { recoverFolder } from '../io/atomic.js'
import { HubRepository, type RepositoryOptions } from '../io/hub-repository.js'
import { planFiles, unusable } from './hub-files.js'
import { checkModel, TELLING_FILES } from './hub-model-cache.js'
import { readJson } from './json.js'

export type { DownloadProgress } from '../io/hub-repository.js'

export interface HubOptions extends RepositoryOptions {
  /** What a bare name belongs to. Default `sentence-transformers`. */
  organization?: string
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
 * (weights only as a pickle), ERR_INVALID_MODEL (files missing).
 */
export async function resolveModel(idOrPath: string, options: HubOptions = {}): Promise<ResolvedModel> {
  await recover(idOrPath)
  const local = await stat(idOrPath).catch(() => undefined)
  if (local?.isDirectory()) return { path: idOrPath }
  if (local) throw new SentenceTorchError('ERR_INVALID_MODEL', `Expected a model folder, but ${idOrPath} is a file`)
  const id = hubId(idOrPath, options.organization)
  const hub = new HubModel(id, options)
  return { path: await hub.resolve(), id }
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

/** What modules.json may have at most, which is read whole before anything else is known of a model. */
const MAX_JSON = 1024 * 1024

class HubModel {
  private readonly repository: HubRepository

  constructor(
    private readonly id: string,
    options: HubOptions,
  ) {
    this.repository = new HubRepository('model', id, options)
  }

  async resolve(): Promise<string> {
    const { cache, revision, offline } = this.repository
    const commit = await cache.commit(revision)
    const found = commit === undefined ? undefined : await checkModel(cache, commit)
    const usable = found !== undefined && found.missing.length === 0
    if (usable && found.unknown.length === 0) return cache.snapshot(commit!)
    if (offline) {
      if (!found || found.files.size === 0) throw this.notCached()
      if (!usable) throw unusable(`The cached copy of ${this.id} (offline)`, found.missing, found.files)
      return this.useUncertain(commit!, found.unknown)
    }
    try {
      return await this.download()
    } catch (error) {
      const unreachable = error instanceof SentenceTorchError && error.code === 'ERR_NETWORK'
      if (unreachable && usable) return this.useUncertain(commit!, found.unknown)
      throw error
    }
  }

  private useUncertain(commit: string, unknown: string[]): string {
    process.emitWarning(
      `The cached copy of ${this.id} has no ${unknown.join(', ')}, and the hub cannot be asked whether they exist; ` +
        'the model is loaded without them and may differ from the original',
    )
    return this.repository.cache.snapshot(commit)
  }

  private async download(): Promise<string> {
    const { repository } = this
    const { cache } = repository
    const commit = await repository.askCommit()
    const entries = await repository.list(commit)
    const names = new Set(entries.keys())
    let modules: unknown
    if (names.has('modules.json')) {
      await repository.fetchFiles(commit, [entries.get('modules.json')!], MAX_JSON)
      modules = await readJson(join(cache.snapshot(commit), 'modules.json'))
    }
    const plan = planFiles(names, modules)
    if (plan.missing.length > 0) throw unusable(this.id, plan.missing, names)
    await repository.fetchFiles(
      commit,
      plan.needed.map((name) => entries.get(name)!),
    )
    await cache.markAbsent(
      commit,
      TELLING_FILES.filter((file) => !names.has(file)),
    )
    await cache.writeRef(repository.revision, commit)
    return cache.snapshot(commit)
  }

  private notCached(): SentenceTorchError {
    return new SentenceTorchError(
      'ERR_NOT_FOUND',
      `${this.id} at revision ${this.repository.revision} is neither a folder nor in the cache ${this.repository.cache.path}, ` +
        'and downloading is off (HF_HUB_OFFLINE or localFilesOnly)',
    )
  }
}
