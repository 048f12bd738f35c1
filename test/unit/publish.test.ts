import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import { packageRoot } from '#system'
import { LoopbackRegistry } from '../helpers/loopback-registry.js'

const { makeTarball } = (await import(pathToFileURL(join(packageRoot, 'packaging/tarball.mjs')).href)) as {
  makeTarball(folder: string, target: string): Promise<{ file: string; integrity: string }>
}

const LIBTORCH = '@sentence-torch/libtorch-linux-x64'
const ADDON = '@sentence-torch/linux-x64'
const BUILD = '@sentence-torch/build'
const MAIN = 'sentence-torch'

type Manifest = Record<string, unknown> & { name: string; version: string }

/** A release in small: the manifests are what matters. */
function release(version = '1.0.0', libtorch = '2.0.0'): Manifest[] {
  return [
    { name: MAIN, version, optionalDependencies: { [ADDON]: version, '@sentence-torch/linux-arm64': version } },
    { name: BUILD, version },
    { name: ADDON, version, dependencies: { [LIBTORCH]: libtorch } },
    { name: LIBTORCH, version: libtorch, contentDigest: `content of ${libtorch}` },
  ]
}

interface Place {
  registry: LoopbackRegistry
  folder: string
  add(manifests: Manifest[], content?: string): Promise<void>
  publish(...args: string[]): Promise<{ code: number | null; stdout: string; stderr: string }>
}

async function place(t: ExecutionContext): Promise<Place> {
  const work = mkdtempSync(join(tmpdir(), 'sentence-torch-publish-'))
  const registry = await LoopbackRegistry.start()
  t.teardown(async () => {
    await registry.close()
    rmSync(work, { recursive: true, force: true })
  })
  const folder = join(work, 'tarballs')
  mkdirSync(folder)
  const npmrc = join(work, 'npmrc')
  writeFileSync(npmrc, `//${new URL(registry.url).host}/:_authToken=none\nfetch-retries=0\nupdate-notifier=false\n`)
  return {
    registry,
    folder,
    async add(manifests, content = 'content') {
      for (const manifest of manifests) {
        const package_ = mkdtempSync(join(work, 'package-'))
        writeFileSync(join(package_, 'package.json'), JSON.stringify(manifest))
        writeFileSync(join(package_, 'content.txt'), content)
        await makeTarball(package_, folder)
      }
    },
    publish: (...args) =>
      new Promise((resolve, reject) => {
        const script = join(packageRoot, 'packaging/publish-all.mjs')
        const all = [script, '--registry', registry.url, '--from', folder, ...args]
        const env = { ...process.env, npm_config_userconfig: npmrc, npm_config_cache: join(work, 'cache') }
        const child = spawn(process.execPath, all, { env, cwd: work })
        const output = { stdout: '', stderr: '' }
        child.stdout.on('data', (chunk) => {
          output.stdout += chunk
        })
        child.stderr.on('data', (chunk) => {
          output.stderr += chunk
        })
        child.on('error', reject)
        child.on('close', (code) => resolve({ code, ...output }))
      }),
  }
}

test('all packages are published, each after those that it needs; a second run has nothing to do', async (t) => {
  const { registry, add, publish } = await place(t)
  await add(release())
  const dry = await publish('--partial', '--dry-run')
  t.is(dry.code, 0, dry.stderr)
  t.is(dry.stdout.match(/would be published/g)?.length, 4)
  t.deepEqual(registry.published, [])

  const real = await publish('--partial', '--tag', 'next')
  t.is(real.code, 0, real.stderr)
  t.deepEqual(registry.published, [LIBTORCH, ADDON, BUILD, MAIN])
  t.is(registry.tags.get(MAIN)?.next, '1.0.0')

  const again = await publish('--partial')
  t.is(again.code, 0, again.stderr)
  t.is(again.stdout.match(/there already/g)?.length, 4)
  t.is(registry.published.length, 4)
})

test('a release without the packages of a platform is refused unless that is wanted', async (t) => {
  const { registry, add, publish } = await place(t)
  await add(release())
  const { code, stderr } = await publish()
  t.is(code, 1)
  t.regex(stderr, /@sentence-torch\/linux-arm64@1\.0\.0: neither in .* nor in the registry.*--partial/)
  t.deepEqual(registry.published, [])
  registry.add({ name: '@sentence-torch/linux-arm64', version: '1.0.0' }, 'sha512-x', () => Buffer.of())
  t.is((await publish('--dry-run')).code, 0)
})

