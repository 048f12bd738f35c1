import { randomUUID } from 'node:crypto'
import { copyFile, mkdir, readdir, readFile, rename, stat, symlink, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { dirname, join, relative, sep } from 'node:path'

/** What a repository of the hub holds. */
export type RepositoryKind = 'model' | 'dataset'

/** A repository in the Hugging Face cache, in the layout that Python's huggingface_hub uses (refs, snapshots, blobs). */
export class CachedRepo {
  readonly path: string

  constructor(cacheFolder: string, kind: RepositoryKind, id: string) {
    this.path = join(cacheFolder, `${kind}s--${id.replaceAll('/', '--')}`)
  }

  /** The commit that `revision` was when it was last downloaded, or undefined. */
  async commit(revision: string): Promise<string | undefined> {
    if (isCommit(revision)) return revision
    const text = await readFile(join(this.path, 'refs', revision), 'utf8').catch(() => undefined)
    return text?.trim() || undefined
  }

  snapshot(commit: string): string {
    return join(this.path, 'snapshots', commit)
  }

  blob(etag: string): string {
    return join(this.path, 'blobs', etag)
  }

  /** Makes a finished blob visible as `file` of a snapshot. */
  async link(commit: string, file: string, etag: string): Promise<void> {
    const pointer = join(this.snapshot(commit), file)
    await mkdir(dirname(pointer), { recursive: true })
    const fresh = `${pointer}.${randomUUID()}`
    await symlink(relative(dirname(pointer), this.blob(etag)), fresh).catch(() => copyFile(this.blob(etag), fresh))
    await rename(fresh, pointer)
  }

  /** The files of the snapshot of `commit` that are there. */
  files(commit: string): Promise<Set<string>> {
    return listFolder(this.snapshot(commit))
  }

  /** The files of which it is known that the commit does not have them. */
  absentFiles(commit: string): Promise<Set<string>> {
    return listFolder(join(this.path, '.no_exist', commit))
  }

  /** Records, for Python too, that these files do not exist in the commit. */
  async markAbsent(commit: string, files: readonly string[]): Promise<void> {
    const folder = join(this.path, '.no_exist', commit)
    for (const file of files) {
      await mkdir(folder, { recursive: true })
      await writeFile(join(folder, file), '')
    }
  }

  /** Points `revision` to `commit`. */
  async writeRef(revision: string, commit: string): Promise<void> {
    if (isCommit(revision)) return
    const file = join(this.path, 'refs', revision)
    await mkdir(dirname(file), { recursive: true })
    const fresh = `${file}.${randomUUID()}`
    await writeFile(fresh, commit)
    await rename(fresh, file)
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

/** All files below `folder` that can be opened (a link to a missing blob cannot), with '/' between the parts. */
async function listFolder(folder: string): Promise<Set<string>> {
  const names = await readdir(folder, { recursive: true }).catch(() => [])
  const files = new Set<string>()
  for (const name of names) {
    const found = await stat(join(folder, name)).catch(() => undefined)
    if (found?.isFile()) files.add(name.split(sep).join('/'))
  }
  return files
}
