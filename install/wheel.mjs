// LibTorch out of Python wheels, one after the other: each is had (from a folder, from a mirror, or through pip with the user's own
// settings for indexes and proxies), its SHA-256 is compared with the pin, the needed members are unpacked, the wheel is deleted.

import { spawn } from 'node:child_process'
import { statSync } from 'node:fs'
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { addressOf, download, hashFile } from './download.mjs'
import { neededFromWheel } from './pins.mjs'
import { megabytes, progress } from './progress.mjs'
import { unzip } from './zip.mjs'

/** @typedef {import('./pins.mjs').Wheel} Wheel */

/**
 * @param {{ platforms: string[], wheels: Wheel[] }} source
 * @param {string} folder an empty folder; afterwards it holds torch/ and nvidia/
 * @param {object} options
 * @param {string} options.python
 * @param {(line: string) => void} options.log
 * @param {string} [options.from] a folder that holds the wheels, or an address below which they lie; default: pip's index
 * @param {(name: string) => boolean} [options.select] which members are unpacked
 * @param {AbortSignal} [options.signal] ends pip, and what comes after the present wheel
 */
export async function fetchWheels({ platforms, wheels }, folder, options) {
  const { python, log, from, select = neededFromWheel, signal } = options
  const local = from !== undefined && !isAddress(from)
  if (local) checkFolder(from, wheels)
  const downloads = join(folder, 'wheels')
  await mkdir(downloads)
  const bytes = wheels.reduce((sum, wheel) => sum + wheel.bytes, 0)
  if (!local)
    log(
      `Downloading ${megabytes(bytes)} of Python wheels ${from ? `from ${addressOf(from)}` : `through ${python} -m pip`}`,
    )

  let files = 0
  let unpacked = 0
  for (const wheel of wheels) {
    signal?.throwIfAborted()
    const path = join(local ? from : downloads, wheel.file)
    if (!local && from) await download(below(from, wheel.file), path)
    else if (!local) await pip(python, downloads, [...pipArguments(platforms, downloads), wheel.requirement], signal)
    const sha256 = await hashFile(path).catch(() => undefined)
    if (!sha256) throw new Error(local ? `${path} cannot be read` : `pip did not download ${wheel.file}`)
    if (sha256 !== wheel.sha256)
      throw new Error(`${wheel.file} has the SHA-256 ${sha256}, but ${wheel.sha256} is expected`)
    const bar = progress(`Unpacking ${wheel.requirement}`, wheel.bytes)
    const result = await unzip(path, folder, { select, onProgress: bar.update })
    bar.done()
    // Gigabytes of them: each makes room for the next.
    if (!local) await rm(path)
    files += result.files
    unpacked += result.bytes
  }
  await rm(downloads, { recursive: true })
  return { wheels: wheels.map(({ file, sha256 }) => ({ file, sha256 })), files, bytes: unpacked }
}

/** A token behind a question mark stays there. @param {string} from @param {string} name */
function below(from, name) {
  const url = new URL(from)
  url.pathname = `${url.pathname.replace(/\/$/, '')}/${encodeURIComponent(name)}`
  return url.href
}

/** @param {string} from */
export function isAddress(from) {
  return /^https?:\/\//i.test(from)
}

/** All that is missing at once, before the first is unpacked. @param {string} folder @param {Wheel[]} wheels */
function checkFolder(folder, wheels) {
  // To open a pipe waits for somebody who writes, and nothing stops that.
  const missing = wheels.filter(({ file }) => !isFile(join(folder, file)))
  if (missing.length === 0) return
  const names = missing.map(({ file }) => `\n    ${file}`).join('')
  throw new Error(`${folder} lacks ${missing.length} of ${wheels.length} wheels:${names}`)
}

/** @param {string} path */
function isFile(path) {
  return statSync(path, { throwIfNoEntry: false })?.isFile() ?? false
}

/** Always the files for Python 3.11, whatever Python runs pip. @param {string[]} platforms @param {string} target */
export function pipArguments(platforms, target) {
  return [
    ...'download --no-deps --only-binary=:all: --python-version 3.11 --implementation cp --abi cp311'.split(' '),
    ...platforms.flatMap((platform) => ['--platform', platform]),
    ...['--dest', target, '--disable-pip-version-check', '--progress-bar', process.stderr.isTTY ? 'on' : 'off'],
  ]
}

/**
 * @param {string} python
 * @param {string} temporary where pip keeps what is half downloaded; /tmp is often too small
 * @param {string[]} args
 * @param {AbortSignal} [signal]
 * @returns {Promise<void>}
 */
function pip(python, temporary, args, signal) {
  return new Promise((resolve, reject) => {
    const env = { ...process.env, TMPDIR: temporary }
    // pip's stdout goes to our stderr: our stdout is an answer for CMake.
    const child = spawn(python, ['-m', 'pip', ...args], { env, signal, stdio: ['ignore', 2, 'pipe'] })
    let complaints = ''
    child.stderr?.setEncoding('utf8').on('data', (text) => {
      complaints = (complaints + text).slice(-4000)
    })
    child.on('error', (error) =>
      reject(
        new Error(
          /** @type {NodeJS.ErrnoException} */ (error).code === 'ENOENT' ? `${python} was not found` : error.message,
        ),
      ),
    )
    child.on('close', (code) => {
      if (code === 0) return resolve()
      const lines = complaints.split('\n').filter((line) => /error/i.test(line) || /No module named pip/.test(line))
      reject(new Error(`${python} -m pip failed: ${(lines.length ? lines.slice(-3).join('; ') : complaints).trim()}`))
    })
  })
}
