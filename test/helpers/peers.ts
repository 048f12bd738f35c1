/** Real packages of test/peers, which `npm run peers` installs. Tests that need them are skipped without. */
import { existsSync } from 'node:fs'
import { fileURLToPath, pathToFileURL } from 'node:url'
import test, { type TestFn } from 'ava'

export const peersFolder = fileURLToPath(new URL('../../../test/peers/', import.meta.url))
/** Of `node --import`: programs find the packages, too. */
export const peersRegister = pathToFileURL(`${peersFolder}register.mjs`).href

export const hasPeers = existsSync(`${peersFolder}node_modules/.package-lock.json`)
if (hasPeers) await import(peersRegister)
else console.warn('The packages of test/peers are not installed (npm run peers): the tests with them are skipped')

/** `test`, where the packages are installed. */
export const peerTest: TestFn | TestFn['skip'] = hasPeers ? test : test.skip

/** A module of a package that is not there when TypeScript compiles. */
export async function importPeer<T>(name: string): Promise<T> {
  return (await import(name)) as T
}
