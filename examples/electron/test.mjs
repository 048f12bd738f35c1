// npm test: the app from its sources, then packaged, each with a tiny model. The repository's tests have to be compiled
// (npm run build:ts there), since they write that model.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { tinyFolder } from '../../dist/test/helpers/tiny-folder.js'

const here = import.meta.dirname
const { name } = createRequire(import.meta.url)('./package.json')
const work = mkdtempSync(join(tmpdir(), 'sentence-torch-electron-'))
const model = await tinyFolder(join(work, 'model'))
const counts = { passed: 0, failed: 0 }

function run(title, program, args, timeout) {
  const { status, signal, error } = spawnSync(program, args, { cwd: here, stdio: 'inherit', timeout: timeout * 1000 })
  const passed = status === 0
  counts[passed ? 'passed' : 'failed']++
  console.log(
    `${passed ? 'passed' : 'failed'}   ${title}${passed ? '' : `: ${error?.message ?? `ended with ${status ?? signal}`}`}`,
  )
}

// Where the system lets nobody make a sandbox (containers, some distributions) Electron does not start without this.
const options = [`--self-test=${model}`, ...(process.platform === 'linux' ? ['--no-sandbox'] : [])]
run('from the sources', join(here, 'node_modules/.bin/electron'), ['.', ...options], 120)
run('electron-forge package', join(here, 'node_modules/.bin/electron-forge'), ['package'], 600)
const folder = join(here, 'out', `${name}-${process.platform}-${process.arch}`)
const program = process.platform === 'darwin' ? join(folder, `${name}.app/Contents/MacOS`, name) : join(folder, name)
run('packaged', program, options, 120)

rmSync(work, { recursive: true, force: true })
console.log(`${counts.passed} passed, ${counts.failed} failed`)
if (counts.failed > 0) process.exitCode = 1
