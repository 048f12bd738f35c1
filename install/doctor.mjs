// `npm run doctor`: what this machine has, what was tried and what was chosen. `--json` prints it as one object.

import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { homedir, release, totalmem } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { cacheFolder, LibtorchError, resolveLibtorch } from './libtorch.mjs'
import { megabytes } from './progress.mjs'
import { command, cores, cpuFeatures, cpuModel, glibcVersion, packageRoot, readLibtorch, threads } from './system.mjs'
import { inspectToolchain, unsupportedPlatform } from './toolchain.mjs'

/** The steps of the search for LibTorch, without downloading. */
async function libtorchSteps() {
  try {
    const { steps, path, version, variant } = await resolveLibtorch({ fetching: false, log: () => {} })
    return { chosen: { path, version, variant }, steps }
  } catch (error) {
    if (error instanceof LibtorchError) return { chosen: null, steps: error.steps }
    throw error
  }
}

/** Loads the addon the way the library does, in another process: a crash of native code must not end doctor. */
function addon() {
  const file = join(packageRoot, 'build/Release/sentence_torch.node')
  const loader = join(packageRoot, 'dist/lib/native/load.js')
  if (!existsSync(file)) return { built: false, loads: null, detail: 'not built; npm run build builds it' }
  if (!existsSync(loader))
    return { built: true, loads: null, detail: 'the TypeScript part is not built; npm run build:ts builds it' }
  const program = `
    const addon = await (await import(${JSON.stringify(pathToFileURL(loader).href)})).loadAddon()
    console.log(JSON.stringify(addon.runtime()))`
  try {
    const output = execFileSync(process.execPath, ['--input-type=module', '-e', program], {
      encoding: 'utf8',
      stdio: 'pipe',
      timeout: 120_000,
    })
    return { built: true, loads: true, runtime: JSON.parse(output.trim().split('\n').at(-1) ?? '') }
  } catch (error) {
    const { stderr, signal, message } = /** @type {{ stderr?: string, signal?: string, message: string }} */ (error)
    const reason = stderr?.split('\n').find((line) => /Error|error/.test(line)) ?? message
    return { built: true, loads: false, detail: signal ? `ended by ${signal}` : reason.trim() }
  }
}

function huggingFace() {
  const { HF_HOME, HF_HUB_CACHE, HF_ENDPOINT, HF_HUB_OFFLINE, HF_TOKEN, XDG_CACHE_HOME } = process.env
  const home = HF_HOME ?? join(XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'huggingface')
  const hub = HF_HUB_CACHE ?? join(home, 'hub')
  const models = existsSync(hub) ? readdirSync(hub).filter((name) => name.startsWith('models--')) : []
  return {
    cache: hub,
    models: models.map((name) => name.slice('models--'.length).replaceAll('--', '/')),
    endpoint: HF_ENDPOINT ?? null,
    offline: HF_HUB_OFFLINE ?? null,
    token: HF_TOKEN || existsSync(join(home, 'token')) ? 'set' : 'not set',
  }
}

function cuda() {
  const query = ['--query-gpu=name,driver_version,memory.total', '--format=csv,noheader']
  const gpus = command('nvidia-smi', query)?.trim().split('\n').filter(Boolean) ?? []
  const kernel = '/proc/driver/nvidia/version'
  return {
    driver: gpus.length > 0 || existsSync(kernel),
    gpus,
    nvcc: command('nvcc', ['--version'])?.trim().split('\n').at(-1) ?? null,
  }
}

async function gather() {
  const { version } = JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8'))
  const { problems, ...toolchain } = inspectToolchain()
  return {
    'sentence-torch': version,
    node: process.version,
    npm: command('npm', ['--version'])?.trim() ?? null,
    python: command('python3', ['--version'])?.trim() ?? null,
    pip: command('python3', ['-m', 'pip', '--version'])?.trim() ?? null,
    platform: {
      name: `${process.platform}-${process.arch}`,
      kernel: release(),
      glibc: glibcVersion() ?? null,
      refused: unsupportedPlatform() ?? null,
    },
    toolchain: { ...toolchain, problems },
    libtorch: { cache: cacheFolder(), builtWith: readLibtorch({ env: {} }) ?? null, ...(await libtorchSteps()) },
    addon: addon(),
    cpu: { model: cpuModel(), features: cpuFeatures(), memory: megabytes(totalmem()), ...cores(), threads: threads() },
    cuda: cuda(),
    huggingFace: huggingFace(),
  }
}

/** @param {Awaited<ReturnType<typeof gather>>} facts */
function print(facts) {
  /** @param {string} name @param {unknown} value */
  const line = (name, value) => console.log(`${name.padEnd(16)}${value ?? 'not found'}`)
  const { platform, toolchain, libtorch, addon, cpu, cuda, huggingFace } = facts
  line('sentence-torch', facts['sentence-torch'])
  line('Node', `${facts.node}, npm ${facts.npm ?? 'not found'}`)
  line('Platform', `${platform.name}, kernel ${platform.kernel}${platform.glibc ? `, glibc ${platform.glibc}` : ''}`)
  if (platform.refused) line('', platform.refused)
  line('C++ compiler', toolchain.compilerVersion && `${toolchain.compiler}: ${toolchain.compilerVersion}`)
  line('CMake', toolchain.cmake && `${toolchain.cmake}, ${toolchain.make ?? 'neither ninja nor make'}`)
  for (const problem of toolchain.problems) console.log(`  ${problem}`)
  line(
    'Python',
    facts.python && `${facts.python}, ${facts.pip ?? 'no pip'} (only needed where the LibTorch zip cannot be had)`,
  )
  console.log('LibTorch')
  libtorch.steps.forEach(({ step, found, chosen }, i) => {
    console.log(`  ${i + 1}. ${step}: ${found}${chosen ? '  <- chosen' : ''}`)
  })
  line(
    '  built with',
    libtorch.builtWith
      ? `${libtorch.builtWith.version} (${libtorch.builtWith.variant}), ${libtorch.builtWith.path}`
      : 'nothing built yet',
  )
  const detail = 'detail' in addon ? addon.detail : undefined
  line('Addon', addon.loads ? 'built, loads' : `${addon.built ? 'built' : 'missing'}: ${detail}`)
  if (addon.runtime) line('  runtime', JSON.stringify(addon.runtime))
  line('Processor', `${cpu.model}, ${cpu.memory}`)
  line('  features', cpu.features.join(' ') || 'none of those that matter')
  line(
    '  threads',
    `${cpu.threads} chosen: ${cpu.logical} logical, ${cpu.allowed} allowed by affinity, ${cpu.physicalCores} physical cores, cgroup quota ${cpu.quota ?? 'none'}`,
  )
  line(
    'CUDA',
    cuda.gpus.length
      ? `${cuda.gpus.join('; ')}; nvcc ${cuda.nvcc ?? 'not found'}; SENTENCE_TORCH_CUDA=13.0 npm run build:native builds for it`
      : `driver ${cuda.driver ? 'loaded' : 'not found'}`,
  )
  line('Model cache', `${huggingFace.cache}: ${huggingFace.models.join(', ') || 'empty'}`)
  line(
    '  hub',
    `endpoint ${huggingFace.endpoint ?? 'default'}, HF_HUB_OFFLINE ${huggingFace.offline ?? 'not set'}, token ${huggingFace.token}`,
  )
}

const facts = await gather()
if (process.argv.includes('--json')) console.log(JSON.stringify(facts, null, 2))
else print(facts)
