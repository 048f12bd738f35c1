// `npm run doctor` and `npx sentence-torch doctor`: what this machine has, what was tried and what was chosen. `--json` prints it as
// one object.

import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, realpathSync } from 'node:fs'
import { homedir, release, totalmem } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { addressOf } from './download.mjs'
import { cacheFolder, LibtorchError, resolveLibtorch } from './libtorch.mjs'
import { megabytes } from './progress.mjs'
import { nameOf, proxiesOf } from './proxy.mjs'
import { command, cores, cpuFeatures, cpuModel, glibcVersion, packageRoot, threads } from './system.mjs'
import { inspectToolchain, unsupportedPlatform } from './toolchain.mjs'

/** The steps of the search for LibTorch, without downloading. */
async function libtorchSteps() {
  try {
    const { steps, path, version, variant } = await resolveLibtorch({ fetching: false, log: () => {} })
    return { chosen: { path, version, variant }, steps }
  } catch (error) {
    if (error instanceof LibtorchError) return { chosen: null, steps: error.steps }
    // What may not be read is a finding, too.
    return { chosen: null, steps: [{ step: 'search', found: /** @type {Error} */ (error).message, chosen: false }] }
  }
}

/**
 * Where the library looks for the addon, which one it takes, and whether that loads: in another process, since a crash of native
 * code must not end doctor.
 */
async function addon() {
  const compiled = join(packageRoot, 'dist/bundle/native.js')
  if (!existsSync(compiled))
    return {
      steps: [],
      chosen: null,
      libtorch: null,
      loads: null,
      detail: 'the TypeScript part is not built; npm run build:ts builds it',
    }
  const { findAddon, findLibtorch } = await import(pathToFileURL(compiled).href)
  const { found, steps } = findAddon()
  const chosen = found ? { source: found.source, path: found.addonPath } : null
  let libtorch = null
  try {
    libtorch = (found && findLibtorch(found)) ?? null
  } catch {} // Loading it says why.
  const facts = { steps, chosen, libtorch }
  const program = `
    import { loadAddon } from ${JSON.stringify(pathToFileURL(compiled).href)}
    try {
      console.log(JSON.stringify({ loads: true, runtime: loadAddon().runtime() }))
    } catch (error) {
      console.log(JSON.stringify({ loads: false, detail: error.message }))
    }`
  try {
    const output = execFileSync(process.execPath, ['--input-type=module', '-e', program], {
      encoding: 'utf8',
      stdio: 'pipe',
      timeout: 120_000,
    })
    return { ...facts, ...JSON.parse(output.trim().split('\n').at(-1) ?? '') }
  } catch (error) {
    const { signal, message } = /** @type {{ signal?: string, message: string }} */ (error)
    return { ...facts, loads: false, detail: signal ? `the process that loads it was ended by ${signal}` : message }
  }
}

function huggingFace() {
  const { HF_HOME, HF_HUB_CACHE, HF_ENDPOINT, HF_HUB_OFFLINE, HF_TOKEN, XDG_CACHE_HOME } = process.env
  const home = HF_HOME ?? join(XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'huggingface')
  const hub = HF_HUB_CACHE ?? join(home, 'hub')
  return {
    cache: hub,
    ...modelsIn(hub),
    endpoint: HF_ENDPOINT ? addressOf(HF_ENDPOINT) : null,
    offline: HF_HUB_OFFLINE ?? null,
    token: HF_TOKEN || existsSync(join(home, 'token')) ? 'set' : 'not set',
  }
}

