// Systems of Debian, made by mmdebstrap of the packages of the mirror that apt is configured with.
import { existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { run, Skip } from './run-program.mjs'
import { cacheFolder } from './toolbox.mjs'

/** The mirror of Debian that this machine uses. */
async function mirror() {
  const codename = /^VERSION_CODENAME=(.*)$/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1]
  const format = '$(CODENAME) $(REPO_URI)'
  const targets = await run('apt-get', ['indextargets', '--format', format, 'Created-By: Packages'])
  const line = targets.split('\n').find((one) => one.startsWith(`${codename} `))
  if (!line) throw new Skip('apt is configured with no mirror of Debian')
  return line.split(' ')[1]
}

/** The smallest system of Debian, as a tarball that is made once. @param {string} suite @returns {Promise<string>} its path */
export async function systemTarball(suite) {
  const path = join(cacheFolder, 'debian', `${suite}-${process.arch}.tar`)
  if (existsSync(path)) return path
  mkdirSync(dirname(path), { recursive: true })
  const part = `${path}.${process.pid}.part.tar`
  try {
    await run('mmdebstrap', ['--variant=minbase', suite, part, await mirror()], { timeout: 600 })
  } catch (error) {
    if (error instanceof Skip) throw error
    if (error.code === 'ENOENT') throw new Skip('mmdebstrap was not found (apt-get install mmdebstrap)')
    throw new Skip(`Debian's ${suite} cannot be had: ${error.message.trim().split('\n').at(-1)}`)
  }
  renameSync(part, path)
  return path
}
