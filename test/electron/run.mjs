// Runs the worker of examples/electron in Electron itself: from its folder and, after `npm run package` there, from the archive of the
// packaged app. Needs `npm install` in examples/electron and, on Linux, a display (xvfb-run).
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { tinyFolder } from '../../dist/test/helpers/tiny-folder.js'

const here = dirname(fileURLToPath(import.meta.url))
const example = join(here, '../../examples/electron')
// In Node the package gives the path of its program.
const electron = createRequire(join(example, 'package.json'))('electron')
const out = join(example, 'out')
const packaged = existsSync(out)
  ? readdirSync(out, { recursive: true }).find((name) => /[/\\]app\.asar$/.test(name))
  : undefined
const workers = {
  'from its folder': join(example, 'worker.js'),
  'from the packaged app': packaged && join(out, packaged, 'worker.js'),
}

const work = mkdtempSync(join(tmpdir(), 'sentence-torch-electron-'))
let passed = 0
let failed = 0
try {
  const model = await tinyFolder(join(work, 'model'))
  for (const [name, worker] of Object.entries(workers)) {
    const env = { ...process.env, WORKER: worker, MODEL: model, SAVE_TO: join(work, 'saved') }
    // Without Chromium's sandbox, which the containers of public CI do not allow.
    const options = { env, stdio: 'inherit', timeout: 300_000 }
    const { status, error } = worker ? spawnSync(electron, ['--no-sandbox', join(here, 'main.mjs')], options) : {}
    const fault = worker ? error?.message : 'there is no app.asar below out/: npm run package makes it'
    const ok = status === 0 && existsSync(join(work, 'saved/model.safetensors'))
    console.log(`${name}: ${ok ? 'ok' : `failed (${fault ?? status})`}`)
    rmSync(join(work, 'saved'), { recursive: true, force: true })
    if (ok) passed += 1
    else failed += 1
  }
} finally {
  rmSync(work, { recursive: true, force: true })
}
console.log(`${passed} passed, ${failed} failed`)
process.exitCode = failed ? 1 : 0