/** @param {string} hub @returns {{ models: string[], problem?: string }} */
function modelsIn(hub) {
  try {
    const names = existsSync(hub) ? readdirSync(hub).filter((name) => name.startsWith('models--')) : []
    return { models: names.map((name) => name.slice('models--'.length).replaceAll('--', '/')) }
  } catch (error) {
    return { models: [], problem: /** @type {Error} */ (error).message }
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

/** What downloads go through, without passwords. */
function proxies() {
  const noProxy = process.env.no_proxy ?? process.env.NO_PROXY ?? null
  try {
    const { http, https } = proxiesOf(process.env)
    return { https: https ? nameOf(https) : null, http: http ? nameOf(http) : null, noProxy }
  } catch (error) {
    return { https: null, http: null, noProxy, problem: /** @type {Error} */ (error).message }
  }
}

export async function gather() {
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
    libtorch: { cache: cacheFolder(), ...(await libtorchSteps()) },
    addon: await addon(),
    cpu: { model: cpuModel(), features: cpuFeatures(), memory: megabytes(totalmem()), ...cores(), threads: threads() },
    cuda: cuda(),
    huggingFace: huggingFace(),
    proxies: proxies(),
  }
}

/** The error without what is said here already. @param {{ detail: string, chosen: object | null }} addon */
function stateOf({ detail, chosen }) {
  return detail
    .split('\n')
    .filter((line) => !line.includes('doctor` shows') && (chosen || !line.startsWith('  ')))
    .join('\n')
}

/** @param {{ step: string, found: string, chosen: boolean }[]} steps */
function printSteps(steps) {
  for (const [i, { step, found, chosen }] of steps.entries())
    console.log(`  ${i + 1}. ${step}: ${found}${chosen ? '  <- chosen' : ''}`)
}

/** @param {Awaited<ReturnType<typeof gather>>} facts */
export function print(facts) {
  /** @param {string} name @param {unknown} value */
  const line = (name, value) => console.log(`${name.padEnd(16)}${value ?? 'not found'}`)
  const { platform, toolchain, libtorch, addon, cpu, cuda, huggingFace, proxies } = facts
  line('sentence-torch', facts['sentence-torch'])
  line('Node', `${facts.node}, npm ${facts.npm ?? 'not found'}`)
  line('Platform', `${platform.name}, kernel ${platform.kernel}${platform.glibc ? `, glibc ${platform.glibc}` : ''}`)
  if (platform.refused) line('', platform.refused)
  line('C++ compiler', toolchain.compilerVersion && `${toolchain.compiler}: ${toolchain.compilerVersion}`)
  line('CMake', toolchain.cmake && `${toolchain.cmake}, ${toolchain.make ?? 'neither ninja nor make'}`)
  // Who has a package with a built addon needs no compiler.
  if (!addon.loads) for (const problem of toolchain.problems) console.log(`  ${problem}`)
  line(
    'Python',
    facts.python && `${facts.python}, ${facts.pip ?? 'no pip'} (only needed where the LibTorch zip cannot be had)`,
  )
  console.log('LibTorch to build with')
  printSteps(libtorch.steps)
  console.log('Addon')
  printSteps(addon.steps)
  line('  LibTorch', addon.libtorch && `${addon.libtorch.version}, ${addon.libtorch.variant}: ${addon.libtorch.path}`)
  line('  state', addon.loads ? 'loads' : stateOf(addon))
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
      ? `${cuda.gpus.join('; ')}; nvcc ${cuda.nvcc ?? 'not found'}; ${existsSync(join(packageRoot, 'CMakeLists.txt')) ? 'SENTENCE_TORCH_CUDA=13.0 npm run build:native builds for it' : '`npm install @sentence-torch/linux-x64-cuda13` and `npx sentence-torch install cuda` compute on it'}`
      : `driver ${cuda.driver ? 'loaded' : 'not found'}`,
  )
  line('Model cache', `${huggingFace.cache}: ${huggingFace.problem ?? (huggingFace.models.join(', ') || 'empty')}`)
  line(
    '  hub',
    `endpoint ${huggingFace.endpoint ?? 'default'}, HF_HUB_OFFLINE ${huggingFace.offline ?? 'not set'}, token ${huggingFace.token}`,
  )
  const through = [...new Set([proxies.https, proxies.http])].filter(Boolean).join(', ')
  line('Proxy', proxies.problem ?? (through ? `${through}; NO_PROXY ${proxies.noProxy ?? 'not set'}` : 'none'))
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const facts = await gather()
  if (process.argv.includes('--json')) console.log(JSON.stringify(facts, null, 2))
  else print(facts)
}
