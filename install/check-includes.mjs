// `npm run check:includes`: whether every file of C++ includes what it uses, which precompiled headers hide. Reads each as the
// build does, but without the precompiled header, and makes nothing. All files take minutes; `-- --changed <commit>` takes
// those that differ from it.

import { execFile } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { parseArgs, promisify } from 'node:util'
import { buildFolder, command, cores, packageRoot } from './system.mjs'

const run = promisify(execFile)

/** @typedef {{ file: string, directory: string, command: string }} Entry */

/** @returns {Entry[]} the files that the build compiles */
function compiled() {
  const database = join(buildFolder(), 'compile_commands.json')
  if (!existsSync(database)) throw new Error(`${database} does not exist. What mends it: npm run build:native`)
  const entries = /** @type {Entry[]} */ (JSON.parse(readFileSync(database, 'utf8')))
  if (!entries.some(isPrecompiled))
    throw new Error(`${database} names no precompiled header: every build checks the includes there`)
  return entries.filter(({ file }) => !file.includes('cmake_pch'))
}

/** @param {Entry} entry @returns {boolean} whether it is compiled with a precompiled header; every build checks the others */
const isPrecompiled = ({ command }) => command.includes('cmake_pch.hxx')

/**
 * The sources that changed, and the headers, each with the options of a source of its folder.
 * @param {Entry[]} entries
 * @param {string} commit
 */
function changed(entries, commit) {
  const output = command('git', ['-C', packageRoot, 'diff', '--name-only', '--diff-filter=d', commit, '--', 'native'])
  if (output === undefined) throw new Error(`git cannot compare with ${commit}`)
  const files = output.split('\n').filter(Boolean)
  const folder = (/** @type {string} */ file) => file.split('/').slice(0, 2).join('/')
  return files.flatMap((name) => {
    const file = join(packageRoot, name)
    const entry = entries.find((candidate) => candidate.file === file)
    if (entry) return isPrecompiled(entry) ? [entry] : []
    // A header for nvcc is compiled by nvcc alone. The program of the tests compiles some sources without the headers of Node.
    const neighbours = entries.filter((candidate) => folder(relative(packageRoot, candidate.file)) === folder(name))
    const neighbour = neighbours.find(({ command }) => !command.includes('native_tests.dir')) ?? neighbours[0]
    return name.endsWith('.h') && neighbour && !name.startsWith('native/cuda/') ? [{ ...neighbour, file }] : []
  })
}

/**
 * @param {Entry} entry
 * @returns {Promise<string>} what the compiler says against it, nothing when it is well
 */
async function judge({ file, directory, command: line }) {
  // CMake writes them for a shell; none of ours needs quotes but a path with spaces.
  const words = [...line.matchAll(/"((?:[^"\\]|\\.)*)"|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain)
  const compiler = words.findIndex((word) => /(?:c\+\+|g\+\+|clang\+\+)[-.\d]*$/.test(word))
  const options = words.slice(compiler + 1, words.indexOf('-o'))
  const kept = options.filter(
    (word, i) =>
      !/cmake_pch|^-Winvalid-pch$|^-fpch-preprocess$/.test(word) &&
      !(/^-include$/.test(word) && /cmake_pch/.test(options[i + 1] ?? '')) &&
      !(word === '-Xclang' && /-include|cmake_pch/.test(options[i + 1] ?? '')),
  )
  const header = file.endsWith('.h') ? ['-x', 'c++', '-Wno-pragma-once-outside-header'] : []
  try {
    await run(words[compiler] ?? 'c++', [...kept, '-w', '-fsyntax-only', ...header, file], {
      cwd: directory,
      maxBuffer: 1 << 26,
    })
    return ''
  } catch (error) {
    return String(/** @type {{ stderr?: string }} */ (error).stderr ?? error)
  }
}

async function main() {
  const { values } = parseArgs({ options: { changed: { type: 'string' } } })
  const all = compiled()
  const entries = values.changed === undefined ? all.filter(isPrecompiled) : changed(all, values.changed)
  let failed = 0
  let next = 0
  const work = async () => {
    for (let entry = entries[next++]; entry; entry = entries[next++]) {
      const problem = await judge(entry)
      if (!problem) continue
      failed++
      console.log(`${relative(packageRoot, entry.file)}:\n${problem.split('\n').slice(0, 12).join('\n')}`)
    }
  }
  await Promise.all(Array.from({ length: cores().allowed }, work))
  console.log(`includes: ${entries.length - failed} passed, ${failed} failed`)
  if (failed) process.exitCode = 1
}

try {
  await main()
} catch (error) {
  console.error(`check:includes: ${/** @type {Error} */ (error).message}`)
  process.exitCode = 1
}
