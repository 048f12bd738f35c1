/** `sentence-torch build`: finds the sources, and lets their own program build into this package's folder. */
import { constants, existsSync } from 'node:fs'
import { access, mkdir, mkdtemp, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { cacheFolder } from '#libtorch'
import { withLock } from '#lock'
import { buildFolder, isOffline, packageRoot } from '#system'
import { checkToolchain } from '#toolchain'
import { SentenceTorchError } from '../errors.js'
import { failedTo } from '../io/system-error.js'
import { programCommand } from '../native/installation.js'
import { runProgram } from './child.js'
import { findPackage, versionOf } from './find-package.js'

const NAME = '@sentence-torch/build'

export interface BuildPlace {
  force: boolean
  /** The folder of this package; tests name others. */
  root?: string
  cwd?: string
  cache?: string
  npm?: string
  env?: NodeJS.ProcessEnv
  /** Throws when this machine cannot build. */
  check?: () => unknown
}

/** @returns the exit code of the build, which has reported faults on stderr */
export async function buildAddon(place: BuildPlace): Promise<number> {
  const { force, root = packageRoot, env = process.env, check = checkToolchain } = place
  const target = root === packageRoot ? buildFolder(env) : join(root, 'build')
  // Before anything is fetched.
  check()
  await checkWritable(target)
  const sources = await findSources(place)
  const args = [join(sources, 'install/build.mjs'), ...(force ? ['--force'] : [])]
  return runProgram(process.execPath, args, { ...env, SENTENCE_TORCH_BUILD: target }, process.cwd())
}

async function checkWritable(target: string): Promise<void> {
  let folder = target
  while (!existsSync(folder) && folder !== dirname(folder)) folder = dirname(folder)
  await access(folder, constants.W_OK).catch((cause: NodeJS.ErrnoException) => {
    const message =
      `${folder} cannot be written (${cause.code}): build into another folder, ` +
      `\`SENTENCE_TORCH_BUILD=$HOME/sentence-torch ${programCommand()} build\`, and name what is built there: ` +
      'SENTENCE_TORCH_ADDON=$HOME/sentence-torch/Release/sentence_torch.node'
    throw new SentenceTorchError('ERR_FILE_SYSTEM', message, { cause })
  })
}

/** The folder with the sources of exactly this version. */
async function findSources({ root = packageRoot, cwd = process.cwd(), ...place }: BuildPlace): Promise<string> {
  if (existsSync(join(root, 'CMakeLists.txt'))) return root
  const version = versionOf(root)
  const { cache = cacheFolder(place.env), npm = 'npm', env = process.env } = place
  const home = join(cache, `build-${version}`)
  const installed = findPackage(NAME, version, [root, cwd, home])
  if (installed !== undefined) return installed
  await fetchSources({ version, cache, home, npm, env })
  const fetched = findPackage(NAME, version, [home])
  if (fetched !== undefined) return fetched
  throw new SentenceTorchError('ERR_NOT_FOUND', `${npm} install has left no ${NAME} in ${home}`)
}

interface Fetch {
  version: string
  cache: string
  home: string
  npm: string
  env: NodeJS.ProcessEnv
}

/** Into a temporary folder, which then becomes the cached one: it is there as a whole or not at all. */
async function fetchSources({ version, cache, home, npm, env }: Fetch): Promise<void> {
  const name = `${NAME}@${version}`
  const local =
    `where there is a network, \`npm install --prefix build-${version} ${name}\` makes a folder ` +
    `with all that it needs, which is found here as ${home}`
  if (isOffline(env))
    throw new SentenceTorchError('ERR_NETWORK', `${name} is not installed, and SENTENCE_TORCH_OFFLINE is set: ${local}`)
  const cannotWrite = failedTo(`write into ${cache} (XDG_CACHE_HOME names another folder)`)
  await mkdir(cache, { recursive: true }).catch(cannotWrite)
  const say = (line: string) => void process.stderr.write(`sentence-torch: ${line}\n`)
  await withLock(
    `${home}.lock`,
    async () => {
      // The previous holder of the lock may have downloaded it.
      if (existsSync(home)) return
      say(`fetching ${name} through npm`)
      const temporary = await mkdtemp(`${home}.filling-`).catch(cannotWrite)
      try {
        // npm says nothing while it waits, by default 70 s before it gives a registry up.
        const retries = ['--fetch-retry-mintimeout=1000', '--fetch-retry-maxtimeout=5000']
        const options = ['--no-audit', '--no-fund', '--ignore-scripts', '--loglevel=error', ...retries]
        const code = await runProgram(npm, ['install', '--prefix', temporary, ...options, name], env, temporary).catch(
          (error: NodeJS.ErrnoException) => {
            if (error.code !== 'ENOENT') throw error
            throw new SentenceTorchError(
              'ERR_NOT_FOUND',
              `${npm} was not found: install ${name} with your package manager`,
            )
          },
        )
        if (code !== 0)
          throw new SentenceTorchError(
            'ERR_NETWORK',
            `npm could not install ${name} (exit code ${code}, see above): ${local}`,
          )
        await rename(temporary, home).catch(cannotWrite)
      } finally {
        await rm(temporary, { recursive: true, force: true })
      }
    },
    { onWait: (holder) => say(`waiting for another process that fetches ${name}: ${holder}`) },
  )
}
