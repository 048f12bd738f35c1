import { readFile } from 'node:fs/promises'
import { join } from 'node:path'

let version: Promise<string> | undefined

/** The version of this package. */
export function packageVersion(): Promise<string> {
  version ??= read()
  return version
}

async function read(): Promise<string> {
  const { packageRoot } = await import('#system')
  const text = await readFile(join(packageRoot, 'package.json'), 'utf8')
  return (JSON.parse(text) as { version: string }).version
}
