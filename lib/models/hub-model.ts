import { join } from 'node:path'
import { SentenceTorchError } from '../errors.js'
import { HubRepository, type RepositoryOptions } from '../io/hub-repository.js'
import type { TypeOf } from '../io/schema.js'
import { planFiles, unusable, weightIndex } from './hub-files.js'
import { checkModel, shardsOf, TELLING_FILES } from './hub-model-cache.js'
import { jsonObject, readJson } from './json.js'
import { modulesSchema } from './model-folder.js'
import { withRoutes } from './router/hub.js'
import type { Entry } from './router/read.js'

/** What modules.json may have at most, which is read whole before anything else is known of a model. */
const MAX_JSON = 1024 * 1024
/** An index has a line for every tensor. */
const MAX_INDEX = 16 * 1024 * 1024

/** A model on the hub, and its copy in the cache. */
export class HubModel {
  private readonly repository: HubRepository

  /** @param more files of this kind of model, which it may lack */
  constructor(
    private readonly id: string,
    options: RepositoryOptions,
    private readonly more: readonly string[] = [],
  ) {
    this.repository = new HubRepository('model', id, options)
  }

  /** The folder that holds it. @throws as `resolveModel` */
  async resolve(): Promise<string> {
    const { cache, revision, offline } = this.repository
    const commit = await cache.commit(revision)
    const found = commit === undefined ? undefined : await checkModel(cache, commit, this.more)
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
    let modules: TypeOf<typeof modulesSchema> | readonly Entry[] | undefined
    if (names.has('modules.json')) {
      await repository.fetchFiles(commit, [entries.get('modules.json')!], MAX_JSON)
      modules = await readJson(join(cache.snapshot(commit), 'modules.json'), modulesSchema)
    }
    const routed = await withRoutes(modules, names, async (file) => {
      await repository.fetchFiles(commit, [entries.get(file)!], MAX_JSON)
      return readJson(join(cache.snapshot(commit), file), jsonObject)
    })
    modules = routed.modules
    const index = weightIndex(names, modules)
    if (index !== undefined) await repository.fetchFiles(commit, [entries.get(index)!], MAX_INDEX)
    const plan = planFiles(names, modules, await shardsOf(cache.snapshot(commit), index), [
      ...this.more,
      ...routed.more,
    ])
    if (plan.missing.length > 0) throw unusable(this.id, plan.missing, names)
    await repository.fetchFiles(
      commit,
      plan.needed.map((name) => entries.get(name)!),
    )
    await cache.markAbsent(
      commit,
      [...TELLING_FILES, ...this.more].filter((file) => !names.has(file)),
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
