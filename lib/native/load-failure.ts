import { closeSync, existsSync, openSync, readSync } from 'node:fs'
import { join } from 'node:path'
import { SentenceTorchError } from '../errors.js'

/** What was tried when the addon did not load. */
export interface LoadAttempt {
  cause: unknown
  addonPath: string
  bootPath: string
  libtorch: { path: string; version: string; variant: string } | undefined
}

/** `ERR_ADDON_LOAD`: what was tried, what was found there, and the command that mends it. */
export function loadFailure(attempt: LoadAttempt): SentenceTorchError {
  const { cause, addonPath, bootPath, libtorch } = attempt
  const here = `${process.platform} ${process.arch}, Node ${process.versions.node}`
  const lines = [
    `The native addon could not be loaded (${here}): ${reason(cause)}`,
    `  addon:    ${addonPath} (${binaryKind(addonPath)})`,
    `  boot:     ${bootPath} (${binaryKind(bootPath)})`,
    `  LibTorch: ${libtorchState(libtorch)}`,
    `To mend it: ${remedy(attempt)}`,
    'Inside a checkout of sentence-torch the commands are `npm run build:native` and `npm run doctor`.',
  ]
  return new SentenceTorchError('ERR_ADDON_LOAD', lines.join('\n'), { cause })
}

function reason(cause: unknown): string {
  // The stack of require() calls says nothing to the user of an ES module.
  return cause instanceof Error ? cause.message.split('\nRequire stack')[0]! : String(cause)
}

function libtorchState(libtorch: LoadAttempt['libtorch']): string {
  if (!libtorch) return 'not found: no build/libtorch.json of a finished build, and SENTENCE_TORCH_LIBTORCH names none'
  const found = existsSync(join(libtorch.path, 'lib')) ? 'exists' : 'missing: it was moved or deleted'
  return `${libtorch.path} (${libtorch.version}, ${libtorch.variant}, ${found})`
}

function remedy({ addonPath, bootPath, libtorch }: LoadAttempt): string {
  const rebuild = '`npm rebuild sentence-torch`'
  if (!existsSync(addonPath) || !existsSync(bootPath))
    return `it was not built (was it installed with --ignore-scripts?): ${rebuild}`
  if (!libtorch || !existsSync(join(libtorch.path, 'lib')))
    return `${rebuild} fetches LibTorch again; or name its folder in SENTENCE_TORCH_LIBTORCH`
  if (!binaryKind(addonPath).includes(process.arch))
    return `it was built on another kind of machine (a copied node_modules?): ${rebuild}`
  return `${rebuild} builds it for this LibTorch; \`npm explore sentence-torch -- npm run doctor\` shows what was found`
}

const ELF_MACHINES: Record<number, string> = { 62: 'x64', 183: 'arm64', 3: 'ia32', 40: 'arm' }
const MACH_MACHINES: Record<number, string> = { 16777223: 'x64', 16777228: 'arm64' }

/** What kind of file lies there: 'missing', 'Linux x64', 'macOS arm64', 'not a shared library'. */
function binaryKind(path: string): string {
  if (!existsSync(path)) return 'missing'
  const head = Buffer.alloc(20)
  try {
    const file = openSync(path, 'r')
    try {
      readSync(file, head, 0, head.length, 0)
    } finally {
      closeSync(file)
    }
  } catch (error) {
    return `unreadable: ${error instanceof Error ? error.message : String(error)}`
  }
  if (head.readUInt32BE(0) === 0x7f454c46)
    return `Linux ${ELF_MACHINES[head.readUInt16LE(18)] ?? 'of another processor'}`
  if (head.readUInt32LE(0) === 0xfeedfacf)
    return `macOS ${MACH_MACHINES[head.readUInt32LE(4)] ?? 'of another processor'}`
  return 'not a shared library'
}
