// The package managers, each in an empty project with cold caches of its own.
import { existsSync, writeFileSync } from 'node:fs'
import { availableParallelism, loadavg } from 'node:os'
import { join } from 'node:path'
import { installAndCheck, sandbox } from '../sandbox.mjs'
import { machineNpm, npm, tool, toolVersion } from '../toolbox.mjs'

/** A package that the project needs only for its own development. */
const DEV_PACKAGE = { ini: '^5.0.0' }

/** No more seconds from the start of the installation to the first embedding, no more packages. */
const MAX_SECONDS = 30
const MAX_PACKAGES = 24

/** Others' work on the machine makes seconds meaningless. @returns {boolean} */
const busy = () => loadavg()[0] > 2 * availableParallelism()

/** @param {{ seconds: number, packages: number }} result */
function withinBars(result) {
  const { seconds, packages } = result
  if (packages > MAX_PACKAGES) throw new Error(`expected at most ${MAX_PACKAGES} packages but found ${packages}`)
  if (seconds <= MAX_SECONDS) return result
  if (busy()) return { ...result, note: `the machine is busy: not held to ${MAX_SECONDS} s` }
  throw new Error(`expected the first embedding within ${MAX_SECONDS} s but it took ${seconds.toFixed(1)} s`)
}

/** A sandbox with Node, and that Node's path. */
async function nodeBox(context, name, options = {}) {
  const node = await tool(options.node ?? 'node24')
  return { node, box: sandbox(context, name, { ...options, node }) }
}

const yarnSettings = (registry, linker) =>
  [
    `npmRegistryServer: "${registry.url}"`,
    'unsafeHttpWhitelist: ["127.0.0.1"]',
    `nodeLinker: ${linker}`,
    'enableTelemetry: false',
    '',
  ].join('\n')

async function yarn(context, name, linker) {
  const { node, box } = await nodeBox(context, name)
  const program = await tool('yarn')
  writeFileSync(join(box.app, '.yarnrc.yml'), yarnSettings(context.registry, linker))
  // Without a lockfile yarn looks for the project in the folders above. In CI it would refuse to write one.
  writeFileSync(join(box.app, 'yarn.lock'), '')
  box.env.YARN_ENABLE_IMMUTABLE_INSTALLS = 'false'
  const result = await installAndCheck(
    context,
    box,
    [[node, [program, 'add', 'sentence-torch']]],
    [node, [program, 'node', 'check.mjs']],
  )
  return { ...withinBars(result), tool: `yarn ${toolVersion('yarn')}` }
}

async function pnpm(context, name, settings) {
  const node = process.execPath
  const box = sandbox(context, name, { node })
  const program = await tool('pnpm')
  if (settings) writeFileSync(join(box.app, 'pnpm-workspace.yaml'), settings)
  const result = await installAndCheck(context, box, [[program, ['add', 'sentence-torch']]], [node, ['check.mjs']])
  return { ...withinBars(result), tool: `pnpm ${toolVersion('pnpm')}` }
}

