import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import test from 'ava'
import { parse } from 'yaml'
import { packageRoot } from '#system'

type Manifest = Record<string, unknown> & { dependencies: Record<string, string>; version: string }
interface Step {
  run?: string
  uses?: string
  'working-directory'?: string
}
interface Packed {
  name: string
  file: string
  integrity: string
  files: string[]
}

const load = async <T>(name: string) => (await import(pathToFileURL(join(packageRoot, 'packaging', name)).href)) as T
const manifests = await load<{
  PLATFORMS: string[]
  BUILD_DEPENDENCIES: string[]
  mainManifest(root: Manifest): Manifest
  platformManifest(root: Manifest, platform: string, libtorch: string): Manifest
  libtorchManifest(root: Manifest, platform: string, version: string): Manifest
  cudaManifest(root: Manifest, variant: string): Manifest
  buildManifest(root: Manifest, imported?: string[]): Manifest
}>('manifests.mjs')
const { absoluteLinks } = await load<{
  absoluteLinks(markdown: string, where: { web: string; version: string }): string
}>('readme.mjs')
const { bareImports, checkImports } = await load<{
  bareImports(folder: string): string[]
  checkImports(folder: string, manifest: object): void
}>('imports.mjs')
const { makeTarball, readTarball } = await load<{
  makeTarball(folder: string, target: string): Promise<Packed>
  readTarball(file: string): Promise<Packed & { manifest: Manifest; unpacked: number }>
}>('tarball.mjs')
const { VERSION } = (await import(pathToFileURL(join(packageRoot, 'install/pins.mjs')).href)) as { VERSION: string }

const root = JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8')) as Manifest

