// Installations that go wrong. Each ends in one ERR_ADDON_LOAD that names the case; the command that it names is run, and then the check
// passes. What the package manager notices itself ends in its own error, and leaves nothing behind.
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { copyInstalled } from '../installed.mjs'
import { otherVersion } from '../packed.mjs'
import { publish, startCutRegistry } from '../registry.mjs'
import { attempt } from '../run-program.mjs'
import { addLauncher, checkResult, sandbox } from '../sandbox.mjs'
import { tool } from '../toolbox.mjs'

const platform = `${process.platform}-${process.arch}`
const addonPackage = `@sentence-torch/${platform}`
const libtorchPackage = `@sentence-torch/libtorch-${platform}`
const OTHER_OS = ['--os=darwin', '--cpu=arm64']

/** A sandbox with a package manager on PATH under its name, since that is how the remedies call it. */
async function boxWith(context, name, manager, options = {}) {
  const node = await tool('node24')
  const box = sandbox(context, name, { node, ...options })
  const script = await tool(manager === 'npm' ? 'npm12' : manager)
  addLauncher(box, manager, manager === 'npm' ? node : undefined, script)
  return { ...box, node, shell: (command) => box.run('sh', ['-c', command]) }
}

/** A copy of the shared installation, with npm. */
async function copyWith(context, name) {
  const box = await boxWith(context, name, 'npm')
  await copyInstalled(context, box.app)
  return box
}

/**
 * The check fails with one ERR_ADDON_LOAD; what it calls the remedy mends it.
 * @param {object} context
 * @param {Awaited<ReturnType<typeof boxWith>>} box
 * @param {RegExp} expected in the message
 */
