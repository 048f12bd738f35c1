// The smallest Debian systems that install packages: neither compiler nor Python. Each runs the copied node_modules, then installs for
// itself. Needs root and mmdebstrap; the systems are fetched from the mirror that apt is configured with, once.
import { cpSync, mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { systemTarball } from '../debian-system.mjs'
import { copyInstalled } from '../installed.mjs'
import { measure } from '../measure.mjs'
import { run, Skip } from '../run-program.mjs'
import { addCheck, checkResult } from '../sandbox.mjs'
import { tool } from '../toolbox.mjs'

const SUITES = { 11: 'bullseye', 12: 'bookworm', 13: 'trixie' }

async function debian(context, release) {
  if (process.getuid() !== 0) throw new Skip('chroot needs root')
  const system = join(context.work, `debian-${release}`)
  mkdirSync(system)
  await run('tar', ['-xpf', await systemTarball(SUITES[release]), '-C', system])
  cpSync(await tool('node24'), join(system, 'usr/local/bin/node'))
  cpSync(dirname(dirname(await tool('npm12'))), join(system, 'usr/local/lib/npm'), { recursive: true })

  /** A command of the shell in the system, in a folder; /proc is there as in a container, and goes with the command. */
  const inside = (folder, command) => {
    const script = `mount -t proc proc "$0/proc" && exec chroot "$0" /bin/sh -c "$1"`
    const env = { PATH: '/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin', HOME: '/root', LANG: 'C.UTF-8' }
    return run('unshare', ['--mount', 'sh', '-c', script, system, `cd ${folder} && ${command}`], {
      env: { ...env, SENTENCE_TORCH_THREADS: '2' },
    })
  }
  const found = await inside('/', 'command -v gcc g++ cc cmake make python3 python || true')
  if (found.trim()) throw new Error(`the system has ${found.trim().split('\n').join(', ')}`)

  const copied = join(system, 'srv/copied')
  mkdirSync(copied, { recursive: true })
  await copyInstalled(context, copied)
  const { glibc } = await checkResult(context, () => inside('/srv/copied', 'node check.mjs'))

  const app = join(system, 'srv/app')
  mkdirSync(app)
  writeFileSync(join(app, '.npmrc'), `registry=${context.registry.url}\n`)
  writeFileSync(join(app, 'package.json'), JSON.stringify({ private: true, type: 'module' }))
  addCheck(context, app)
  const start = Date.now()
  await inside('/srv/app', 'node /usr/local/lib/npm/bin/npm-cli.js install sentence-torch')
  const { first, runtime } = await checkResult(context, () => inside('/srv/app', 'node check.mjs'))
  return { runtime, seconds: (first - start) / 1000, ...measure(app), note: `glibc ${glibc}, copied and installed` }
}

export const cases = Object.keys(SUITES).map((release) => ({
  name: `debian-${release}`,
  what: `minbase system of Debian ${release} without compiler and Python: node_modules copied in, then npm 12 inside`,
  run: (context) => debian(context, release),
}))