function folderOf(t: { teardown(done: () => void): void }, files: Record<string, string> = {}): string {
  const folder = mkdtempSync(join(tmpdir(), 'sentence-torch-packaging-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true })
    writeFileSync(join(folder, name), content)
  }
  return folder
}

test('the published main package builds nothing and names the addons of its version', (t) => {
  const main = manifests.mainManifest(root)
  const cloneOnly = ['scripts', 'devDependencies', 'gypfile', 'private', 'files', 'os', 'cpu', 'binary']
  for (const field of cloneOnly) t.false(field in main, `${field} is for a clone`)
  for (const name of manifests.BUILD_DEPENDENCIES) {
    t.true(name in root.dependencies, `${name} is a dependency of a clone`)
    t.false(name in main.dependencies)
  }
  t.deepEqual(main.optionalDependencies, {
    '@sentence-torch/linux-x64': root.version,
    '@sentence-torch/linux-arm64': root.version,
    '@sentence-torch/darwin-arm64': root.version,
  })
  t.is((main.peerDependencies as Record<string, string>)['@sentence-torch/linux-x64-cuda13'], root.version)
  // None of them is installed by itself.
  t.deepEqual(Object.keys(main.peerDependenciesMeta as object), Object.keys(main.peerDependencies as object))
  for (const meta of Object.values(main.peerDependenciesMeta as object)) t.deepEqual(meta, { optional: true })
  for (const field of ['keywords', 'author', 'homepage', 'bugs', 'license', 'engines', 'main', 'types', 'exports'])
    t.deepEqual(main[field], root[field], field)
  t.deepEqual(main.repository, { type: 'git', url: 'git+https://github.com/sentence-torch/sentence-torch.git' })
})

test("the repository's package.json stays that of a clone", (t) => {
  t.like(root, { private: true, gypfile: false, scripts: { install: 'node install/build.mjs' } })
  t.false('optionalDependencies' in root)
  t.true(existsSync(join(packageRoot, 'binding.gyp')))
  t.is(root.main, (root.exports as Record<string, { default: string }>)['.']!.default)
  t.is(root.types, (root.exports as Record<string, { types: string }>)['.']!.types)
})

test('packages of platforms are for their system alone and need exactly one LibTorch', (t) => {
  for (const platform of manifests.PLATFORMS) {
    const [os, cpu] = platform.split('-')
    const addon = manifests.platformManifest(root, platform, '2.13.0')
    const libtorch = manifests.libtorchManifest(root, platform, '2.13.0')
    for (const manifest of [addon, libtorch]) {
      t.like(manifest, { os: [os], cpu: [cpu], preferUnplugged: true })
      t.deepEqual(manifest.libc, os === 'linux' ? ['glibc'] : undefined)
    }
    t.is(addon.version, root.version)
    t.is(libtorch.version, '2.13.0')
    t.deepEqual(addon.dependencies, { [`@sentence-torch/libtorch-${platform}`]: '2.13.0' })
  }
  const cuda = manifests.cudaManifest(root, '13.0')
  t.like(cuda, { name: '@sentence-torch/linux-x64-cuda13', os: ['linux'], cpu: ['x64'], version: root.version })
  t.false('dependencies' in cuda)
})

test('the package of the sources has what CMake and the scripts read', (t) => {
  const build = manifests.buildManifest(root, ['hyparquet'])
  t.like(build, { version: root.version, binary: { napi_versions: [8] }, type: 'module' })
  t.deepEqual(Object.keys(build.dependencies), [...manifests.BUILD_DEPENDENCIES, 'hyparquet'].sort())
  t.throws(() => manifests.buildManifest(root, ['left-pad']), { message: /no dependency left-pad/ })
  t.throws(() => manifests.mainManifest({ ...root, repository: 'somewhere' }), { message: /github:<owner>\/<name>/ })
})

test('links of the README lead to the repository, images to their files, code is left alone', (t) => {
  const where = { web: 'https://github.com/a/b', version: '1.2.3' }
  const rewritten = absoluteLinks(
    [
      '[`a[0]`](docs/a.md#part) ![picture](docs/p.svg) [out](https://example.org/x) [here](#top) [mail](mailto:a@b.c)',
      '[![badge](docs/badge.svg)](./docs/b.md)',
      '```ts\nconst [x] = rows[0](docs)\n```',
    ].join('\n'),
    where,
  )
  t.deepEqual(rewritten.split('\n'), [
    '[`a[0]`](https://github.com/a/b/blob/v1.2.3/docs/a.md#part) ![picture](https://raw.githubusercontent.com/a/b/v1.2.3/docs/p.svg) [out](https://example.org/x) [here](#top) [mail](mailto:a@b.c)',
    '[![badge](https://raw.githubusercontent.com/a/b/v1.2.3/docs/badge.svg)](https://github.com/a/b/blob/v1.2.3/docs/b.md)',
    '```ts',
    'const [x] = rows[0](docs)',
    '```',
  ])
})

/** Markdown without its code, where brackets before parentheses are no links. */
const prose = (file: string) =>
  readFileSync(join(packageRoot, file), 'utf8')
    .replace(/^```[\s\S]*?^```$/gm, '')
    .replace(/(?<!`)`[^`\n]+`(?!`)/g, (code) => code.replaceAll('(', ' '))

/** The anchors that GitHub gives headings. */
function anchors(file: string): string[] {
  const headings = [...prose(file).matchAll(/^#+ (.*)$/gm)].map(([, text = '']) => text)
  return headings.map((text) =>
    text
      .trim()
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(' ', '-'),
  )
}

test('every relative link of the documents names a file, and every anchor a heading', (t) => {
  const folders = ['.', 'docs', 'docs/recipes', 'bench', 'examples/electron']
  const files = folders.flatMap((folder) =>
    readdirSync(join(packageRoot, folder))
      .filter((name) => name.endsWith('.md'))
      .map((name) => join(folder, name)),
  )
  let links = 0
  for (const file of files)
    for (const [, to = ''] of prose(file).matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^\w+:/.test(to)) continue
      const [path, anchor] = to.split('#')
      const target = path ? join(dirname(file), path) : file
      t.true(existsSync(join(packageRoot, target)), `${file}: ${to}`)
      if (anchor) t.true(anchors(target).includes(anchor), `${file}: ${to}`)
      links++
    }
  t.true(links > 80, `${links} links`)
})

test('what a package imports is in it or among its dependencies', (t) => {
  const files = {
    'index.js':
      "import {\n  a,\n} from './a.js'\nimport 'node:fs'\nimport { z } from 'zod/v4'\nexport { b } from '#b'\n",
    'a.js': "const c = await import('@scope/c/deep')\n// import d from 'd'\n * import e from 'e'\n",
    'p.cjs': "require('f')\n",
  }
  const folder = folderOf(t, files)
  t.deepEqual(bareImports(folder), ['@scope/c', 'f', 'zod'])
  writeFileSync(join(folder, 'b.js'), '')
  const manifest = {
    name: 'x',
    imports: { '#b': './b.js' },
    dependencies: { zod: '1', '@scope/c': '1' },
    optionalDependencies: { f: '1' },
  }
  t.notThrows(() => checkImports(folder, manifest))
  rmSync(join(folder, 'a.js'))
  t.throws(() => checkImports(folder, { ...manifest, optionalDependencies: {} }), {
    message: /\.\/a\.js \(in index\.js\).*f \(in p\.cjs\)/,
  })
})

test('the same files give the same tarball, whatever their times and modes', async (t) => {
  const manifest = JSON.stringify({ name: '@a/b', version: '1.0.0', bin: { b: './z/z.js' } })
  const files = { 'package.json': manifest, 'z/z.js': 'z', 'a.js': 'a' }
  const [one, two, target, other] = [folderOf(t, files), folderOf(t), folderOf(t), folderOf(t)]
  for (const [name, content] of Object.entries(files).reverse()) {
    mkdirSync(dirname(join(two, name)), { recursive: true })
    writeFileSync(join(two, name), content, { mode: 0o755 })
  }
  const packed = await makeTarball(one, target)
  t.like(packed, { name: '@a/b', version: '1.0.0', file: join(target, 'a-b-1.0.0.tgz') })
  t.deepEqual(packed.files, ['package.json', 'a.js', 'z/z.js'])
  t.is((await makeTarball(two, other)).integrity, packed.integrity)
  const read = await readTarball(packed.file)
  t.is(read.integrity, packed.integrity)
  t.is(read.manifest.name, '@a/b')
  t.deepEqual(
    read.files.map((name) => statSync(join(one, name)).mode & 0o777),
    [0o644, 0o644, 0o755],
    'a program can be run',
  )
  t.is(read.unpacked, manifest.length + 2)
})

test('the licence texts are those of the LibTorch that is downloaded', (t) => {
  const text = readFileSync(join(packageRoot, 'packaging/licences/pytorch-third-party.txt'), 'utf8')
  t.true(text.split('\n')[0]!.includes(`PyTorch ${VERSION} `))
})

test('workflows parse, and every script and file that they name exists', (t) => {
  const folder = join(packageRoot, '.github/workflows')
  const names = readdirSync(folder)
  t.deepEqual(names.sort(), ['ci.yml', 'docs.yml', 'release.yml'])
  for (const name of names) {
    const workflow = parse(readFileSync(join(folder, name), 'utf8')) as {
      jobs: Record<string, { needs?: string | string[]; steps: Step[] }>
    }
    for (const [job, { needs, steps }] of Object.entries(workflow.jobs)) {
      for (const other of [needs ?? []].flat()) t.true(other in workflow.jobs, `${name}: ${job} needs ${other}`)
      for (const step of steps) t.true(Boolean(step.run) !== Boolean(step.uses), `${name}: ${job} has an odd step`)
      for (const { run = '', 'working-directory': folder = '.' } of steps) {
        const manifest = join(packageRoot, folder, 'package.json')
        const { scripts } = JSON.parse(readFileSync(manifest, 'utf8')) as { scripts: Record<string, string> }
        for (const [, script] of run.matchAll(/\bnpm run (?:-s )?([\w:.-]+)/g))
          t.true(script! in scripts, `${name}: npm run ${script}`)
      }
      const commands = steps.map(({ run }) => run ?? '').join('\n')
      for (const [, file] of commands.matchAll(
        /(?:^|[\s"'=])\.?\/?((?:\.ci|install|packaging|test|examples)\/[\w./-]+)/gm,
      ))
        t.true(existsSync(join(packageRoot, file!)), `${name}: ${file}`)
    }
  }
})
