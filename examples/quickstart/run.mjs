// npm run quickstart: installs and builds what is missing, then hands over to quickstart.mjs. Only built-in modules are
// imported before that, since npm scripts run without node_modules.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const HELP = `npm run quickstart -- [options]

Few-shot intent classification, made better by fine-tuning all-MiniLM-L6-v2 on the CPU.

  --seed N    seed of the order of the pairs and of dropout (default 42)
  --steps N   optimiser steps of 32 pairs (default 100)
  --json      print one JSON object instead
  --help`

const root = fileURLToPath(new URL('../../', import.meta.url))

function readOptions() {
  const options = {
    seed: { type: 'string' },
    steps: { type: 'string' },
    json: { type: 'boolean' },
    help: { type: 'boolean' },
  }
  const { values } = parseArgs({ options })
  const whole = (name, fallback, least) => {
    const value = values[name] === undefined ? fallback : Number(values[name])
    if (!Number.isSafeInteger(value) || value < least)
      throw new Error(`Expected a whole number for --${name}, not ${values[name]}`)
    return value
  }
  const { json = false, help = false } = values
  return { seed: whole('seed', 42, 0), steps: whole('steps', 100, 1), json, help }
}

/** Everything that installing and building makes, and a mark of when that was last done from here. */
const MADE = ['node_modules', 'dist/lib/index.js', 'build/Release/sentence_torch.node', 'build/Release/boot.node']
const MARK = 'runs/quickstart/installed'
const SOURCES = ['package.json', 'package-lock.json', 'tsconfig.json', 'CMakeLists.txt', 'lib', 'native', 'install']

function newest(path) {
  const facts = statSync(path, { throwIfNoEntry: false })
  if (!facts?.isDirectory()) return facts?.mtimeMs ?? 0
  return Math.max(facts.mtimeMs, ...readdirSync(path).map((name) => newest(join(path, name))))
}

function install({ json }) {
  const mark = join(root, MARK)
  const done = existsSync(mark) && MADE.every((name) => existsSync(join(root, name)))
  if (done && Math.max(...SOURCES.map((name) => newest(join(root, name)))) < statSync(mark).mtimeMs) return
  console.error('Installing and building (once: the first time takes some minutes)\n')
  // npm tells its scripts where it is; its output must not get between the lines of --json.
  const npm = process.env.npm_execpath ? [process.execPath, [process.env.npm_execpath]] : ['npm', []]
  const stdio = ['ignore', json ? 2 : 'inherit', 'inherit']
  // Install scripts run in the foreground, so that a download and a build of minutes show what they do.
  const args = ['install', '--no-audit', '--no-fund', '--foreground-scripts']
  const { status, error } = spawnSync(npm[0], [...npm[1], ...args], { cwd: root, stdio })
  if (error) throw error
  if (status !== 0) throw new Error('npm install failed; what it said stands above')
  const missing = MADE.filter((name) => !existsSync(join(root, name)))
  if (missing.length > 0) throw new Error(`npm install ended well, but did not make ${missing.join(', ')}`)
  mkdirSync(join(root, 'runs/quickstart'), { recursive: true })
  writeFileSync(mark, `${new Date().toISOString()}\n`)
}

try {
  const options = readOptions()
  if (options.help) console.log(HELP)
  else {
    install(options)
    const { quickstart } = await import('./quickstart.mjs')
    await quickstart(options)
  }
} catch (error) {
  // A mistake of the caller or a missing part is told in one line; anything else shows where it came from.
  const known = error.code?.startsWith?.('ERR_') || error.constructor === Error
  console.error(`\nquickstart: ${known ? error.message : error.stack}`)
  process.exitCode = 1
}
