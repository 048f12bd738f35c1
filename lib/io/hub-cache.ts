import { copyFile, lstat, readdir, rename, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { basename, dirname, join, relative, sep } from 'node:path'
import { makeFolder } from './files.js'
import { readWhole } from './open-file.js'
import { checkRelativePath } from './safe-path.js'
import { failedTo } from './system-error.js'
import { isLeftOver, newId, ownerOf, removeLeftOvers } from './temporary.js'

/** Unfinished files of older versions of this package. Python's have a shorter id, or none. */
const OLD_LEFTOVER = /\.[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\.incomplete$/

/** Limit of bytes in a ref: the name of a commit, and what an editor may add. */
const MAX_REF = 100

/** The kinds of repositories on the hub. */
export type RepositoryKind = 'model' | 'dataset'

/** A repository in the Hugging Face cache, in the layout that Python's huggingface_hub uses (refs, snapshots, blobs). */
export class CachedRepo {
  readonly path: string

  constructor(cacheFolder: string, kind: RepositoryKind, id: string) {
    this.path = join(cacheFolder, `${kind}s--${id.replaceAll('/', '--')}`)
  }

  /** The commit that `revision` pointed to at the last download, or undefined. */
  async commit(revision: string): Promise<string | undefined> {
    if (isCommit(revision)) return revision
    const bytes = await readWhole(join(this.path, 'refs', revision), MAX_REF, 'ERR_INVALID_FILE').catch(() => '')
    const text = String(bytes).trim()
    return isCommit(text) ? text : undefined
  }

  snapshot(commit: string): string {
    return join(this.path, 'snapshots', commit)
  }

  blob(etag: string): string {
    return join(this.path, 'blobs', etag)
  }

  /** The path of `file` in a snapshot. @throws ERR_INVALID_FILE for a path that leads out of it */
  file(commit: string, file: string): string {
    return join(this.snapshot(commit), checkRelativePath(file, `A list of files of ${this.path}`, 'ERR_INVALID_FILE'))
  }

  /** Makes a finished blob visible as `file` of a snapshot. */
  async link(commit: string, file: string, etag: string): Promise<void> {
    const pointer = this.file(commit, file)
    const make = async (fresh: string) => {
      await symlink(relative(dirname(pointer), this.blob(etag)), fresh).catch(() => copyFile(this.blob(etag), fresh))
    }
    await this.put(pointer, make).catch(failedTo(`write ${pointer}`))
  }

  /** Puts the result of `make` in the place of `path`, or leaves nothing. */
  async put(path: string, make: (fresh: string) => Promise<void>): Promise<void> {
    const blobs = join(this.path, 'blobs')
    const fresh = join(blobs, `${basename(path)}.${newId()}.incomplete`)
    await makeFolder(blobs)
    await makeFolder(dirname(path))
    try {
      await make(fresh)
      await rename(fresh, path)
    } finally {
      await rm(fresh, { force: true })
    }
  }

  /** Removes unfinished files of killed processes, except beginnings of missing blobs. Never fails. */
  async removeLeftovers(): Promise<void> {
    const folder = join(this.path, 'blobs')
    const blobs = new Set(await readdir(folder).catch((): string[] => []))
    await removeLeftOvers(folder, (name) => {
      if (!name.endsWith('.incomplete')) return false
      if (ownerOf(name) === undefined) return OLD_LEFTOVER.test(name)
      const digest = /^([0-9a-f]{40}|[0-9a-f]{64})\./.exec(name)?.[1]
      return digest === undefined || blobs.has(digest)
    })
  }

  /** Moves the longest beginning of a blob that a killed process left to `fresh`, and removes others. Never fails. */
  async adoptLeftover(etag: string, fresh: string): Promise<void> {
    const folder = join(this.path, 'blobs')
    let most = 0
    for (const name of await readdir(folder).catch((): string[] => [])) {
      if (!name.startsWith(`${etag}.`) || !name.endsWith('.incomplete') || ownerOf(name) === undefined) continue
      const path = join(folder, name)
      const found = await lstat(path).catch(() => undefined)
      // Another process may take it at the same time. Only one of them gets it.
      if (!found?.isFile() || !(await isLeftOver(path))) continue
      if (found.size > most) await rename(path, fresh).catch(() => {})
      else await rm(path, { force: true }).catch(() => {})
      most = Math.max(most, found.size)
    }
  }

  /** The existing files in the snapshot of `commit`. */
  files(commit: string): Promise<Set<string>> {
    return listFolder(this.snapshot(commit))
  }

  /** The files that are known to be missing in the commit. */
  absentFiles(commit: string): Promise<Set<string>> {
    return listFolder(join(this.path, '.no_exist', commit))
  }

  /** Records, also for Python, that these files do not exist in the commit. */
  async markAbsent(commit: string, files: readonly string[]): Promise<void> {
    const folder = join(this.path, '.no_exist', commit)
    const mark = async (file: string) => {
      await makeFolder(folder)
      await writeFile(join(folder, file), '')
    }
    for (const file of files) await mark(file).catch(failedTo(`write into ${folder}`))
  }

  /** Points `revision` to `commit`. */
  async writeRef(revision: string, commit: string): Promise<void> {
    if (isCommit(revision)) return
    const file = join(this.path, 'refs', revision)
    await this.put(file, (fresh) => writeFile(fresh, commit)).catch(failedTo(`write ${file}`))
  }
}

/** `HF_HUB_CACHE`, else `HF_HOME/hub`, else `~/.cache/huggingface/hub`: as in Python. */
export function hubCacheFolder(env: NodeJS.ProcessEnv = process.env): string {
  const explicit = env.HF_HUB_CACHE ?? env.HUGGINGFACE_HUB_CACHE
  if (explicit) return explicit
  const home = env.HF_HOME || join(env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'huggingface')
  return join(home, 'hub')
}

export function isCommit(revision: string): boolean {
  return /^[0-9a-f]{40}$/.test(revision)
}

/** All files below `folder` that can be opened (a link to a missing blob cannot), as paths with '/'. */
async function listFolder(folder: string): Promise<Set<string>> {
  const names = await readdir(folder, { recursive: true }).catch(() => [])
  const files = new Set<string>()
  for (const name of names) {
    const found = await stat(join(folder, name)).catch(() => undefined)
    if (found?.isFile()) files.add(name.split(sep).join('/'))
  }
  return files
}
