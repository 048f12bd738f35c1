import { readdirSync, readFileSync } from 'node:fs'
import test from 'ava'
import picomatch from 'picomatch'

const example = new URL('../../../examples/electron/', import.meta.url)
const { default: config } = (await import(new URL('forge.config.js', example).href)) as {
  default: { packagerConfig: { asar: { unpack: string } } }
}

test('the example of Electron keeps what the dynamic linker opens out of the archive, and the rest in it', (t) => {
  // As asar looks: a pattern without a slash means the name of the file.
  const isUnpacked = picomatch(config.packagerConfig.asar.unpack, { basename: true })
  const packages = 'node_modules/@sentence-torch'
  const outside = [
    'linux-x64/boot.node',
    'linux-x64/sentence_torch.node',
    'libtorch-linux-x64/torch/lib/libtorch_cpu.so',
    'libtorch-linux-x64/torch/lib/libgomp.so.1',
    'libtorch-linux-x64/nvidia/cu13/lib/libcupti.so.13',
    'libtorch-linux-arm64/torch.libs/libarm_compute-a1b2.so',
    'libtorch-darwin-arm64/torch/lib/libtorch_cpu.dylib',
    'libtorch-darwin-arm64/torch/lib/libomp.dylib',
  ]
  for (const name of outside) t.true(isUnpacked(`${packages}/${name}`), name)
  const inside = [
    'linux-x64/index.js',
    'linux-x64/libtorch.json',
    'libtorch-linux-x64/licences/pytorch.txt',
    '../sentence-torch/dist/bundle/parquet-worker.js',
    '../sentence-torch/package.json',
    '../../worker.js',
  ]
  for (const name of inside) t.false(isUnpacked(`${packages}/${name}`), name)
})

test('the example of Electron asks for this version, and its window for files that are there', (t) => {
  const read = (name: string) => readFileSync(new URL(name, example), 'utf8')
  const root = JSON.parse(read('../../package.json')) as { version: string }
  const manifest = JSON.parse(read('package.json')) as { main: string; dependencies: Record<string, string> }
  t.is(manifest.dependencies['sentence-torch'], root.version)
  const files = readdirSync(example)
  const named = [...`${read('main.js')}${read('index.html')}`.matchAll(/(?:join\(here, '|src=")([\w.-]+)/g)].map(
    ([, name]) => name!,
  )
  t.true(named.length >= 4)
  for (const name of [manifest.main, ...named]) t.true(files.includes(name), name)
})
