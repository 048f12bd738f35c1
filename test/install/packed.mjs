// The tarballs that are published: those of a folder, or made by `npm run pack:all`.
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { run } from './run-program.mjs'
import { npm } from './toolbox.mjs'

const root = fileURLToPath(new URL('../../', import.meta.url))

/**
 * @param {string | undefined} folder where they are; made in `work` if there is none
 * @param {string} work
 * @returns {Promise<{ tarballs: string[], platforms: string[], sizes: { file: string, megabytes: number }[] }>} libraries before what needs them
 */
export async function packedTarballs(folder, work) {
  const place = folder ?? join(work, 'packed')
  if (!folder) {
    const addon = process.env.SENTENCE_TORCH_ADDON
    const options = ['--out', place, ...(addon ? ['--addon', dirname(resolve(addon))] : [])]
    await npm(['run', 'pack:all', '--', ...options], { cwd: root, timeout: 1200 })
  }
  const files = existsSync(place) ? readdirSync(place).filter((name) => name.endsWith('.tgz')) : []
  if (!files.some((name) => /^sentence-torch-\d/.test(name))) throw new Error(`${place} holds no packed sentence-torch`)
  const rank = (name) => (/-libtorch-/.test(name) ? 0 : /^sentence-torch-\d/.test(name) ? 2 : 1)
  files.sort((a, b) => rank(a) - rank(b) || a.localeCompare(b))
  const tarballs = files.map((name) => join(place, name))
  return {
    tarballs: [...tarballs.slice(0, -1), ...(await placeholders(tarballs, work)), ...tarballs.slice(-1)],
    // Not those of the placeholders.
    platforms: files.flatMap((name) => /^sentence-torch-((?:linux|darwin)-\w+)-\d/.exec(name)?.[1] ?? []),
    sizes: files.map((file) => ({ file, megabytes: statSync(join(place, file)).size / 1e6 })),
  }
}

/** Empty packages for the other platforms: a release has them all, and yarn asks for each of them. */
async function placeholders(tarballs, work) {
  const manifest = JSON.parse(await run('tar', ['-xzOf', tarballs.at(-1), 'package/package.json']))
  const made = []
  for (const [name, version] of Object.entries(manifest.optionalDependencies ?? {})) {
    const platform = name.split('/')[1]
    if (tarballs.some((path) => path.endsWith(`sentence-torch-${platform}-${version}.tgz`))) continue
    const folder = join(work, 'placeholders', platform)
    mkdirSync(folder, { recursive: true })
    const [os, cpu] = platform.split('-')
    writeFileSync(join(folder, 'package.json'), JSON.stringify({ name, version, os: [os], cpu: [cpu] }))
    writeFileSync(join(folder, 'index.js'), 'exports.folder = __dirname\n')
    const target = join(work, 'placeholders')
    await npm(['pack', '--ignore-scripts', '--pack-destination', target], { cwd: folder })
    made.push(join(target, `sentence-torch-${platform}-${version}.tgz`))
  }
  return made
}

/**
 * A tarball with another version in it.
 * @param {string} tarball
 * @param {string} version
 * @param {string} folder an empty one, for what is made
 */
export async function otherVersion(tarball, version, folder) {
  await run('tar', ['-xzf', tarball, '-C', folder])
  const file = join(folder, 'package/package.json')
  writeFileSync(file, JSON.stringify({ ...JSON.parse(readFileSync(file, 'utf8')), version }))
  await npm(['pack', '--ignore-scripts', '--pack-destination', folder], { cwd: join(folder, 'package') })
  return join(
    folder,
    readdirSync(folder).find((name) => name.endsWith('.tgz')),
  )
}