export const cases = [
  {
    name: 'npm',
    quick: true,
    what: "the machine's npm and Node, as a user has them",
    async run(context) {
      const node = process.execPath
      const box = sandbox(context, 'npm', { node })
      // With the machine's programs, compilers among them; without its configuration.
      box.env.PATH = process.env.PATH
      const [program, first] = machineNpm()
      const steps = [[program, [...first, 'install', 'sentence-torch']]]
      const result = await installAndCheck(context, box, steps, [node, ['check.mjs']])
      return { ...withinBars(result), tool: `npm ${(await npm(['--version'])).trim()}` }
    },
  },
  {
    name: 'npm12',
    what: 'npm 12 with its default settings: install scripts of dependencies are blocked',
    async run(context) {
      const { node, box } = await nodeBox(context, 'npm12')
      const program = await tool('npm12')
      const steps = [[node, [program, 'install', 'sentence-torch']]]
      const result = await installAndCheck(context, box, steps, [node, ['check.mjs']])
      return { ...withinBars(result), tool: `npm ${toolVersion('npm12')}` }
    },
  },
  {
    name: 'npm11-ci',
    what: 'npm 11 from a lockfile: npm ci --ignore-scripts --omit=dev',
    async run(context) {
      const options = { manifest: { dependencies: { 'sentence-torch': '*' }, devDependencies: DEV_PACKAGE } }
      const { node, box } = await nodeBox(context, 'npm11-ci', { node: 'node22', ...options })
      const program = await tool('npm11')
      await box.run(node, [program, 'install', '--package-lock-only'])
      const steps = [[node, [program, 'ci', '--ignore-scripts', '--omit=dev']]]
      const result = await installAndCheck(context, box, steps, [node, ['check.mjs']])
      if (existsSync(join(box.app, 'node_modules/ini'))) throw new Error('--omit=dev has installed a devDependency')
      return { ...withinBars(result), tool: `npm ${toolVersion('npm11')}` }
    },
  },
  {
    name: 'npm12-offline',
    what: 'npm 12 --offline after another project has filled the cache; no registry answers',
    async run(context) {
      const { node, box: first } = await nodeBox(context, 'npm12-offline-first')
      const program = await tool('npm12')
      await first.run(node, [program, 'install', 'sentence-torch'])
      const { box } = await nodeBox(context, 'npm12-offline')
      box.env.npm_config_cache = join(first.env.HOME, '.npm')
      const steps = [[node, [program, 'install', '--offline', 'sentence-torch']]]
      const result = await installAndCheck(context, box, steps, [node, ['check.mjs']])
      return { ...withinBars(result), tool: `npm ${toolVersion('npm12')}` }
    },
  },
  { name: 'pnpm', quick: true, what: 'pnpm with its default settings', run: (context) => pnpm(context, 'pnpm') },
  {
    name: 'pnpm-no-hoist',
    what: 'pnpm without hoisting',
    run: (context) => pnpm(context, 'pnpm-no-hoist', 'hoist: false\n'),
  },
  {
    name: 'yarn',
    what: 'yarn 4, nodeLinker: node-modules',
    run: (context) => yarn(context, 'yarn', 'node-modules'),
  },
  { name: 'yarn-pnp', what: "yarn 4, Plug'n'Play", run: (context) => yarn(context, 'yarn-pnp', 'pnp') },
  {
    name: 'bun',
    what: 'bun installs, Node runs',
    async run(context) {
      const { node, box } = await nodeBox(context, 'bun')
      const program = await tool('bun')
      const result = await installAndCheck(context, box, [[program, ['add', 'sentence-torch']]], [node, ['check.mjs']])
      return { ...withinBars(result), tool: `bun ${toolVersion('bun')}` }
    },
  },
  {
    name: 'bun-runtime',
    what: 'bun installs and runs; no Node on PATH',
    async run(context) {
      const program = await tool('bun')
      const box = sandbox(context, 'bun-runtime')
      const steps = [[program, ['add', 'sentence-torch']]]
      const result = await installAndCheck(context, box, steps, [program, ['check.mjs']])
      return { ...withinBars(result), tool: `bun ${toolVersion('bun')}` }
    },
  },
  {
    name: 'deno',
    what: 'deno installs and runs (nodeModulesDir: auto, with permissions); no Node on PATH',
    async run(context) {
      const program = await tool('deno')
      const box = sandbox(context, 'deno')
      writeFileSync(join(box.app, 'deno.json'), JSON.stringify({ nodeModulesDir: 'auto' }))
      const permissions = ['--allow-ffi', '--allow-read', '--allow-write', '--allow-env', '--allow-sys']
      const steps = [[program, ['add', 'npm:sentence-torch']]]
      const result = await installAndCheck(context, box, steps, [program, ['run', ...permissions, 'check.mjs']])
      return { ...withinBars(result), tool: `deno ${toolVersion('deno')}` }
    },
  },
]
