// npm run publish:all: publishes the tarballs of a folder, each package after those that it depends on. Nothing is published before
// everything was looked at, and what is in the registry already is skipped, so that the same command goes on after a failure.

import { execFile, spawnSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { packageRoot } from '../install/system.mjs'
import { PackError } from './pack-error.mjs'
import { inOrder, missingPackages } from './release.mjs'
import { readTarball } from './tarball.mjs'

const HELP = `npm run publish:all -- --registry <URL> [options]
  --registry <URL>   where to
  --from <folder>    the tarballs of npm run pack:all, of all platforms (default build/packages)
  --tag <name>       dist-tag (default latest)
  --provenance       with a statement of where the packages were built; in a workflow that may ask for one
  --partial          although packages of other platforms are neither in the folder nor in the registry
  --dry-run          say what would be done`

/** @typedef {import('./tarball.mjs').Packed} Tarball */

/** @param {string[]} args */
async function main(args) {
  const options = parseOptions(args)
  if (options.help) return console.log(HELP)
  const { registry, from, partial } = options
  const tarballs = inOrder(await readFolder(from))
  const elsewhere = missingPackages(tarballs)
  const found = await Promise.all(elsewhere.map(({ name, version }) => lookUp(registry, name, version)))
  const absent = elsewhere.filter((_, i) => !found[i])
  if (absent.length && !partial) {
    const list = absent.map(({ name, version }) => `${name}@${version}`).join(', ')
    throw new PackError(
      `${list}: neither in ${from} nor in the registry. Pack them too (--platform), or publish without them: --partial`,
    )
  }

  const states = await Promise.all(
    tarballs.map(async (tarball) => ({ tarball, state: await stateOf(registry, tarball) })),
  )
  const differing = states.filter(({ state }) => state === 'differs').map(({ tarball }) => label(tarball))
  if (differing.length)
    throw new PackError(
      `${differing.join(', ')}: the registry has this version with another content, which cannot be replaced. Nothing was published. ` +
        `${remediesFor(differing, from, registry).join('; ')}, and try again`,
    )
  for (const { tarball, state } of states) if (state === 'same') console.log(`${label(tarball)}: there already`)
  const waiting = states.filter(({ state }) => state === 'absent').map(({ tarball }) => tarball)
  for (const [i, tarball] of waiting.entries()) {
    if (options['dry-run']) {
      console.log(`${label(tarball)}: would be published (${tarball.packed} bytes)`)
    } else if (publish(tarball, options)) {
      console.log(`${label(tarball)}: published`)
    } else {
      const names = (/** @type {Tarball[]} */ list) => list.map(label).join(', ') || 'nothing'
      throw new PackError(
        `${label(tarball)} was not published (npm's reason is above). Published by this run: ${names(waiting.slice(0, i))}; ` +
          `still to be published: ${names(waiting.slice(i))}. Run the same command again when the reason is gone: it goes on here`,
      )
    }
  }
}

/**
 * LibTorch's packages have LibTorch's version, which no release of ours raises: the published one is to be taken.
 * @param {string[]} labels
 * @param {string} from
 * @param {string} registry
 */
function remediesFor(labels, from, registry) {
  const libtorch = labels.filter((name) => name.startsWith('@sentence-torch/libtorch-'))
  const take = `Take what is published, \`npm pack ${libtorch.join(' ')} --pack-destination ${from} --registry ${registry}\``
  return [
    ...(libtorch.length ? [take] : []),
    ...(libtorch.length < labels.length ? ['Raise the version in package.json and pack again'] : []),
  ]
}

/** @param {string[]} args */
function parseOptions(args) {
  const text = /** @type {const} */ ({ type: 'string' })
  const flag = /** @type {const} */ ({ type: 'boolean', default: false })
  const options = {
    registry: text,
    from: text,
    tag: text,
    provenance: flag,
    partial: flag,
    'dry-run': flag,
    help: flag,
  }
  let values
  try {
    values = parseArgs({ args, options }).values
  } catch (error) {
    throw new PackError(`${error instanceof Error ? error.message : error}\n${HELP}`)
  }
  const { registry = '' } = values
  if (!values.help && !/^https?:$/.test(URL.canParse(registry) ? new URL(registry).protocol : ''))
    throw new PackError(`--registry: a URL with http or https is expected, found ${registry || 'nothing'}\n${HELP}`)
  return { ...values, registry, from: values.from ? resolve(values.from) : join(packageRoot, 'build/packages') }
}

/**
 * @param {string} folder
 * @returns {Promise<Tarball[]>}
 */
async function readFolder(folder) {
  const names = existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith('.tgz')) : []
  if (!names.length) throw new PackError(`${folder} holds no tarballs: npm run pack:all makes them`)
  return Promise.all(names.map((name) => readTarball(join(folder, name))))
}

/**
 * @param {string} registry
 * @param {Tarball} tarball
 * @returns {Promise<'absent' | 'same' | 'differs'>}
 */
async function stateOf(registry, { manifest, integrity }) {
  const found = await lookUp(registry, manifest.name, manifest.version)
  if (!found) return 'absent'
  // Compressed elsewhere, the same files can be other bytes: LibTorch's package stays for many of our versions.
  const same = found.integrity === integrity || (found.content && found.content === manifest.contentDigest)
  return same ? 'same' : 'differs'
}

/**
 * Through npm, which knows the user's certificates, proxies and tokens.
 * @param {string} registry
 * @param {string} name
 * @param {string} version
 * @returns {Promise<{ integrity?: string, content?: string } | undefined>} undefined where the registry has no such version
 */
function lookUp(registry, name, version) {
  const fields = ['dist.integrity', 'contentDigest', '--json', '--prefer-online']
  const [program, args] = npm(['view', `${name}@${version}`, ...fields, '--registry', registry])
  return new Promise((resolve, reject) => {
    execFile(program, args, { encoding: 'utf8' }, (error, stdout, stderr) => {
      if (error && /E404/.test(`${stdout}${stderr}`)) return resolve(undefined)
      if (error) {
        const reason = stderr.trim() || error.message
        const what = `The registry could not be asked for ${name}@${version}; nothing was published`
        return reject(new PackError(`${what}:\n${reason}`))
      }
      const found = stdout.trim() ? JSON.parse(stdout) : undefined
      // With one field alone, npm gives its value.
      if (typeof found === 'string') return resolve({ integrity: found })
      resolve(found && { integrity: found['dist.integrity'], content: found.contentDigest })
    })
  })
}

/**
 * @param {Tarball} tarball
 * @param {{ registry: string, tag?: string, provenance: boolean }} options
 */
function publish({ file }, { registry, tag, provenance }) {
  const more = [...(tag ? ['--tag', tag] : []), ...(provenance ? ['--provenance'] : [])]
  const [program, args] = npm(['publish', file, '--registry', registry, '--access', 'public', ...more])
  return spawnSync(program, args, { stdio: ['ignore', 'inherit', 'inherit'] }).status === 0
}

/**
 * npm tells its scripts where it is.
 * @param {string[]} args
 * @returns {[program: string, args: string[]]}
 */
function npm(args) {
  const own = process.env.npm_execpath
  return own ? [process.execPath, [own, ...args]] : ['npm', args]
}

/** @param {Tarball} tarball */
function label({ manifest }) {
  return `${manifest.name}@${manifest.version}`
}

try {
  await main(process.argv.slice(2))
} catch (error) {
  if (!(error instanceof PackError)) throw error
  process.stderr.write(`publish:all: ${error.message}\n`)
  process.exitCode = 1
}