test('the same version with other content is refused before anything is published', async (t) => {
  const { registry, folder, add, publish } = await place(t)
  await add(release())
  // Other bytes with the same digest of the content: compressed elsewhere.
  registry.add(release()[3]!, 'sha512-other', () => Buffer.of())
  registry.add(release()[1]!, 'sha512-other', () => Buffer.of())
  const { code, stderr } = await publish('--partial')
  t.is(code, 1)
  t.regex(stderr, /@sentence-torch\/build@1\.0\.0: the registry has this version with another content/)
  t.false(stderr.includes(LIBTORCH))
  t.deepEqual(registry.published, [])
  t.is(readdirSync(folder).length, 4)
})

test('LibTorch of this version that is published already with other content is taken from the registry', async (t) => {
  const { registry, folder, add, publish } = await place(t)
  await add(release())
  registry.add({ ...release()[3]!, contentDigest: 'other' }, 'sha512-other', () => Buffer.of())
  const { code, stderr } = await publish('--partial')
  t.is(code, 1)
  t.true(
    stderr.includes(`\`npm pack ${LIBTORCH}@2.0.0 --pack-destination ${folder} --registry ${registry.url}\``),
    stderr,
  )
  t.false(stderr.includes('Raise the version'))
  t.deepEqual(registry.published, [])
})

test('a registry that goes down in the middle: what is published, what is not, and the same command goes on', async (t) => {
  const { registry, add, publish } = await place(t)
  await add(release())
  registry.broken.add(BUILD)
  const failed = await publish('--partial')
  t.is(failed.code, 1)
  t.regex(
    failed.stderr,
    /Published by this run: @sentence-torch\/libtorch-linux-x64@2\.0\.0, @sentence-torch\/linux-x64@1\.0\.0; /,
  )
  t.regex(
    failed.stderr,
    /still to be published: @sentence-torch\/build@1\.0\.0, sentence-torch@1\.0\.0\. Run the same command again/,
  )
  registry.broken.clear()
  const mended = await publish('--partial')
  t.is(mended.code, 0, mended.stderr)
  t.deepEqual(registry.published, [LIBTORCH, ADDON, BUILD, MAIN])
})

test('tarballs that are not one release are refused', async (t) => {
  const { folder, add, publish } = await place(t)
  t.regex((await publish()).stderr, /holds no tarballs: npm run pack:all/)
  await add(release())
  await add(release('1.0.1').slice(1, 2))
  t.regex((await publish()).stderr, /@sentence-torch\/build is there twice/)
  rmSync(join(folder, 'sentence-torch-build-1.0.0.tgz'))
  t.regex((await publish()).stderr, /has the version 1\.0\.1, but sentence-torch is 1\.0\.0: pack all of them again/)
  rmSync(join(folder, 'sentence-torch-build-1.0.1.tgz'))
  rmSync(join(folder, 'sentence-torch-libtorch-linux-x64-2.0.0.tgz'))
  await add(release('1.0.0', '2.0.1').slice(3))
  t.regex(
    (await publish()).stderr,
    /linux-x64 needs @sentence-torch\/libtorch-linux-x64 2\.0\.0, but the folder has 2\.0\.1/,
  )
  await add([{ name: 'left-pad', version: '1.0.0' }])
  t.regex((await publish()).stderr, /left-pad, no package of sentence-torch/)
})

test('a tarball that was cut off, and what is none, are told in one line', async (t) => {
  const { folder, add, publish, registry } = await place(t)
  await add(release())
  const file = join(folder, 'sentence-torch-1.0.0.tgz')
  const whole = readFileSync(file)
  const damages: [string, () => void][] = [
    ['cut off', () => writeFileSync(file, whole.subarray(0, whole.length / 2))],
    ['text', () => writeFileSync(file, 'junk')],
    ['a folder', () => mkdirSync(file)],
  ]
  for (const [name, damage] of damages) {
    rmSync(file)
    damage()
    const { code, stderr } = await publish()
    t.is(code, 1)
    t.regex(
      stderr,
      /^publish:all: .*sentence-torch-1\.0\.0\.tgz is (damaged or no tarball|no package's tarball).*\n$/,
      name,
    )
  }
  t.deepEqual(registry.published, [])
})

test('a registry that cannot be asked and a wrong address end before anything is published', async (t) => {
  const { registry, add, publish } = await place(t)
  await add(release())
  await registry.close()
  const { code, stderr } = await publish('--partial')
  t.is(code, 1)
  t.regex(stderr, /could not be asked for .*; nothing was published/)
  t.regex(
    (await publish('--registry', 'nowhere')).stderr,
    /--registry: a URL with http or https is expected, found nowhere/,
  )
  t.regex((await publish('--regstry', 'x')).stderr, /Unknown option '--regstry'/)
})