async function failsThenMends(context, box, expected) {
  const { status, stderr } = await attempt(box.node, ['check.mjs'], { cwd: box.app, env: box.env })
  if (status === 0) throw new Error('expected an error but the check passed')
  const count = stderr.split("code: 'ERR_ADDON_LOAD'").length - 1
  if (count !== 1 || status !== 1)
    throw new Error(`expected one ERR_ADDON_LOAD (exit code 1) but found ${count} (${status}):\n${stderr}`)
  if (!expected.test(stderr)) throw new Error(`expected an error like ${expected} but found:\n${stderr}`)
  if (existsSync(join(box.app, 'run'))) throw new Error('the failed check left a folder')
  const message = /could not be loaded \([^)]*\): (.*)/.exec(stderr)?.[1]
  const command = /^To mend it: .*?`([^`]+)`/m.exec(stderr)?.[1]
  if (!command) throw new Error(`the error names no command:\n${stderr}`)
  await box.shell(command)
  const { runtime } = await checkResult(context, () => box.run(box.node, ['check.mjs']))
  return { runtime, error: message, note: `${message}; mended by: ${command}` }
}

/** The package manager fails by itself and leaves nothing that could be taken for an installation; `mend` then makes one. */
async function failsByItself(context, box, command, expected, mend) {
  const { status, stderr, stdout } = await attempt('sh', ['-c', command], { cwd: box.app, env: box.env })
  if (status === 0 || !expected.test(stderr))
    throw new Error(`expected an error like ${expected} of ${command} but found (${status}):\n${stdout}\n${stderr}`)
  if (existsSync(join(box.app, 'node_modules/sentence-torch/package.json')))
    throw new Error('half an installation is left')
  await mend()
  return checkResult(context, () => box.run(box.node, ['check.mjs']))
}

/** Neither ten seconds of waiting before the next try, nor a next try. */
function withoutRetries(box, url) {
  writeFileSync(join(box.app, '.npmrc'), `registry=${url}\nfetch-retries=0\n`)
  writeFileSync(join(box.app, 'pnpm-workspace.yaml'), 'fetchRetries: 0\n')
}

/** The registry goes down while it sends LibTorch, and is back when the remedy runs. */
async function downInLibtorch(context, name, manager, command) {
  const cut = await startCutRegistry(context.registry.url, /libtorch-.*\.tgz$/, 20e6)
  try {
    const box = await boxWith(context, name, manager, { registry: cut.url })
    withoutRetries(box, cut.url)
    const { status, stdout, stderr } = await attempt('sh', ['-c', command], { cwd: box.app, env: box.env })
    await cut.resume()
    // LibTorch belongs to an optional dependency, and those may fail: the first use says so.
    if (status === 0) return await failsThenMends(context, box, new RegExp(`${addonPackage}|${libtorchPackage}`))
    if (existsSync(join(box.app, 'node_modules/sentence-torch/package.json')))
      throw new Error(`half an installation is left:\n${stdout}\n${stderr}`)
    await box.shell(command)
    const { runtime } = await checkResult(context, () => box.run(box.node, ['check.mjs']))
    return { runtime, note: `${manager} ended with ${status}; the same command again installs it` }
  } finally {
    cut.stop()
  }
}

const omitted = /optional dependencies were left out/

export const cases = [
  {
    name: 'fail-omit-optional',
    what: 'npm install --omit=optional',
    async run(context) {
      const box = await boxWith(context, 'fail-omit-optional', 'npm')
      await box.shell('npm install --omit=optional sentence-torch')
      return failsThenMends(context, box, omitted)
    },
  },
  {
    name: 'fail-pnpm-no-optional',
    what: 'pnpm add --no-optional',
    async run(context) {
      const box = await boxWith(context, 'fail-pnpm-no-optional', 'pnpm')
      await box.shell('pnpm add --no-optional sentence-torch')
      return failsThenMends(context, box, omitted)
    },
  },
  {
    name: 'fail-bun-omit-optional',
    what: 'bun add --omit=optional',
    async run(context) {
      const box = await boxWith(context, 'fail-bun-omit-optional', 'bun')
      await box.shell('bun add --omit=optional sentence-torch')
      return failsThenMends(context, box, omitted)
    },
  },
  {
    name: 'fail-other-os',
    what: 'node_modules that was installed for macOS',
    async run(context) {
      const box = await boxWith(context, 'fail-other-os', 'npm')
      await box.shell(`npm install ${OTHER_OS.join(' ')} sentence-torch`)
      return failsThenMends(context, box, /node_modules was copied from another system/)
    },
  },
  {
    name: 'fail-other-os-lock',
    what: 'npm ci from a lock file that lists macOS alone, as older versions of npm wrote it beside their node_modules',
    async run(context) {
      const box = await boxWith(context, 'fail-other-os-lock', 'npm')
      await box.shell(`npm install --package-lock-only ${OTHER_OS.join(' ')} sentence-torch`)
      const file = join(box.app, 'package-lock.json')
      const lock = JSON.parse(readFileSync(file, 'utf8'))
      for (const path of Object.keys(lock.packages))
        if (/@sentence-torch\/.*linux/.test(path)) delete lock.packages[path]
      writeFileSync(file, JSON.stringify(lock))
      const missing = new RegExp(`Missing: ${addonPackage}@`)
      const { runtime } = await failsByItself(context, box, 'npm ci', missing, () => box.shell('npm install'))
      return { runtime, note: 'npm names what is missing; npm install writes it' }
    },
  },
  {
    name: 'fail-truncated-libtorch',
    what: 'libtorch_cpu.so was cut off',
    async run(context) {
      const box = await copyWith(context, 'fail-truncated-libtorch')
      const library = join(box.app, 'node_modules', libtorchPackage, 'torch/lib/libtorch_cpu.so')
      truncateSync(library, statSync(library).size / 2)
      return failsThenMends(context, box, /LibTorch is damaged: .*libtorch_cpu\.so/)
    },
  },
  {
    name: 'fail-truncated-addon',
    what: 'sentence_torch.node was cut off',
    async run(context) {
      const box = await copyWith(context, 'fail-truncated-addon')
      const addon = join(box.app, 'node_modules', addonPackage, 'sentence_torch.node')
      truncateSync(addon, statSync(addon).size / 2)
      return failsThenMends(context, box, /sentence_torch\.node is damaged/)
    },
  },
  {
    name: 'fail-no-libtorch',
    what: 'the package with LibTorch was deleted',
    async run(context) {
      const box = await copyWith(context, 'fail-no-libtorch')
      rmSync(join(box.app, 'node_modules', libtorchPackage), { recursive: true })
      return failsThenMends(context, box, new RegExp(`${libtorchPackage}, which holds LibTorch, is not`))
    },
  },
  {
    name: 'fail-other-version',
    what: 'an override holds another version of the platform package',
    async run(context) {
      const addon = context.tarballs.find(
        (path) => /\/sentence-torch-(linux|darwin)-[^/]*\d\.tgz$/.test(path) && path.includes(`-${platform}-`),
      )
      const folder = join(context.work, 'other-version')
      mkdirSync(folder)
      await publish(context.registry, [await otherVersion(addon, '0.0.1', folder)], 'old')
      const overrides = { [addonPackage]: '0.0.1' }
      const box = await boxWith(context, 'fail-other-version', 'npm', { manifest: { overrides } })
      await box.shell('npm install sentence-torch')
      // What holds the version goes first, as the message says.
      writeFileSync(join(box.app, 'package.json'), JSON.stringify({ private: true, type: 'module' }))
      return failsThenMends(
        context,
        box,
        /0\.0\.1 is installed beside sentence-torch .*: the versions must be the same/,
      )
    },
  },
  {
    name: 'fail-registry-main',
    what: 'the registry goes down in the middle of sentence-torch itself',
    async run(context) {
      const cut = await startCutRegistry(context.registry.url, /\/sentence-torch-\d[^/]*\.tgz$/, 100_000)
      try {
        const box = await boxWith(context, 'fail-registry-main', 'npm', { registry: cut.url })
        withoutRetries(box, cut.url)
        const command = 'npm install sentence-torch'
        const { runtime } = await failsByItself(context, box, command, /npm error/, async () => {
          await cut.resume()
          await box.shell(command)
        })
        return { runtime, note: 'npm says so; the same command again installs it' }
      } finally {
        cut.stop()
      }
    },
  },
  {
    name: 'fail-registry-libtorch',
    what: 'the registry goes down in the middle of LibTorch, npm',
    run: (context) => downInLibtorch(context, 'fail-registry-libtorch', 'npm', 'npm install sentence-torch'),
  },
  {
    name: 'fail-registry-libtorch-pnpm',
    what: 'the registry goes down in the middle of LibTorch, pnpm',
    run: (context) => downInLibtorch(context, 'fail-registry-libtorch-pnpm', 'pnpm', 'pnpm add sentence-torch'),
  },
]
