import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { readdir, readFile, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { bytesOf, changedFiles, type Edit, type Files, type Json } from './case.js'
import { parts, withLength } from './safetensors-parts.js'

/** A folder whose files are changed for a case and put back afterwards. Weight files are taken apart: header and data. */
export class BaseFolder {
  private constructor(
    readonly path: string,
    readonly files: Files,
    private readonly dirty = new Set<string>(),
  ) {}

  static async of(path: string): Promise<BaseFolder> {
    const files: Record<string, Json | Uint8Array> = {}
    for (const name of (await readdir(path, { recursive: true })).sort()) {
      if (!(await stat(join(path, name))).isFile()) continue
      const bytes = await readFile(join(path, name))
      if (name.endsWith('.safetensors')) {
        const { header, data } = parts(bytes)
        files[`${name}.header`] = JSON.parse(Buffer.from(header).toString())
        files[`${name}.data`] = data
      } else files[name] = name.endsWith('.json') ? JSON.parse(bytes.toString()) : bytes
    }
    return new BaseFolder(path, files)
  }

  /** Changes the files, after those of the case before are as they were. */
  change(edits: readonly Edit[]): void {
    const changed = new Map<string, Uint8Array | null>()
    for (const name of this.dirty) changed.set(name, this.#original(name))
    this.dirty.clear()
    const edited = changedFiles(this.files, edits)
    for (const part of edited.keys()) {
      const name = part.replace(/\.(header|data)$/, '')
      // Paths that lead elsewhere are for those who read them, not for us.
      if (!/^(\d_\w+\/)?[\w.-]+$/.test(name)) continue
      this.dirty.add(name)
      changed.set(
        name,
        this.#whole(name, (of) => (edited.has(of) ? edited.get(of)! : this.#original(of))),
      )
    }
    for (const [name, bytes] of changed) {
      rmSync(join(this.path, name), { force: true, recursive: true })
      if (bytes === null) continue
      mkdirSync(dirname(join(this.path, name)), { recursive: true })
      writeFileSync(join(this.path, name), bytes)
    }
  }

  #original(name: string): Uint8Array | null {
    return this.#whole(name, (of) => (this.files[of] === undefined ? null : bytesOf(this.files[of])))
  }

  #whole(name: string, part: (of: string) => Uint8Array | null): Uint8Array | null {
    if (!name.endsWith('.safetensors')) return part(name)
    const header = part(`${name}.header`)
    return header && withLength(header, part(`${name}.data`) ?? Buffer.of())
  }
}
