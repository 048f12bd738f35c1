import { randomUUID } from 'node:crypto'
import { copyFile, mkdir, readdir, readFile, rename, stat, symlink, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { dirname, join, relative, sep } from 'node:path'
import { planFiles } from './hub-files.js'
import { readJson } from './json.js'

/** Files whose absence means something (mean pooling, no prompts), so that it has to be known. */
const TELLING_FILES = ['modules.json', 'config_sentence_transformers.json', 'sentence_bert_config.json']

/** A repository in the Hugging Face cache, in the layout that Python's huggingface_hub uses (refs, snapshots, blobs). */
export class CachedRepo {
  readonly path: string

  constructor(cacheFolder: string, id: string) {
    this.path = join(cacheFolder, `models--${id.replaceAll('/', '--')}`)
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

  /**
   * What the snapshot of `commit` lacks: `missing` files that loading needs, and `unknown` ones that may or may not exist
   * (another program may have fetched only its own files; those known not to exist are listed in `.no_exist`).
   */
  async check(commit: string): Promise<{ missing: string[]; unknown: string[]; files: Set<string> }> {
    const folder = this.snapshot(commit)
    const files = await listFolder(folder)
    const modules = files.has('modules.json') ? await readJson(join(folder, 'modules.json')) : undefined
    const absent = await listFolder(join(this.path, '.no_exist', commit))
    const telling = absent.has('modules.json') ? [] : TELLING_FILES
    return {
      missing: planFiles(files, modules).missing,
      unknown: telling.filter((file) => !files.has(file) && !absent.has(file)),
      files,
    }
  }

  /** Makes a finished blob visible as `file` of a snapshot. */
  async link(commit: string, file: string, etag: string): Promise<void> {
    const pointer = join(this.snapshot(commit), file)
    await mkdir(dirname(pointer), { recursive: true })
    const fresh = `${pointer}.${randomUUID()}`
    await symlink(relative(dirname(pointer), this.blob(etag)), fresh).catch(() => copyFile(this.blob(etag), fresh))
    await rename(fresh, pointer)
  }

  /** Records, for Python too, that these files do not exist in the commit. */
  async markAbsent(commit: string, present: ReadonlySet<string>): Promise<void> {
    const folder = join(this.path, '.no_exist', commit)
    for (const file of TELLING_FILES) {
      if (present.has(file)) continue
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
