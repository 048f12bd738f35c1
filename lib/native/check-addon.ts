// Checks before the dynamic linker opens a file. The linker dies of SIGBUS on a truncated file, and accepts another version
// silently.
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { inspectBinary } from '#system'
import { archiveOf } from './archives.js'
import { type FoundAddon, type Libtorch, packageFor } from './find-addon.js'
import { commandsFor, forbidden, type Installation, isCheckout, type Problem } from './installation.js'

export class LoadProblem extends Error implements Problem {
  readonly what: string
  readonly remedy: string

  constructor({ what, remedy }: Problem) {
    super(what)
    this.what = what
    this.remedy = remedy
  }
}

export const LIBTORCH_VARIABLE =
  'unset SENTENCE_TORCH_LIBTORCH, or let it name a folder of LibTorch 2.11 to 2.14 (the one that holds lib/)'

/** What brings the LibTorch of this addon in order. */
export function libtorchRemedy(found: FoundAddon, installation: Installation): string {
  return process.env.SENTENCE_TORCH_LIBTORCH ? LIBTORCH_VARIABLE : remedyFor(found, installation)
}

/** What brings this addon in order. */
export function remedyFor({ source, folder }: FoundAddon, installation: Installation): string {
  const { build, reinstall } = commandsFor(installation)
  if (source === 'SENTENCE_TORCH_ADDON')
    return 'let SENTENCE_TORCH_ADDON name a sentence_torch.node for this machine with boot.node beside it, or unset it'
  if (source !== 'build') return reinstall
  return isCheckout(installation) ? build : `${build}; or delete ${dirname(folder)}, and the installed package is taken`
}

/** @throws LoadProblem when the addon cannot be opened, or should not be */
export function checkAddon(found: FoundAddon, installation: Installation): void {
  if (found.libtorch) checkVersion(found, installation)
  for (const path of [found.addonPath, found.bootPath]) checkFile(path, found, installation)
}

function checkVersion({ source, folder }: FoundAddon, installation: Installation): void {
  const [own, wanted] = [versionIn(folder), versionIn(installation.root)]
  // A bundler may have left no package.json.
  if (own === undefined || wanted === undefined || own === wanted) return
  const names = source.endsWith('-cuda13') ? ['sentence-torch', source] : ['sentence-torch']
  const { add } = commandsFor(installation)
  throw new LoadProblem({
    what: `${source} ${own} is installed beside sentence-torch ${wanted}: the versions must be the same`,
    remedy: `${add(...names.map((name) => `${name}@${wanted}`))}; what holds the other version is an override or an old lock file`,
  })
}

function versionIn(folder: string): string | undefined {
  try {
    return (JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { version?: string }).version
  } catch {
    return undefined
  }
}

function checkFile(path: string, found: FoundAddon, installation: Installation): void {
  checkArchive(path, found, installation)
  const { state, description, machine } = inspectBinary(path)
  const remedy = remedyFor(found, installation)
  if (state === 'forbidden') throw new LoadProblem(forbidden(dirname(path), description))
  if (state !== 'whole')
    throw new LoadProblem({
      what: `${path} is damaged (${description})`.replace('damaged (missing)', 'missing'),
      remedy,
    })
  if (machine !== `${installation.platform}-${installation.arch}`)
    throw new LoadProblem({
      what: `${path} was built on another kind of machine (${description}): was it copied from there?`,
      remedy,
    })
}

/** The dynamic linker cannot look into archives. */
function checkArchive(path: string, { source }: FoundAddon, installation: Installation): void {
  const archive = archiveOf(path, installation)
  if (archive === 'asar')
    throw new LoadProblem({
      what: `${path} is packed into an asar archive, where nothing native can be loaded from`,
      remedy:
        'let the packager unpack it: asar option `unpack: "{*.node,*.so,*.so.*,*.dylib}"` (Forge: packagerConfig.asar.unpack; electron-builder: asarUnpack)',
    })
  if (archive === 'zip') {
    const names = source.startsWith('@')
      ? [source, packageFor(`libtorch-${installation.platform}-${installation.arch}`)]
      : [source]
    throw new LoadProblem({
      what: `${path} is inside a zip archive of Yarn, where nothing native can be loaded from`,
      remedy: `unplug it: in package.json "dependenciesMeta": { ${names.map((name) => `"${name}": { "unplugged": true }`).join(', ')} }, then \`yarn install\``,
    })
  }
}

/** @throws LoadProblem when LibTorch cannot be opened */
export function checkLibtorch(
  libtorch: Libtorch | undefined,
  libraries: readonly string[],
  found: FoundAddon,
  installation: Installation,
): asserts libtorch is Libtorch {
  const mended = libtorchRemedy(found, installation)
  const remedy =
    mended === LIBTORCH_VARIABLE ? mended : `${mended}; or name a folder of LibTorch in SENTENCE_TORCH_LIBTORCH`
  if (!libtorch)
    throw new LoadProblem({
      what: `LibTorch was not found: no libtorch.json beside ${found.addonPath} or in the folder above, and SENTENCE_TORCH_LIBTORCH names none`,
      remedy,
    })
  checkArchive(join(libtorch.path, 'lib'), found, installation)
  if (!isFolder(join(libtorch.path, 'lib')))
    throw new LoadProblem({ what: `LibTorch is missing in ${libtorch.path}: it was moved or deleted`, remedy })
  for (const library of [...libraries, ...besideLibtorch(libtorch.path)]) {
    const { state, description, machine } = inspectBinary(library)
    if (state === 'forbidden') throw new LoadProblem(forbidden(dirname(library), description))
    if (state !== 'whole') throw new LoadProblem({ what: `LibTorch is damaged: ${library} (${description})`, remedy })
    if (machine !== `${installation.platform}-${installation.arch}`)
      throw new LoadProblem({ what: `LibTorch is of another kind of machine: ${library} (${description})`, remedy })
  }
}

/** Throws where that may not be known. */
export function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory()
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR') return false
    throw error
  }
}

/** The small libraries of CUDA that LibTorch of the wheel opens itself. */
function besideLibtorch(path: string): string[] {
  const nvidia = join(path, '..', 'nvidia')
  if (!isFolder(nvidia)) return []
  return readdirSync(nvidia)
    .map((name) => join(nvidia, name, 'lib'))
    .filter(isFolder)
    .flatMap((folder) =>
      readdirSync(folder)
        .filter((name) => /^lib(cudart|cupti)\.so/.test(name))
        .map((name) => join(folder, name)),
    )
}
